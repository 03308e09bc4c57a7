import type { Database } from '../db/connect.ts';
import { changeSource, sourceCredential, type Source as SourceRow } from '../db/sources.ts';
import { PlainError } from '../errors.ts';
import type { Outgoing } from '../outgoing.ts';
import { createPlexAccount, type PlexAccount, type PlexCredential } from '../sources/plex-account.ts';
import { openSource } from '../sources/open.ts';
import type { Source } from '../sources/source.ts';
import type { Secrets } from './secrets.ts';

/**
 * Opens an adapter for each stored source and keeps it while its address and sign-in stay the same. The sign-in is
 * unsealed here and goes nowhere else.
 */
export interface Links {
  /** @throws PlainError reasons `secret-lost`, `source-refuses` (there is no sign-in); nothing is asked yet */
  open(row: SourceRow): Promise<Source>;
  /** an adapter for something that is not stored yet */
  draft(wish: { kind: SourceRow['kind']; name: string; url: string; credential: string; identity: string | null }): Source;
  /** the stored sign-in, unsealed. @throws as `open` */
  credential(row: SourceRow): Promise<Credential>;
  seal(kind: string, identity: string, credential: Credential): Promise<string>;
  /** who answers there is in doubt: the next question proves it anew */
  drop(sourceId: number): void;
  /** what was found out about a server meanwhile is kept for the next start */
  keepLearnt(row: SourceRow, source: Source): Promise<void>;
  readonly plex: PlexAccount;
}

/** `token` reaches one server only; `account` of a sign-in that has to be renewed, from which the next token comes. */
export interface Credential {
  token: string;
  account?: PlexCredential;
}

/** What the coordinator needs to reach beyond the house; this machine's own. */
export interface Outward {
  outgoing: Outgoing;
  /** stand-ins for plex.tv in tests */
  plexTv?: { plexTv: string; clients: string; app: string };
  /** for tests */
  pace?: { quietSeconds?: number; gatherMs?: number };
}

export function createLinks(parts: { db: Database; secrets: Secrets; outward: Outward; clientId: string }): Links {
  const { db, secrets, clientId } = parts;
  const { outgoing, plexTv } = parts.outward;
  const kept = new Map<number, { mark: string; source: Source; learnt: string }>();
  const plex = createPlexAccount({ outgoing, clientId, ...(plexTv ? { addresses: plexTv } : {}) });
  return {
    plex,
    async open(row) {
      const sealed = await sourceCredential(db, row.id);
      const mark = JSON.stringify([row.kind, row.name, row.url, row.identity, row.renames, sealed]);
      const known = kept.get(row.id);
      if (known?.mark === mark) return known.source;
      const { token } = unseal(row, sealed);
      const { kind, name, url, identity } = row;
      const source = openSource({
        kind,
        name,
        url,
        identity,
        credential: token,
        outgoing,
        clientId,
        learnt: row.learnt as never,
        renames: row.renames,
      });
      kept.set(row.id, { mark, source, learnt: JSON.stringify(row.learnt) });
      return source;
    },
    draft: ({ kind, name, url, credential, identity }) => openSource({ kind, name, url, credential, identity, outgoing, clientId }),
    credential: async (row) => unseal(row, await sourceCredential(db, row.id)),
    seal: (kind, identity, credential) => secrets.seal(nameOf(kind, identity), JSON.stringify(credential)),
    drop: (sourceId) => void kept.delete(sourceId),
    async keepLearnt(row, source) {
      const known = kept.get(row.id);
      const now = JSON.stringify(source.learnt());
      if (!known || known.source !== source || known.learnt === now) return;
      known.learnt = now;
      await changeSource(db, row.id, { learnt: source.learnt() });
    },
  };

  function unseal(row: SourceRow, sealed: string | null): Credential {
    if (sealed === null)
      throw new PlainError(`${row.name} has no sign-in any more. Sign in again.`, {
        reason: { code: 'source-refuses', params: { source: row.name } },
      });
    return JSON.parse(secrets.open(nameOf(row.kind, row.identity), sealed)) as Credential;
  }
}

/** Authenticated with the secret: the sign-in of one server does not open as that of another. */
function nameOf(kind: string, identity: string): string {
  return `source ${kind} ${identity}`;
}
