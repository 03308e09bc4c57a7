import type { Reason } from '../core/reasons.ts';
import { addActivity } from '../db/activity.ts';
import type { Database } from '../db/connect.ts';
import { countSourceLibrary, listSourceLibraries, offerLibraries, type SourceLibraryRow } from '../db/source-libraries.ts';
import { changeSource, setSourceHealth, sourceCredential, type Source as SourceRow } from '../db/sources.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Source, SourceLibrary } from '../sources/source.ts';
import type { Links } from './source-links.ts';

/**
 * Is a source who it was, does it take our sign-in, and what does it offer? The answer is kept with the source; that it
 * changed is told once.
 */
export interface Health {
  /** resolves with the adapter, or null with the problem written down. Never rejects for what a source does */
  check(row: SourceRow, signal: AbortSignal): Promise<Source | null>;
}

export interface HealthParts {
  db: Database;
  links: Links;
  events: Events;
  log: Log;
  /** a library whose mark is another than at its last listing, or that was never listed */
  onChanged: (row: SourceRow, library: SourceLibraryRow) => void;
  now?: () => number;
}

export function createHealth(parts: HealthParts): Health {
  const { db, links, events, log } = parts;
  const now = parts.now ?? Date.now;
  return { check };

  async function check(row: SourceRow, signal: AbortSignal): Promise<Source | null> {
    try {
      await renew(row, signal);
      const source = await links.open(row);
      const offered = await ask(row, source, signal);
      if (await offerLibraries(db, row.id, offered)) events.emit('source.changed', { sourceId: row.id });
      await count(row, source, offered, signal);
      await links.keepLearnt(row, source);
      await say(row, null);
      return source;
    } catch (error) {
      if (signal.aborted && !(signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError')) throw error;
      links.drop(row.id);
      await say(row, problemOf(row, error));
      if (reasonCode(error) === 'source-away') await tryOtherAddress(row, signal);
      return null;
    }
  }

  async function ask(row: SourceRow, source: Source, signal: AbortSignal): Promise<SourceLibrary[]> {
    const who = await source.identify(signal);
    if (who.id !== row.identity)
      throw new PlainError(`Another server answers at the address of ${row.name}; it was told nothing.`, {
        reason: { code: 'source-is-another', params: { source: row.name } },
      });
    if (who.version !== row.version) await changeSource(db, row.id, { version: who.version });
    return source.listLibraries(signal);
  }

  /** Cheap: one number a library, and only where no listing counted it. */
  async function count(row: SourceRow, source: Source, offered: SourceLibrary[], signal: AbortSignal): Promise<void> {
    for (const library of await listSourceLibraries(db, row.id)) {
      const said = offered.find(({ key }) => key === library.key);
      if (!said) continue;
      if (library.listedAt === null || (said.changeMark !== null && said.changeMark !== library.changeMark)) parts.onChanged(row, library);
      if (library.listedAt !== null || library.items !== null) continue;
      const items = await source.countItems(library.key, signal);
      if (items !== null) await countSourceLibrary(db, library.id, items);
    }
  }

  async function say(row: SourceRow, problem: Reason | null): Promise<void> {
    const kind = problem ? 'source-problem' : 'source-recovered';
    const isNews = await db.tx(async (q) => {
      if (!(await setSourceHealth(q, row.id, problem))) return false;
      const params = { source: row.name, ...(problem ? { reason: problem } : {}) };
      await addActivity(q, { kind, severity: problem ? 1 : 0, params });
      return true;
    });
    if (!isNews) return;
    if (problem) log.warn({ source: row.name, why: problem.code }, 'a media server cannot be used at present');
    events.emit('activity.added', { kind, severity: problem ? 1 : 0 });
    events.emit('source.changed', { sourceId: row.id });
  }

  /** A sign-in that ends by itself is renewed at half its life; what comes of it reaches this server only, as before. */
  async function renew(row: SourceRow, signal: AbortSignal): Promise<void> {
    if (row.kind !== 'plex' || !row.signedIn) return;
    const sealed = await sourceCredential(db, row.id);
    const { account } = await links.credential(row);
    if (!account || account.expiresAt === null || account.expiresAt - now() > HALF_LIFE_MS) return;
    try {
      const renewed = await links.plex.renew(account, signal);
      const server = (await links.plex.servers(renewed.token, signal)).find(({ id }) => id === row.identity);
      const token = server?.accessToken ?? (await links.credential(row)).token;
      const credential = await links.seal(row.kind, row.identity, { token, account: renewed });
      await changeSource(db, row.id, { credential }, { credential: sealed });
    } catch (error) {
      // the old one may be good for days yet; the server itself says when it is not
      log.info({ source: row.name, why: messageOf(error) }, 'a sign-in could not be renewed yet');
    }
  }

  /** plex.tv offered several ways to this server: another network may be the one that works now. */
  async function tryOtherAddress(row: SourceRow, signal: AbortSignal): Promise<void> {
    for (const url of row.connections) {
      if (url === row.url || signal.aborted) continue;
      const draft = links.draft({ kind: row.kind, name: row.name, url, credential: '', identity: row.identity });
      const who = await draft.identify(signal).catch(() => null);
      if (who?.id !== row.identity) continue;
      if (!(await changeSource(db, row.id, { url }, { url: row.url }))) return;
      log.info({ source: row.name }, 'a media server is reached by another of its addresses now');
      events.emit('source.changed', { sourceId: row.id });
      return;
    }
  }
}

const HALF_LIFE_MS = 3.5 * 86_400_000;

export function problemOf(row: { name: string }, error: unknown): Reason {
  if (error instanceof PlainError && error.reason) return { ...error.reason, params: { source: row.name, ...error.reason.params } };
  return { code: 'source-away', params: { source: row.name, message: messageOf(error).slice(0, 300) } };
}

function reasonCode(error: unknown): string | null {
  return error instanceof PlainError ? (error.reason?.code ?? null) : null;
}
