import * as v from 'valibot';
import { logLevels } from '../core/log-levels.ts';
import { MAX_COLUMNS, MAX_PAIRS, MAX_PICTURE_BYTES, sides } from '../core/pictures.ts';
import { claim, report, type grantedJob } from './attempt-messages.ts';
import { grant } from './grant-messages.ts';
import { conduct, hello, type encoderReport } from './hello-messages.ts';
import { inspect, type leftover, type listed, type trashed } from './inspect-messages.ts';
import { join, meet, type joinAnswer, type joinRequest, type meeting } from './meet-messages.ts';
import { base64, bytes, id, nodeId, reason, relativePath, signed, text, uuid } from './message-fields.ts';
import { sample } from './sample-messages.ts';

/**
 * Every message that crosses the mesh: its shape, its bounds. Nothing is trusted that did not pass these schemas,
 * and nothing here can carry an ffmpeg argument or a path that the receiver did not offer itself: files are named by
 * root id and relative path, encodes by a plan.
 *
 *   hello    node → coordinator          who I am, what I can, where I have which root
 *   claim    worker → coordinator        I have a free slot; granted {job, attempt, lease, plan} or nothing
 *   report   worker, keeper → coordinator  what became of an attempt; repeated until acknowledged
 *   inspect  coordinator → keeper        list a root, probe a file, adopt a folder; list and delete what was left lying about
 *   grant    coordinator → keeper        verify this output, replace that original, restore, discard, expire, compare once more
 *   control  coordinator → worker        cancel, pause, resume an attempt; forget its output; detect encoders again
 *   meet     node ↔ node                 on every new connection: which cluster, the newest list and certificate, other nodes
 *   join     node → coordinator          a stranger asked at this node's lobby
 *   bulk     reader → holder             a ticket for one file becomes a key for the data plane (mesh/bulk-server.ts)
 *   changed  keeper → coordinator        something changed in these folders of a root
 *   sample   coordinator → worker        encode short pieces of one film beside the queue; how far; stop
 *   pictures coordinator → keeper        one comparison frame for the page; frames that nobody needs any more
 *   log      coordinator → node          the newest lines of its log, without secrets, for an admin at the page
 *
 * Topics carry hints only: presence, offers, progress, coordinator, members.
 *
 * A newer node may say more than these schemas know (core/compatibility.ts). Fields that are not known are left out while
 * reading, never refused, so no schema here is a strict one. A word that is not known in a list of words is refused where it is an
 * order, and where it only describes something it is read as the harmless one, or the entry is left out, because a hello
 * or a progress that is refused whole costs a machine its work. A kind of message that is not known gets a sentence
 * (`decode` in encoding.ts). A field that was once said by a released version stays optional for ever.
 */

/** Requests and answers may hold a probe of a file with hundreds of streams. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
export const MAX_TOPIC_BYTES = 64 * 1024;

export const protocols = {
  hello,
  claim,
  report,
  inspect,
  grant,
  control: {
    request: v.object({ term: id, attempt: id, want: v.picklist(['cancel', 'pause', 'resume', 'forget', 'detect']) }),
    response: v.object({ accepted: v.boolean() }),
  },
  pictures: {
    request: v.variant('op', [
      v.object({
        op: v.literal('read'),
        term: id,
        attempt: id,
        number: v.pipe(id, v.minValue(1), v.maxValue(MAX_PAIRS)),
        side: v.picklist(sides),
      }),
      v.object({ op: v.literal('forget'), term: id, attempts: v.pipe(v.array(v.pipe(id, v.minValue(1))), v.maxLength(100)) }),
    ]),
    response: v.variant('op', [
      v.object({ op: v.literal('picture'), jpeg: base64(MAX_PICTURE_BYTES) }),
      v.object({ op: v.literal('none'), why: text(500) }),
      v.object({ op: v.literal('forgotten') }),
    ]),
  },
  log: {
    request: v.object({
      term: id,
      level: v.picklist(logLevels),
      room: v.nullable(text(40)),
      words: text(200),
      limit: v.pipe(id, v.minValue(1), v.maxValue(200)),
    }),
    response: v.object({
      /** newest first */
      lines: v.pipe(
        v.array(v.object({ seq: id, time: text(40), level: text(20), room: text(40), msg: text(600), rest: text(1200) })),
        v.maxLength(200),
      ),
    }),
  },
  changed: {
    request: v.object({ node: nodeId, root: uuid, folders: v.pipe(v.array(relativePath), v.minLength(1), v.maxLength(100)) }),
    response: v.object({ heard: v.boolean() }),
  },
  sample,
  meet,
  join,
  bulk: {
    request: v.variant('op', [
      v.object({ op: v.literal('file'), ticket: signed }),
      /** the coordinator's dashboard, to be shown at this node's own address */
      v.object({ op: v.literal('dashboard') }),
    ]),
    response: v.variant('op', [
      v.object({
        op: v.literal('open'),
        port: id,
        identity: v.pipe(v.string(), v.regex(/^[\w-]{16,64}$/)),
        /** 32 random bytes, base64url: the TLS 1.3 pre-shared key of this one file and this one reader */
        key: v.pipe(v.string(), v.regex(/^[\w-]{43}$/)),
        sizeBytes: bytes,
        seconds: id,
      }),
      v.object({ op: v.literal('refused'), reason, retry: v.boolean() }),
    ]),
  },
} as const;

/** The node that a message speaks of as `node` is the one that sent it: the mesh refuses anything else. */
export const topics = {
  presence: v.object({
    ...{ node: nodeId, name: text(63), slots: id, busy: id, freeBytes: bytes, load: v.number(), at: v.number() },
    conduct: v.optional(conduct),
  }),
  offers: v.object({ term: id, classes: v.array(id) }),
  progress: v.object({
    node: nodeId,
    job: id,
    attempt: id,
    // a progress that is not understood would let its lease end
    phase: v.fallback(v.picklist(['fetching', 'waiting', 'encoding', 'delivering', 'verifying', 'replacing']), 'encoding'),
    percent: v.pipe(v.number(), v.minValue(0), v.maxValue(100)),
    fps: v.nullable(v.number()),
    speed: v.nullable(v.number()),
    leftMs: v.nullable(v.number()),
    outputBytes: v.nullable(bytes),
    expectedBytes: v.nullable(bytes),
    paused: v.boolean(),
    /** why it stands still, when no person paused it */
    why: v.optional(v.nullable(reason)),
    /** known once the encode has begun; null while fetching and for a copy */
    encoder: v.nullable(text(40)),
    /** no encode yet: pieces of the film are tried until its setting is found */
    searching: v.optional(v.boolean()),
    /** the film's colours from beginning to end, three bytes for each column; now and then, because it may get lost */
    barcode: v.optional(base64(3 * MAX_COLUMNS)),
  }),
  /** `revision` grows when nodes should say hello now, because something was decided about them */
  coordinator: v.object({ node: nodeId, term: id, certificate: v.nullable(signed), revision: id }),
  members: signed,
} as const;

export type Protocol = keyof typeof protocols;
export type Topic = keyof typeof topics;
export type ProtocolRequest<P extends Protocol> = v.InferOutput<(typeof protocols)[P]['request']>;
export type ProtocolResponse<P extends Protocol> = v.InferOutput<(typeof protocols)[P]['response']>;
export type TopicMessage<T extends Topic> = v.InferOutput<(typeof topics)[T]>;
/** One kind of question to a keeper, and one kind of answer. */
export type InspectAsk<O extends ProtocolRequest<'inspect'>['op']> = Extract<ProtocolRequest<'inspect'>, { op: O }>;
export type InspectAnswer<O extends ProtocolResponse<'inspect'>['op']> = Extract<ProtocolResponse<'inspect'>, { op: O }>;
export type ConductReport = v.InferOutput<typeof conduct>;
export type GrantedJob = v.InferOutput<typeof grantedJob>;
export type EncoderReport = v.InferOutput<typeof encoderReport>;
export type JoinRequest = v.InferOutput<typeof joinRequest>;
export type JoinAnswer = v.InferOutput<typeof joinAnswer>;
export type Meeting = v.InferOutput<typeof meeting>;
export type FoundLeftover = v.InferOutput<typeof leftover>;
export type FoundInTrash = v.InferOutput<typeof trashed>;
export type ListedFile = v.InferOutput<typeof listed>;
