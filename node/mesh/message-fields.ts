import * as v from 'valibot';

/**
 * The words of which messages are made, each with its bounds: numbers, names, paths, what a film is. Whatever is said at the
 * mesh or at a lobby is spelled with these, so that each bound is set in one place.
 */

export const id = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const bytes = id;
export const nodeId = v.pipe(v.string(), v.minLength(1), v.maxLength(128), v.regex(/^[\w.-]+$/));
export const uuid = v.pipe(v.string(), v.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/));
export const hex64 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
export const text = (max: number) => v.pipe(v.string(), v.maxLength(max));
/** `max` bytes, as they are before the encoding */
export const base64 = (max: number) => v.pipe(v.string(), v.maxLength(Math.ceil(max / 3) * 4), v.regex(/^[A-Za-z0-9+/]*={0,2}$/));
/** relative, '/' separated, no way up and out; what the disk really holds is checked again by `files/roots.ts` */
export const relativePath = v.pipe(
  v.string(),
  v.maxLength(8192),
  v.check((p) => !p.startsWith('/') && !p.includes('\0') && !p.split('/').some((s) => s === '..' || s === '.'), 'not a relative path'),
);
export const reason = v.object({
  code: v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,63}$/)),
  params: v.optional(v.record(text(64), v.union([text(4000), v.number()]))),
});
export const fingerprint = v.object({ sizeBytes: bytes, mtimeMs: v.number(), inode: text(40), links: id, hash: hex64 });
/** Plain data whose inner shape the receiving room owns; bounded by the message size. */
export const data = v.looseObject({});

/** What the other one's program can speak; programs before this was said speak the first protocol. */
export const protocolRange = v.object({ min: v.pipe(id, v.maxValue(1e6)), max: v.pipe(id, v.maxValue(1e6)) });

/** The entries of a list that this version understands; those of a newer one are left out. At most `max`, whichever they are. */
export const understood = <S extends v.GenericSchema>(entry: S, max: number) =>
  v.pipe(
    v.array(v.unknown()),
    v.maxLength(max),
    v.transform((entries) => entries.map((one) => v.safeParse(entry, one)).flatMap((read) => (read.success ? [read.output] : []))),
  );

/** a statement of the cluster, and who can prove it: a list of members, a certificate, a ticket (signing.ts) */
export const signed = v.object({ payload: text(60_000), signature: text(200) });
/** encoders of a node that made bad copies and are not used for now; the device is '' where there is nothing to choose */
export const benched = v.pipe(v.array(v.object({ encoder: text(40), device: text(200) })), v.maxLength(60));
/** whether an order is carried out, and why not; what becomes of it is a report */
export const acceptance = v.object({ accepted: v.boolean(), why: v.nullable(text(500)) });
/** a finished encode, as its worker made it */
export const output = v.object({ node: nodeId, sizeBytes: bytes, sha256: hex64, frames: v.nullable(id) });
