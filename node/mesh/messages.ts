import * as v from 'valibot';

/**
 * Every message that crosses the mesh: its shape, its bounds. Nothing is trusted that did not pass these schemas,
 * and nothing here can carry an ffmpeg argument or a path that the receiver did not offer itself: files are named by
 * root id and relative path, encodes by a plan.
 *
 *   hello    node → coordinator          who I am, what I can, where I have which root
 *   claim    worker → coordinator        I have a free slot; granted {job, attempt, lease, plan} or nothing
 *   report   worker, keeper → coordinator  what became of an attempt; repeated until acknowledged
 *   inspect  coordinator → keeper        list a root, probe a file, adopt a folder
 *   grant    coordinator → keeper        verify this output, replace that original, restore, discard, expire
 *   control  coordinator → worker        cancel, pause, resume an attempt; forget its output; detect encoders again
 *
 * Topics carry hints only: presence, offers, progress, coordinator.
 */

/** Requests and answers may hold a probe of a file with hundreds of streams. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
export const MAX_TOPIC_BYTES = 64 * 1024;

const id = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const bytes = id;
const nodeId = v.pipe(v.string(), v.minLength(1), v.maxLength(128), v.regex(/^[\w.-]+$/));
const uuid = v.pipe(v.string(), v.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/));
const hex64 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const text = (max: number) => v.pipe(v.string(), v.maxLength(max));
/** relative, '/' separated, no way up and out; what the disk really holds is checked again by `files/roots.ts` */
const relativePath = v.pipe(
  v.string(),
  v.maxLength(8192),
  v.check((p) => !p.startsWith('/') && !p.includes('\0') && !p.split('/').some((s) => s === '..' || s === '.'), 'not a relative path'),
);
const reason = v.object({
  code: v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,63}$/)),
  params: v.optional(v.record(text(64), v.union([text(4000), v.number()]))),
});
const fingerprint = v.object({ sizeBytes: bytes, mtimeMs: v.number(), inode: text(40), links: id, hash: hex64 });
/** Plain data whose inner shape the receiving room owns; bounded by the message size. */
const data = v.looseObject({});

const encoderReport = v.object({
  name: text(40),
  device: v.nullable(text(200)),
  works: v.boolean(),
  tenBit: v.boolean(),
  hardware: v.boolean(),
  reason: v.nullable(text(2000)),
  testedAt: text(40),
});
const rootReport = v.object({ root: uuid, path: text(8192), writable: v.boolean(), problem: v.nullable(text(64)) });

const grantedJob = v.object({
  term: id,
  job: id,
  attempt: id,
  leaseSeconds: id,
  keeper: nodeId,
  root: uuid,
  path: relativePath,
  title: text(500),
  fingerprint,
  probe: data,
  plan: data,
  profile: data,
});

const listed = v.object({
  path: relativePath,
  sizeBytes: bytes,
  mtimeMs: v.number(),
  inode: text(40),
  links: id,
  changedAgoMs: v.number(),
});
const listProblem = v.object({ path: text(8192), sizeBytes: bytes, reason });

const output = v.object({ node: nodeId, sizeBytes: bytes, sha256: hex64, frames: v.nullable(id) });
const delivered = { job: id, attempt: id };

export const protocols = {
  hello: {
    request: v.object({
      node: nodeId,
      session: uuid,
      name: text(63),
      version: text(40),
      platform: text(60),
      slots: id,
      classes: v.array(id),
      encoders: v.pipe(v.array(encoderReport), v.maxLength(60)),
      hardware: data,
      roots: v.pipe(v.array(rootReport), v.maxLength(200)),
      attempts: v.pipe(v.array(id), v.maxLength(200)),
    }),
    response: v.object({
      term: id,
      coordinator: nodeId,
      leaseSeconds: id,
      stallSeconds: v.number(),
      slots: id,
      minFreeBytes: bytes,
      /** attempts the node believes it runs, but must not any more */
      drop: v.array(id),
    }),
  },
  claim: {
    request: v.object({ node: nodeId, session: uuid, classes: v.array(id), freeSlots: id, freeBytes: bytes }),
    response: v.object({ granted: v.nullable(grantedJob), why: v.nullable(reason) }),
  },
  report: {
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
        command: v.nullable(v.array(text(4000))),
        stderrTail: text(32768),
      }),
      v.object({ event: v.literal('cancelled'), ...delivered }),
      v.object({ event: v.literal('released'), ...delivered, reason }),
      v.object({ event: v.literal('verified'), ...delivered, verdict: data, outputProbe: v.nullable(data), outputBytes: bytes }),
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
    ]),
    response: v.object({ accepted: v.boolean(), why: v.nullable(text(500)) }),
  },
  inspect: {
    request: v.variant('op', [
      v.object({ op: v.literal('adopt'), path: text(8192) }),
      v.object({ op: v.literal('list'), root: uuid, folder: relativePath, scan: text(64), page: id }),
      v.object({ op: v.literal('end-list'), scan: text(64) }),
      v.object({ op: v.literal('probe'), root: uuid, path: relativePath }),
    ]),
    response: v.variant('op', [
      v.object({ op: v.literal('adopted'), root: uuid, folder: relativePath, path: text(8192), writable: v.boolean() }),
      v.object({ op: v.literal('listed'), files: v.array(listed), problems: v.array(listProblem), last: v.boolean() }),
      v.object({ op: v.literal('ended') }),
      v.object({ op: v.literal('probed'), fingerprint, probe: data, readOnly: v.boolean() }),
      v.object({ op: v.literal('refused'), reason }),
    ]),
  },
  grant: {
    request: v.variant('op', [
      v.object({
        op: v.literal('verify'),
        term: id,
        job: id,
        attempt: id,
        root: uuid,
        path: relativePath,
        fingerprint,
        probe: data,
        plan: data,
        profile: data,
        output,
        timeoutSeconds: id,
      }),
      v.object({
        op: v.literal('replace'),
        term: id,
        job: id,
        attempt: id,
        root: uuid,
        path: relativePath,
        target: relativePath,
        fingerprint,
        sha256: hex64,
        hardLinked: v.picklist(['skip', 'replace']),
      }),
      v.object({ op: v.literal('discard'), term: id, job: id, attempt: id, root: uuid, path: relativePath }),
      v.object({
        op: v.literal('restore'),
        term: id,
        job: id,
        attempt: id,
        root: uuid,
        path: relativePath,
        trashPath: relativePath,
        current: relativePath,
        fingerprint,
      }),
      v.object({ op: v.literal('expire'), term: id, job: id, attempt: id, root: uuid, trashPath: relativePath, fingerprint }),
    ]),
    response: v.object({ accepted: v.boolean(), why: v.nullable(text(500)) }),
  },
  control: {
    request: v.object({ term: id, attempt: id, want: v.picklist(['cancel', 'pause', 'resume', 'forget', 'detect']) }),
    response: v.object({ accepted: v.boolean() }),
  },
} as const;

export const topics = {
  presence: v.object({ node: nodeId, name: text(63), slots: id, busy: id, freeBytes: bytes, load: v.number(), at: v.number() }),
  offers: v.object({ term: id, classes: v.array(id) }),
  progress: v.object({
    node: nodeId,
    job: id,
    attempt: id,
    phase: v.picklist(['fetching', 'encoding', 'delivering', 'verifying', 'replacing']),
    percent: v.pipe(v.number(), v.minValue(0), v.maxValue(100)),
    fps: v.nullable(v.number()),
    speed: v.nullable(v.number()),
    leftMs: v.nullable(v.number()),
    outputBytes: v.nullable(bytes),
    expectedBytes: v.nullable(bytes),
    paused: v.boolean(),
    /** known once the encode has begun; null while fetching and for a copy */
    encoder: v.nullable(text(40)),
  }),
  coordinator: v.object({ node: nodeId, term: id, url: text(300) }),
} as const;

export type Protocol = keyof typeof protocols;
export type Topic = keyof typeof topics;
export type ProtocolRequest<P extends Protocol> = v.InferOutput<(typeof protocols)[P]['request']>;
export type ProtocolResponse<P extends Protocol> = v.InferOutput<(typeof protocols)[P]['response']>;
export type TopicMessage<T extends Topic> = v.InferOutput<(typeof topics)[T]>;
export type GrantedJob = v.InferOutput<typeof grantedJob>;
export type EncoderReport = v.InferOutput<typeof encoderReport>;
export type ListedFile = v.InferOutput<typeof listed>;
