import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import type { Reason } from '../core/reasons.ts';
import { PlainError, messageOf } from '../errors.ts';
import { fingerprint } from '../files/fingerprint.ts';
import { findProof, writeProof } from '../files/proof.ts';
import { resolveInRoot } from '../files/roots.ts';
import { walk, type Walked } from '../files/walk.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { probeFile } from '../ffmpeg/probe.ts';
import type { ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import { createLeftovers } from './leftovers.ts';
import { lookAt } from './look-at.ts';
import { createListings } from './listings.ts';
import { rootTrouble, type KeeperRoots } from './roots.ts';
import { createTrashLook } from './trash-look.ts';

type Ask = ProtocolRequest<'inspect'>;
type Answer = ProtocolResponse<'inspect'>;
type Listed = Extract<Answer, { op: 'listed' }>;

/** A page stays well under the size of a message, whatever the names are. */
const PAGE_FILES = 400;
const PAGE_BYTES = 100_000;
const PROBE_TIMEOUT_MS = 60_000;
export interface Inspector {
  answer(ask: Ask): Promise<Answer>;
  stop(): void;
}

/** Answers the coordinator's questions about files: what is there, what is in it. Reads only, except for adopting, proving and cleaning up. */
export function createInspector(parts: {
  roots: KeeperRoots;
  tools: Tools;
  onAdopted: () => Promise<void>;
  /** attempts that this keeper works on now */
  busy: () => ReadonlySet<number>;
}): Inspector {
  const listings = createListings<Extract<Ask, { op: 'list' }>, Walked, Listed>({
    begin: async ({ root, folder }, signal) => walk(await parts.roots.open(root), folder, { signal }),
    fill: nextPage,
  });
  const leftovers = createLeftovers(parts);
  const trash = createTrashLook(parts);
  const ending = new AbortController();
  return {
    async answer(ask) {
      try {
        switch (ask.op) {
          case 'adopt':
            return await adopt(ask.path, ask.root);
          case 'list':
            return await listings.page(ask);
          case 'end-list':
            listings.end(ask.scan);
            leftovers.end(ask.scan);
            trash.end(ask.scan);
            return { op: 'ended' };
          case 'leftovers':
            return await leftovers.page(ask);
          case 'delete-leftovers':
            return await leftovers.delete(ask);
          case 'look-trash':
            return await leftovers.lookInTrash(ask);
          case 'list-trash':
            return await trash.page(ask);
          case 'find-trash':
            return await trash.find(ask);
          case 'look-at':
            return { op: 'looked', sizes: await lookAt(await parts.roots.open(ask.root), ask.paths) };
          case 'probe':
            return await probe(ask.root, ask.path);
          case 'prove-write':
            await writeProof(await parts.roots.open(ask.root), ask.nonce);
            return { op: 'proved', found: true };
          case 'prove-read':
            return { op: 'proved', found: await findProof(await parts.roots.open(ask.root), ask.nonce, { signal: ending.signal }) };
        }
      } catch (error) {
        if (ask.op === 'adopt') throw error;
        // what breaks off because this program ends says nothing about the file
        if (ending.signal.aborted) throw new PlainError('This machine stops.', { retry: true, cause: error });
        const why = ask.op === 'probe' ? await rootTrouble(parts.roots, ask.root, error) : error;
        return { op: 'refused', reason: bounded(why) };
      }
    },
    stop() {
      ending.abort();
      listings.stop();
      leftovers.stop();
      trash.stop();
    },
  };

  async function adopt(folder: string, only: string | null): Promise<Answer> {
    if (!path.isAbsolute(folder))
      throw new PlainError(`"${folder}" is not a full path. Give the whole path of the folder, from the start.`);
    const adopted = await parts.roots.adopt(folder, only);
    await parts.onAdopted();
    const root = await parts.roots.open(adopted.rootId);
    return { op: 'adopted', root: adopted.rootId, folder: adopted.folder, path: adopted.rootPath, writable: root.writable };
  }

  async function probe(rootId: string, relativePath: string): Promise<Answer> {
    const root = await parts.roots.open(rootId);
    const file = await resolveInRoot(root, relativePath);
    const before = await fingerprint(file);
    if (before.sizeBytes === 0) throw new PlainError(`${relativePath} is empty.`, { reason: { code: 'empty-file' } });
    const said = await probeFile({ tools: parts.tools, path: file, timeoutMs: PROBE_TIMEOUT_MS, signal: ending.signal });
    const writable = root.writable && (await mayWrite(path.dirname(file)));
    // a disk that went away just now looks read-only, and the film would be left alone for ever
    if (!writable) await parts.roots.open(rootId);
    return { op: 'probed', fingerprint: before, probe: said as unknown as Record<string, unknown>, readOnly: !writable };
  }
}

async function nextPage(next: () => Promise<Walked | 'end' | 'later'>): Promise<Listed> {
  const answer: Listed = { op: 'listed', files: [], problems: [], last: false };
  let bytes = 0;
  while (answer.files.length + answer.problems.length < PAGE_FILES && bytes < PAGE_BYTES) {
    const found = await next();
    if (found === 'later') break;
    if (found === 'end') return { ...answer, last: true };
    const { kind, ...entry } = found;
    bytes += Buffer.byteLength(JSON.stringify(entry));
    if (kind === 'file') answer.files.push(entry as Listed['files'][number]);
    else answer.problems.push(entry as Listed['problems'][number]);
  }
  return answer;
}

async function mayWrite(directory: string): Promise<boolean> {
  return access(directory, constants.W_OK).then(
    () => true,
    () => false,
  );
}

function bounded(error: unknown): { code: string; params?: Record<string, string | number> } {
  const reason: Reason = (error instanceof PlainError ? error.reason : null) ?? {
    code: 'unreadable',
    params: { message: messageOf(error) },
  };
  const params = Object.fromEntries(
    Object.entries(reason.params ?? {}).map(([key, value]) => [key, typeof value === 'string' ? value.slice(0, 1000) : value]),
  );
  return { code: reason.code, params };
}
