import * as v from 'valibot';
import { bytes, data, id, nodeId, protocolRange, reason, relativePath, signed, text, understood, uuid } from './message-fields.ts';

/**
 * `hello`: again and again a node says what it is and has, and hears what is wished of it.
 *
 * Much of it only describes a machine. What a newer one says there in words that are not known here is left out, entry by
 * entry: a hello that is refused whole costs a machine its work.
 */

export const encoderReport = v.object({
  name: text(40),
  device: v.nullable(text(200)),
  works: v.boolean(),
  tenBit: v.boolean(),
  hardware: v.boolean(),
  reason: v.nullable(text(2000)),
  testedAt: text(40),
  // a node of the version before does not say these
  codec: v.optional(v.picklist(['hevc', 'av1'])),
  hdr10: v.optional(v.boolean()),
  bFrames: v.optional(v.boolean()),
  atOnce: v.optional(v.nullable(v.pipe(id, v.minValue(1)))),
  deviceName: v.optional(v.nullable(text(200))),
  driver: v.optional(v.nullable(text(200))),
  build: v.optional(text(300)),
});
/** one ffmpeg of a machine by its own word (core/ffmpeg-choice.ts); what follows from it the reader works out itself */
const release = v.nullable(v.pipe(v.array(id), v.maxLength(3)));
const aged = { path: text(1000), version: text(80), release, year: v.nullable(id) };
const names = (most: number) => v.pipe(v.array(text(40)), v.maxLength(most));
const ffmpegFacts = v.object({
  builds: v.pipe(
    v.array(
      v.object({
        ...aged,
        from: v.picklist(['configured', 'system', 'tools', 'bundled']),
        encoders: names(30),
        decodes: v.object({ hevc: v.boolean(), av1: v.boolean() }),
        tenBit: v.boolean(),
        lacks: names(10),
        ffprobe: v.nullable(v.object({ ...aged, beside: v.boolean() })),
        problem: v.nullable(text(500)),
      }),
    ),
    v.maxLength(12),
  ),
  /** which of them it uses */
  used: v.nullable(id),
  /** a person lets it use one with a serious hole */
  allowed: v.boolean(),
});
const rootReport = v.object({
  root: uuid,
  path: text(8192),
  writable: v.boolean(),
  problem: v.nullable(text(64)),
  /** on its disk; not said by a node of the version before, nor of a disk that does not tell */
  freeBytes: v.optional(bytes),
});

const wishes = v.object({
  paused: v.boolean(),
  draining: v.boolean(),
  slots: v.nullable(id),
  schedule: v.pipe(
    v.array(v.object({ days: v.pipe(v.array(v.pipe(id, v.maxValue(6))), v.maxLength(7)), from: text(5), to: text(5) })),
    v.maxLength(20),
  ),
  mbps: v.nullable(id),
  /** made whole by `mannersOf` of core/manner-wishes.ts, which knows what is lawful in this version */
  manners: v.optional(v.record(text(40), v.nullable(v.union([text(40), v.number(), v.boolean()])))),
});
/** what a machine does out of consideration for its house, and what it feels of it (core/manners.ts) */
export const conduct = v.object({
  does: text(40),
  atOnce: v.nullable(id),
  reason: v.nullable(reason),
  onBattery: v.nullable(v.boolean()),
  batteryPercent: v.nullable(v.number()),
  celsius: v.nullable(v.number()),
  /** what it would do and cannot here, each a sentence */
  lacks: v.pipe(v.array(text(300)), v.maxLength(8)),
});

export const hello = {
  request: v.object({
    node: nodeId,
    session: uuid,
    name: text(63),
    version: text(40),
    speaks: v.optional(protocolRange),
    platform: text(60),
    slots: id,
    classes: v.array(id),
    encoders: understood(encoderReport, 60),
    hardware: data,
    /** a node of the version before does not say it */
    ffmpeg: v.fallback(v.optional(ffmpegFacts), undefined),
    roots: v.pipe(v.array(rootReport), v.maxLength(200)),
    attempts: v.pipe(v.array(id), v.maxLength(200)),
    /** it holds a connection to PostgreSQL, so it could coordinate */
    candidate: v.boolean(),
    freeBytes: bytes,
    /** what its unfinished and undelivered work holds on its disk */
    usedBytes: v.optional(bytes),
    /** attempts of which it has comparison frames; of very many, some each time */
    pictures: v.optional(v.pipe(v.array(id), v.maxLength(200))),
    /** folders that it was asked to watch, those that lie on its disks, and why some are not watched */
    watching: v.optional(
      v.pipe(v.array(v.object({ root: uuid, folder: relativePath, watching: v.boolean(), why: v.nullable(text(300)) })), v.maxLength(200)),
    ),
    /** milliseconds since 1970 by its clock, and how far that is from UTC in minutes */
    time: v.number(),
    utcOffset: v.number(),
    membersVersion: id,
    /** the highest certificate it knows: a database put back from a backup learns from it that terms went on */
    certificate: v.nullable(signed),
  }),
  response: v.object({
    term: id,
    coordinator: nodeId,
    certificate: v.nullable(signed),
    members: v.nullable(signed),
    wishes,
    /** every root of the cluster: a node looks for their markers on its own disks */
    roots: v.pipe(v.array(uuid), v.maxLength(500)),
    leaseSeconds: id,
    stallSeconds: v.number(),
    slots: id,
    minFreeBytes: bytes,
    /** attempts the node believes it runs, but must not any more */
    drop: v.array(id),
    /** folders of libraries to watch for changes, where they lie on a local disk */
    watch: v.optional(v.pipe(v.array(v.object({ root: uuid, folder: relativePath })), v.maxLength(200))),
    /** comparison frames of these attempts are of no use to anybody any more */
    dropPictures: v.optional(v.pipe(v.array(id), v.maxLength(200))),
  }),
} as const;
