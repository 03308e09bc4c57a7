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
import { rootTrouble, type KeeperRoots } from './roots.ts';

type Ask = ProtocolRequest<'inspect'>;
type Answer = ProtocolResponse<'inspect'>;
type Listed = Extract<Answer, { op: 'listed' }>;

/** A page stays well under the size of a message, whatever the names are. */
const PAGE_FILES = 400;
const PAGE_BYTES = 100_000;
const PROBE_TIMEOUT_MS = 60_000;
/** A listing that nobody continues is given up. */
const LISTING_IDLE_MS = 10 * 60_000;

interface Listing {
  walk: AsyncGenerator<Walked>;
  abort: AbortController;
  page: number;
  /** the page answered last, so that a repeated question gets the same answer */
  last: Listed | null;
  idle: NodeJS.Timeout;
}

export interface Inspector {
  answer(ask: Ask): Promise<Answer>;
  stop(): void;
}

/** Answers the coordinator's questions about files: what is there, what is in it. Reads only, except for adopting and proving. */
export function createInspector(parts: { roots: KeeperRoots; tools: Tools; onAdopted: () => Promise<void> }): Inspector {
  const listings = new Map<string, Listing>();
  const ending = new AbortController();
  return {
    async answer(ask) {
      try {
        switch (ask.op) {
          case 'adopt':
            return await adopt(ask.path, ask.root);
          case 'list':
            return await list(ask);
          case 'end-list':
            end(ask.scan);
            return { op: 'ended' };
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
        const why = ask.op === 'probe' ? await rootTrouble(parts.roots, ask.root, error) : error;
        return { op: 'refused', reason: bounded(why) };
      }
    },
    stop() {
      ending.abort();
      for (const scan of listings.keys()) end(scan);
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

  async function list(ask: Extract<Ask, { op: 'list' }>): Promise<Answer> {
    const listing = ask.page === 0 ? await begin(ask) : listings.get(ask.scan);
    if (!listing)
      throw new PlainError('This listing was given up; the scan starts again.', { reason: { code: 'interrupted' }, retry: true });
    if (listing.last && ask.page === listing.page - 1) return listing.last;
    if (ask.page !== listing.page)
      throw new PlainError('A page of the listing was skipped.', { reason: { code: 'interrupted' }, retry: true });
    listing.idle.refresh();
    const answer = await nextPage(listing);
    listing.page++;
    listing.last = answer;
    return answer;
  }

  async function begin(ask: Extract<Ask, { op: 'list' }>): Promise<Listing> {
    end(ask.scan);
    const root = await parts.roots.open(ask.root);
    const abort = new AbortController();
    const idle = setTimeout(() => end(ask.scan), LISTING_IDLE_MS).unref();
    const listing: Listing = { walk: walk(root, ask.folder, { signal: abort.signal }), abort, page: 0, last: null, idle };
    listings.set(ask.scan, listing);
    return listing;
  }

  function end(scan: string): void {
    const listing = listings.get(scan);
    if (!listing) return;
    listings.delete(scan);
    clearTimeout(listing.idle);
    listing.abort.abort();
    void listing.walk.return(undefined).catch(() => {});
  }

  async function probe(rootId: string, relativePath: string): Promise<Answer> {
    const root = await parts.roots.open(rootId);
    const file = await resolveInRoot(root, relativePath);
    const before = await fingerprint(file);
    if (before.sizeBytes === 0) throw new PlainError(`${relativePath} is empty.`, { reason: { code: 'empty-file' } });
    const said = await probeFile({ tools: parts.tools, path: file, timeoutMs: PROBE_TIMEOUT_MS });
    const writable = root.writable && (await mayWrite(path.dirname(file)));
    // a disk that went away just now looks read-only, and the film would be left alone for ever
    if (!writable) await parts.roots.open(rootId);
    return { op: 'probed', fingerprint: before, probe: said as unknown as Record<string, unknown>, readOnly: !writable };
  }
}

async function nextPage(listing: Listing): Promise<Listed> {
  const answer: Listed = { op: 'listed', files: [], problems: [], last: false };
  let bytes = 0;
  while (answer.files.length + answer.problems.length < PAGE_FILES && bytes < PAGE_BYTES) {
    const next = await listing.walk.next();
    if (next.done) return { ...answer, last: true };
    const { kind, ...entry } = next.value;
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
