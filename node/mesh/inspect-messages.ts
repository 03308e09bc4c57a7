import * as v from 'valibot';
import { bytes, data, fingerprint, hex64, id, nodeId, reason, relativePath, text, uuid } from './message-fields.ts';

/**
 * `inspect`: what the coordinator asks a keeper of its disks. It is answered at once, and nothing in it touches a film:
 * the only files that go are leftovers, each named with all that was seen of it, so that another one in its place stays.
 */

export const listed = v.object({
  path: relativePath,
  sizeBytes: bytes,
  mtimeMs: v.number(),
  inode: text(40),
  links: id,
  changedAgoMs: v.number(),
});
/** a `.lock` or `.tmp_…` file that lies in a library, and what a keeper can prove about it */
export const leftover = v.object({
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
export const trashed = v.object({
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

export const inspect = {
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
} as const;
