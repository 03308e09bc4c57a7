import * as v from 'valibot';
import { acceptance, bytes, data, fingerprint, hex64, id, output, relativePath, signed, uuid } from './message-fields.ts';

/**
 * `grant`: the orders by which a keeper may touch a film, or has to judge one. Each names the term of the coordinator that
 * gives it and the attempt it is about. It is accepted at once; what became of it comes as a `report`, where there is
 * anything to tell.
 */

const about = { term: id, job: id, attempt: id, root: uuid };
const restoration = { ...about, path: relativePath, trashPath: relativePath, current: relativePath, fingerprint };

export const grant = {
  request: v.variant('op', [
    v.object({
      op: v.literal('verify'),
      ...about,
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
      ...about,
      path: relativePath,
      target: relativePath,
      fingerprint,
      sha256: hex64,
      hardLinked: v.picklist(['skip', 'replace']),
    }),
    v.object({ op: v.literal('discard'), ...about, path: relativePath }),
    v.object({ op: v.literal('restore'), ...restoration }),
    /** a restore of what the books learned of from the trash: what stands in its place goes only if it is proved to be ours */
    v.object({ op: v.literal('put-back'), ...restoration }),
    v.object({ op: v.literal('expire'), ...about, trashPath: relativePath, fingerprint }),
    /** compares two files below one root and changes nothing: a second look before the swap, or once more after it */
    v.object({
      op: v.literal('recheck'),
      ...about,
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
  response: acceptance,
} as const;
