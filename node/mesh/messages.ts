import * as v from 'valibot';
import { PIECE_MS, PIECES_PER_FILM } from '../core/film-sample.ts';
import { logLevels } from '../core/log-levels.ts';
import { MAX_COLUMNS, MAX_PAIRS, MAX_PICTURE_BYTES, sides } from '../core/pictures.ts';

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

const id = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const bytes = id;
const nodeId = v.pipe(v.string(), v.minLength(1), v.maxLength(128), v.regex(/^[\w.-]+$/));
const uuid = v.pipe(v.string(), v.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/));
const hex64 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const text = (max: number) => v.pipe(v.string(), v.maxLength(max));
/** `max` bytes, as they are before the encoding */
const base64 = (max: number) => v.pipe(v.string(), v.maxLength(Math.ceil(max / 3) * 4), v.regex(/^[A-Za-z0-9+/]*={0,2}$/));
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

/** What the other one's program can speak; programs before this was said speak the first protocol. */
const protocolRange = v.object({ min: v.pipe(id, v.maxValue(1e6)), max: v.pipe(id, v.maxValue(1e6)) });

/** The entries of a list that this version understands; those of a newer one are left out. At most `max`, whichever they are. */
const understood = <S extends v.GenericSchema>(entry: S, max: number) =>
  v.pipe(
    v.array(v.unknown()),
    v.maxLength(max),
    v.transform((entries) => entries.map((one) => v.safeParse(entry, one)).flatMap((read) => (read.success ? [read.output] : []))),
  );

const encoderReport = v.object({
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
const encoderRef = v.object({ name: text(40), device: v.nullable(text(200)) });
const rootReport = v.object({
  root: uuid,
  path: text(8192),
  writable: v.boolean(),
  problem: v.nullable(text(64)),
  /** on its disk; not said by a node of the version before, nor of a disk that does not tell */
  freeBytes: v.optional(bytes),
});

const signed = v.object({ payload: text(60_000), signature: text(200) });

const finding = v.object({
  encoder: text(40),
  device: v.nullable(text(200)),
  metric: v.picklist(['vmaf', 'ssim']),
  quality: v.pipe(v.number(), v.minValue(0), v.maxValue(63)),
  score: v.number(),
  runs: id,
});

const grantedJob = v.object({
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
  /** encoders of this node that made bad copies and are not used for now; the device is '' where there is nothing to choose */
  benched: v.optional(v.pipe(v.array(v.object({ encoder: text(40), device: text(200) })), v.maxLength(60))),
  /** encoders of this node that failed with this very job, once for each time: others are tried first */
  failed: v.optional(v.pipe(v.array(encoderRef), v.maxLength(50))),
});

const listed = v.object({
  path: relativePath,
  sizeBytes: bytes,
  mtimeMs: v.number(),
  inode: text(40),
  links: id,
  changedAgoMs: v.number(),
});
/** a `.lock` or `.tmp_…` file that lies in a library, and what a keeper can prove about it */
const leftover = v.object({
  path: relativePath,
  sizeBytes: bytes,
  mtimeMs: v.number(),
  inode: text(40),
  attempt: v.nullable(id),
  node: v.nullable(text(128)),
  // what a newer keeper found otherwise is a stranger's file, about which a person is asked
  evidence: v.fallback(v.picklist(['swap', 'output', 'lock', 'strange-lock', 'strange-tmp']), 'strange-tmp'),
  busy: v.boolean(),
});
const inTrash = v.object({ id, trashPath: relativePath });
/** a file in a trash that the books do not know, and what the note beside it says, where the file bears it out */
const trashed = v.object({
  trashPath: relativePath,
  sizeBytes: bytes,
  mtimeMs: v.number(),
  note: v.nullable(
    v.object({
      path: relativePath,
      attempt: id,
      kind: v.picklist(['original', 'output']),
      since: text(40),
      fingerprint,
      replacedBy: v.nullable(v.object({ path: relativePath, sizeBytes: bytes, hash: hex64 })),
      node: v.nullable(nodeId),
      inPlace: v.boolean(),
    }),
  ),
  why: text(500),
});
const listProblem = v.object({ path: text(8192), sizeBytes: bytes, reason });

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
const conduct = v.object({
  does: text(40),
  atOnce: v.nullable(id),
  reason: v.nullable(reason),
  onBattery: v.nullable(v.boolean()),
  batteryPercent: v.nullable(v.number()),
  celsius: v.nullable(v.number()),
  /** what it would do and cannot here, each a sentence */
  lacks: v.pipe(v.array(text(300)), v.maxLength(8)),
});
const addresses = v.pipe(v.array(text(300)), v.maxLength(30));
const peers = v.pipe(v.array(v.object({ node: nodeId, addresses })), v.maxLength(200));
const meeting = v.object({
  node: nodeId,
  name: text(63),
  version: text(40),
  speaks: v.optional(protocolRange),
  cluster: text(40),
  membersVersion: id,
  /** only when the other side's version, if known, is older */
  members: v.nullable(signed),
  certificate: v.nullable(signed),
  peers,
  /** milliseconds since 1970 by this node's clock */
  time: v.number(),
});

/** What a stranger says at the lobby, and what it is answered. */
export const joinRequest = v.object({
  node: nodeId,
  name: text(63),
  version: text(40),
  speaks: v.optional(protocolRange),
  platform: text(60),
  hardware: data,
  /** SHA-256 of `reveal`; sent first, so that nobody can search for a node key that gives a wanted code */
  commit: hex64,
  /** sent once the cluster's nonce is known */
  reveal: v.nullable(text(100)),
  token: v.nullable(v.object({ id: uuid, proof: hex64 })),
});
export const joinAnswer = v.variant('state', [
  /** the request was written down; `nonce` goes into the code of both sides */
  v.object({ state: v.literal('pending'), cluster: text(40), name: text(63), publicKey: text(100), nonce: text(100) }),
  v.object({
    state: v.literal('approved'),
    cluster: text(40),
    name: text(63),
    publicKey: text(100),
    members: signed,
    certificate: v.nullable(signed),
    peers,
    /** HMAC of the token's secret over cluster key and node id: the cluster proves that it knows the token too */
    proof: v.nullable(hex64),
  }),
  v.object({ state: v.literal('refused'), cluster: text(40), name: text(63), why: text(500) }),
  /** this member cannot reach the coordinator now */
  v.object({ state: v.literal('away'), why: text(500) }),
]);

const output = v.object({ node: nodeId, sizeBytes: bytes, sha256: hex64, frames: v.nullable(id) });
const delivered = { job: id, attempt: id };

export const protocols = {
  hello: {
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
        v.pipe(
          v.array(v.object({ root: uuid, folder: relativePath, watching: v.boolean(), why: v.nullable(text(300)) })),
          v.maxLength(200),
        ),
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
  },
  claim: {
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
    response: v.object({ accepted: v.boolean(), why: v.nullable(text(500)) }),
  },
  inspect: {
    request: v.variant('op', [
      /** `root`: only if the folder belongs to that very root */
      v.object({ op: v.literal('adopt'), path: text(8192), root: v.nullable(uuid) }),
      /** is this the same disk that another node has, or a copy? one writes a nonce, the other has to find it */
      v.object({ op: v.literal('prove-write'), root: uuid, nonce: hex64 }),
      v.object({ op: v.literal('prove-read'), root: uuid, nonce: hex64 }),
      v.object({ op: v.literal('list'), root: uuid, folder: relativePath, scan: text(64), page: id }),
      v.object({ op: v.literal('end-list'), scan: text(64) }),
      v.object({ op: v.literal('probe'), root: uuid, path: relativePath }),
      /** are these files there, and of which size? */
      v.object({ op: v.literal('look-at'), root: uuid, paths: v.pipe(v.array(relativePath), v.maxLength(100)) }),
      /** ended by `end-list` with the same `scan` */
      v.object({ op: v.literal('leftovers'), root: uuid, scan: text(64), page: id }),
      v.object({
        op: v.literal('delete-leftovers'),
        term: id,
        root: uuid,
        files: v.pipe(
          v.array(v.object({ n: id, path: relativePath, sizeBytes: bytes, mtimeMs: v.number(), inode: text(40), attempt: v.nullable(id) })),
          v.maxLength(200),
        ),
        /** those of these files' attempts that are alive by the books */
        live: v.pipe(v.array(id), v.maxLength(200)),
        /** a person agreed to files that are not provably ours */
        asked: v.boolean(),
      }),
      v.object({ op: v.literal('look-trash'), root: uuid, originals: v.pipe(v.array(inTrash), v.maxLength(200)) }),
      /** what lies in the trash, whatever the books say; ended by `end-list` with the same `scan` */
      v.object({ op: v.literal('list-trash'), root: uuid, scan: text(64), page: id }),
      v.object({ op: v.literal('find-trash'), root: uuid, paths: v.pipe(v.array(relativePath), v.maxLength(50)) }),
    ]),
    response: v.variant('op', [
      v.object({ op: v.literal('adopted'), root: uuid, folder: relativePath, path: text(8192), writable: v.boolean() }),
      v.object({ op: v.literal('proved'), found: v.boolean() }),
      v.object({ op: v.literal('listed'), files: v.array(listed), problems: v.array(listProblem), last: v.boolean() }),
      v.object({ op: v.literal('ended') }),
      v.object({ op: v.literal('probed'), fingerprint, probe: data, readOnly: v.boolean() }),
      /** in the order of the question; null: no file of that name */
      v.object({ op: v.literal('looked'), sizes: v.pipe(v.array(v.nullable(bytes)), v.maxLength(100)) }),
      v.object({ op: v.literal('left'), found: v.pipe(v.array(leftover), v.maxLength(500)), looked: id, last: v.boolean() }),
      v.object({
        op: v.literal('cleaned'),
        deleted: v.pipe(v.array(id), v.maxLength(200)),
        gone: v.pipe(v.array(id), v.maxLength(200)),
        kept: v.pipe(v.array(v.object({ n: id, why: text(500) })), v.maxLength(200)),
      }),
      v.object({ op: v.literal('trash-seen'), there: v.pipe(v.array(id), v.maxLength(200)), gone: v.pipe(v.array(id), v.maxLength(200)) }),
      v.object({ op: v.literal('trash-listed'), paths: v.pipe(v.array(relativePath), v.maxLength(500)), last: v.boolean() }),
      v.object({ op: v.literal('trash-found'), found: v.pipe(v.array(trashed), v.maxLength(50)) }),
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
        /** lets this keeper read the output from its worker; null when they are one node */
        ticket: v.nullable(signed),
        /** five frames of both are wanted to look at; left out by nodes of the version before */
        pictures: v.optional(v.boolean()),
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
      /** a restore of what the books learned of from the trash: what stands in its place goes only if it is proved to be ours */
      v.object({
        op: v.literal('put-back'),
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
      /** compares two files below one root and changes nothing: a second look before the swap, or once more after it */
      v.object({
        op: v.literal('recheck'),
        term: id,
        job: id,
        attempt: id,
        root: uuid,
        original: v.object({ path: relativePath, sizeBytes: bytes, hash: hex64 }),
        /** `waiting`: beside its original under the name that an output has before its swap */
        output: v.object({ path: relativePath, waiting: v.boolean(), sizeBytes: bytes, sha256: hex64 }),
        probe: data,
        plan: data,
        profile: data,
        /** nobody waits for it: other checks go first */
        low: v.boolean(),
        timeoutSeconds: id,
      }),
    ]),
    response: v.object({ accepted: v.boolean(), why: v.nullable(text(500)) }),
  },
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
  sample: {
    request: v.variant('op', [
      v.object({
        op: v.literal('begin'),
        term: id,
        /** like an attempt's, and never one of those */
        sample: id,
        keeper: nodeId,
        /** lets this node read the film from the keeper; null when they are one node */
        ticket: v.nullable(signed),
        root: uuid,
        path: relativePath,
        fingerprint,
        probe: data,
        plan: data,
        profile: data,
        places: v.pipe(v.array(id), v.minLength(1), v.maxLength(8)),
        count: v.pipe(id, v.minValue(1), v.maxValue(PIECES_PER_FILM)),
        lengthMs: v.pipe(id, v.minValue(100), v.maxValue(2 * PIECE_MS)),
        benched: v.optional(v.pipe(v.array(v.object({ encoder: text(40), device: text(200) })), v.maxLength(60))),
      }),
      v.object({ op: v.literal('ask'), term: id, sample: id }),
      v.object({ op: v.literal('cancel'), term: id, sample: id }),
    ]),
    response: v.variant('state', [
      /** no slot is free, or nothing may begin there now */
      v.object({ state: v.literal('busy') }),
      v.object({ state: v.literal('running'), phase: v.fallback(v.picklist(['fetching', 'measuring']), 'measuring'), percent: v.number() }),
      v.object({
        state: v.literal('done'),
        encoder: text(40),
        device: v.nullable(text(200)),
        quality: v.pipe(v.number(), v.minValue(0), v.maxValue(63)),
        pieces: v.pipe(id, v.minValue(1), v.maxValue(PIECES_PER_FILM)),
        sourceBytes: v.pipe(bytes, v.minValue(1)),
        outputBytes: v.pipe(bytes, v.minValue(1)),
        filmMs: v.pipe(v.number(), v.minValue(1), v.maxValue(60_000)),
        pixelsPerSecond: v.pipe(v.number(), v.minValue(1), v.maxValue(1e12)),
      }),
      v.object({ state: v.literal('failed'), reason }),
      /** never heard of, or over for long */
      v.object({ state: v.literal('unknown') }),
    ]),
  },
  meet: { request: meeting, response: meeting },
  join: { request: v.object({ asked: joinRequest, address: text(100), lobby: nodeId }), response: joinAnswer },
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
export type ConductReport = v.InferOutput<typeof conduct>;
export type GrantedJob = v.InferOutput<typeof grantedJob>;
export type EncoderReport = v.InferOutput<typeof encoderReport>;
export type JoinRequest = v.InferOutput<typeof joinRequest>;
export type JoinAnswer = v.InferOutput<typeof joinAnswer>;
export type Meeting = v.InferOutput<typeof meeting>;
export type FoundLeftover = v.InferOutput<typeof leftover>;
export type FoundInTrash = v.InferOutput<typeof trashed>;
export type ListedFile = v.InferOutput<typeof listed>;
