import type { ClusterSettings } from '../config/schema.ts';
import { isJpeg, type Side } from '../core/pictures.ts';
import type { Database } from '../db/connect.ts';
import { duePictures, forgetPictures, readPictures, type PicturesOf } from '../db/pictures.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';

export interface PictureKeeping {
  /** One frame, as its node has it. @throws PlainError when there is none, or its node does not answer */
  read(wish: { jobId: number; attemptId: number; number: number; side: Side }): Promise<Uint8Array>;
  /** Frames that nobody needs any more go from their nodes; those of a node that is away wait for it. */
  forgetOld(): Promise<void>;
}

const PATIENCE_MS = 10_000;

/** The frames to compare lie on the node that took them; the books say where. */
export function createPictureKeeping(parts: {
  mesh: Mesh;
  db: Database;
  term: number;
  settings: () => ClusterSettings;
  reachable: () => string[];
  log: Log;
}): PictureKeeping {
  const { mesh, db, term, log } = parts;
  return {
    async read({ jobId, attemptId, number, side }) {
      const found = await readPictures(db, { jobId, attemptId });
      if (!found || number > found.pairs) throw new PlainError('There is no such picture any more.');
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const answer = await mesh.request(found.nodeId, 'pictures', { op: 'read', term, attempt: attemptId, number, side }, { signal });
      const jpeg = answer.op === 'picture' ? Buffer.from(answer.jpeg, 'base64') : null;
      if (jpeg && isJpeg(jpeg)) return jpeg;
      throw new PlainError(answer.op === 'none' ? answer.why : 'What its machine sent is not a picture.');
    },
    async forgetOld() {
      const keepSeconds = Math.round(parts.settings()['trash.keepDays'] * 86_400);
      const nodes = parts.reachable();
      const due = Map.groupBy(await duePictures(db, keepSeconds, nodes), (pictures) => pictures.nodeId);
      for (const [node, pictures] of due)
        if (!nodes.includes(node) || (await told(node, pictures))) await forgetPictures(db, idsOf(pictures));
    },
  };

  async function told(node: string, pictures: PicturesOf[]): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      return (await mesh.request(node, 'pictures', { op: 'forget', term, attempts: idsOf(pictures) }, { signal })).op === 'forgotten';
    } catch (error) {
      log.debug({ node, why: messageOf(error) }, 'a node could not be told that its pictures are not needed');
      return false;
    }
  }
}

function idsOf(pictures: PicturesOf[]): number[] {
  return pictures.map(({ attemptId }) => attemptId);
}
