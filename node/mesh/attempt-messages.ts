import * as v from 'valibot';
import { MAX_PAIRS } from '../core/pictures.ts';
import {
  acceptance,
  benched,
  bytes,
  data,
  fingerprint,
  id,
  nodeId,
  output,
  reason,
  relativePath,
  signed,
  text,
  understood,
  uuid,
} from './message-fields.ts';

/**
 * The life of an attempt as the coordinator hears of it: `claim` begins it, one `report` after the other tells what became of
 * it. A report lies in the outbox of its node until it is acknowledged, perhaps over a restart and an upgrade of either side.
 */

const encoderRef = v.object({ name: text(40), device: v.nullable(text(200)) });
const finding = v.object({
  encoder: text(40),
  device: v.nullable(text(200)),
  metric: v.picklist(['vmaf', 'ssim']),
  quality: v.pipe(v.number(), v.minValue(0), v.maxValue(63)),
  score: v.number(),
  runs: id,
});

export const grantedJob = v.object({
  term: id,
  job: id,
  attempt: id,
  leaseSeconds: id,
  keeper: nodeId,
  /** lets this node read the source from the keeper; null when they are one node */
  ticket: v.nullable(signed),
  root: uuid,
  path: relativePath,
  title: text(500),
  fingerprint,
  probe: data,
  /** the film's colours are wanted for its bar */
  colours: v.optional(v.boolean()),
  plan: data,
  profile: data,
  /** settings that met the goal of the profile with films of this kind on this node, where it has a goal */
  findings: v.optional(understood(finding, 20)),
  benched: v.optional(benched),
  /** encoders of this node that failed with this very job, once for each time: others are tried first */
  failed: v.optional(v.pipe(v.array(encoderRef), v.maxLength(50))),
});

const delivered = { job: id, attempt: id };

export const claim = {
  request: v.object({
    node: nodeId,
    session: uuid,
    classes: v.array(id),
    freeSlots: id,
    freeBytes: bytes,
    /** every slot is busy: wanted is a file to fetch meanwhile */
    ahead: v.boolean(),
  }),
  response: v.object({ granted: v.nullable(grantedJob), why: v.nullable(reason) }),
} as const;

export const report = {
  request: v.variant('event', [
    v.object({
      event: v.literal('encoded'),
      ...delivered,
      output,
      encoder: text(40),
      command: v.array(text(4000)),
      stderrTail: text(32768),
      stats: data,
    }),
    v.object({
      event: v.literal('failed'),
      ...delivered,
      reason,
      retry: v.boolean(),
      encoder: v.nullable(text(40)),
      device: v.optional(v.nullable(text(200))),
      command: v.nullable(v.array(text(4000))),
      stderrTail: text(32768),
    }),
    v.object({ event: v.literal('cancelled'), ...delivered }),
    v.object({ event: v.literal('released'), ...delivered, reason }),
    v.object({
      event: v.literal('verified'),
      ...delivered,
      verdict: data,
      outputProbe: v.nullable(data),
      outputBytes: bytes,
      /** the times of the comparison frames that this keeper took, in milliseconds into the film */
      pictures: v.optional(v.pipe(v.array(id), v.maxLength(MAX_PAIRS))),
    }),
    v.object({ event: v.literal('not-verified'), ...delivered, reason, retry: v.boolean() }),
    v.object({
      event: v.literal('replaced'),
      ...delivered,
      path: relativePath,
      fingerprint,
      probe: v.nullable(data),
      original: v.object({ path: relativePath, trashPath: relativePath, fingerprint }),
    }),
    v.object({ event: v.literal('not-replaced'), ...delivered, reason, retry: v.boolean() }),
    v.object({ event: v.literal('restored'), ...delivered, path: relativePath, fingerprint, probe: v.nullable(data) }),
    v.object({ event: v.literal('not-restored'), ...delivered, reason }),
    v.object({ event: v.literal('expired'), ...delivered }),
    v.object({ event: v.literal('rechecked'), ...delivered, verdict: data }),
    v.object({ event: v.literal('not-rechecked'), ...delivered, reason, retry: v.boolean() }),
  ]),
  response: acceptance,
} as const;
