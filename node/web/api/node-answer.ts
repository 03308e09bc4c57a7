import * as v from 'valibot';
import { conductOf } from '../../core/manners.ts';
import { mannersOf } from '../../core/manner-wishes.ts';
import { ffmpegsInWords } from '../../core/ffmpeg-words.ts';
import { readKnownNodes } from '../known-nodes.ts';
import type { Web } from '../web.ts';
import { maybe, maybeReason, maybeTime, open, reason, reasonJson, time } from './answers.ts';

/** A machine as the API tells of it: what it is, what it can, what a person wishes of it. */
export const nodeAnswer = v.strictObject({
  id: v.string(),
  name: v.string(),
  version: v.string(),
  speaks: v.exactOptional(
    v.pipe(v.strictObject({ min: v.number(), max: v.number() }), v.description('versions of the messages between machines')),
  ),
  platform: v.string(),
  standing: v.picklist(['pending', 'approved', 'rejected', 'revoked']),
  draining: v.boolean(),
  encoders: v.array(open('an encoder with what a real test encode of it showed')),
  hardware: open('what the machine says of itself'),
  ffmpeg: v.nullable(
    v.strictObject({
      builds: v.array(open('an ffmpeg of this machine by its own word')),
      used: maybe.number,
      allowed: v.pipe(v.boolean(), v.description('a person lets it use one with a serious known hole')),
      inWords: open('the same in words: what each can do, its known holes, which would be better, why one is refused'),
    }),
  ),
  slots: v.number(),
  joinedAt: time,
  lastSeenAt: time,
  metrics: open('what it measures, as it last said'),
  watching: v.array(v.strictObject({ root: v.string(), folder: v.string(), watching: v.boolean(), why: maybe.text })),
  address: maybe.text,
  code: v.pipe(maybe.text, v.description('six characters that its own console shows too; while it asks to join')),
  askedAt: maybeTime,
  putOffUntil: maybeTime,
  decidedBy: maybe.text,
  paused: v.boolean(),
  slotsWished: maybe.number,
  schedule: v.array(v.strictObject({ days: v.array(v.number()), from: v.string(), to: v.string() })),
  mbps: maybe.number,
  manners: open('how considerate it is of the people around it'),
  tempBytes: v.pipe(maybe.number, v.description('free in its workspace')),
  tempUsedBytes: v.optional(maybe.number),
  clockMs: v.pipe(maybe.number, v.description('its clock minus the coordinator’s')),
  utcOffset: v.pipe(maybe.number, v.description('minutes')),
  conduct: v.strictObject({ does: v.picklist(['run', 'begin-nothing', 'pause']), atOnce: maybe.number, reason: maybeReason }),
  away: v.boolean(),
  coordinator: v.boolean(),
  candidate: v.pipe(v.boolean(), v.description('it could coordinate')),
  running: v.pipe(v.array(v.number()), v.description('jobs')),
  speeds: v.array(v.strictObject({ encoder: v.string(), pixelsPerSecond: v.number(), runs: v.number() })),
  benched: v.array(
    v.strictObject({
      id: v.number(),
      encoder: v.string(),
      device: v.string(),
      build: v.string(),
      since: time,
      reason,
    }),
  ),
  roots: v.array(
    v.strictObject({
      rootId: v.string(),
      path: v.string(),
      writable: v.boolean(),
      checkedAt: time,
      provedAt: v.pipe(maybeTime, v.description('null: it may be a copy of the disk; it is read, and nothing is replaced there')),
      libraries: v.array(v.number()),
      problem: v.nullable(v.strictObject({ code: v.string(), sentence: v.string() })),
    }),
  ),
});

export async function nodesJson(web: Web) {
  return (await readKnownNodes(web)).map(
    ({ node: { classes: _classes, ...node }, candidate, leads, speeds, benched, roots, ...known }) => ({
      ...node,
      ...known,
      manners: mannersOf(node.manners),
      conduct: conductJson(node.metrics['conduct']),
      ffmpeg: node.ffmpeg ? { ...node.ffmpeg, inWords: ffmpegsInWords(node.ffmpeg) } : null,
      coordinator: leads,
      candidate: candidate?.fresh === true && !candidate.outdated,
      speeds: speeds.map(({ nodeId: _node, ...speed }) => speed),
      benched: benched.map(({ nodeId: _node, reason: why, ...bench }) => ({ ...bench, reason: reasonJson(why) })),
      roots: roots.map(({ nodeId: _node, problem, says, libraries, ...root }) => ({
        ...root,
        libraries: libraries.map(({ id }) => id),
        problem: problem === null ? null : { code: problem, sentence: says },
      })),
    }),
  );
}

/** What it does out of consideration now, with the words for it. */
function conductJson(told: unknown) {
  const { does, atOnce, reason: why } = conductOf(told);
  return { does, atOnce, reason: reasonJson(why) };
}
