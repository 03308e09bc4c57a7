import { randomUUID } from 'node:crypto';
import type { Actor, Commands, SourceKind, SourceTry } from '../core/commands.ts';
import { isFetcher, sourceNames } from '../core/source-words.ts';
import { addActivity } from '../db/activity.ts';
import { establishCluster } from '../db/cluster.ts';
import { offerLibraries } from '../db/source-libraries.ts';
import { addSource, changeSource, readSource, removeSource, type Source as SourceRow } from '../db/sources.ts';
import { codeOf, PlainError } from '../errors.ts';
import type { PlexPin, PlexServer } from '../sources/plex-account.ts';
import type { Source } from '../sources/source.ts';
import type { CoordinatorParts } from './coordinator.ts';
import type { Term } from './term.ts';
import type { Outside } from './outside.ts';
import type { Credential } from './source-links.ts';

type Adding = Pick<
  Commands,
  'trySource' | 'beginPlexSignIn' | 'askPlexSignIn' | 'addSource' | 'changeSource' | 'removeSource' | 'refreshSource'
>;

/** A server that answered, before it is kept. In memory: whoever waits longer tries again. */
interface Draft {
  kind: SourceKind;
  name: string;
  url: string;
  connections: string[];
  identity: string;
  version: string;
  account: string;
  credential: Credential;
  until: number;
}

interface SignIn {
  pin: PlexPin;
  until: number;
  /** null while the person has not come back */
  account: { name: string; credential: Credential['account'] & object } | null;
  servers: PlexServer[];
}

const DRAFT_MS = 30 * 60_000;
const MOST_KEPT = 50;
const ASK_MS = 60_000;

/** Adding servers, by address and token or by a sign-in at plex.tv; changing and forgetting them. */
export function sourceAdding(parts: CoordinatorParts, term: Term, outside: Outside): Adding {
  const { db } = term;
  const { links, sources } = outside;
  const drafts = new Map<string, Draft>();
  const signIns = new Map<string, SignIn>();

  return {
    async trySource({ kind, url, credential }) {
      const draft = { kind, name: sourceNames[kind], url: addressOf(url), credential: tokenOf(credential) };
      const known = await who(links.draft({ ...draft, identity: null }));
      const proved = links.draft({ ...draft, identity: known.id });
      const libraries = await offer(proved);
      const facts = { kind, url: draft.url, connections: [], identity: known.id, name: known.name, version: known.version, account: '' };
      const id = keep(drafts, { ...facts, credential: { token: draft.credential }, until: Date.now() + DRAFT_MS });
      return { draft: id, identity: known.id, name: known.name, version: known.version, libraries };
    },

    async beginPlexSignIn(wish) {
      const pin = await links.plex.begin(wish, within());
      const signIn = keep(signIns, { pin, until: pin.expiresAt + DRAFT_MS, account: null, servers: [] });
      return { signIn, url: pin.url, code: pin.code, expiresAt: pin.expiresAt };
    },

    async askPlexSignIn(id) {
      const signIn = kept(signIns, id);
      if (!signIn) return { state: 'expired' };
      if (!signIn.account) {
        const said = await links.plex.ask(signIn.pin, within());
        if (said.state !== 'signed-in') return said;
        signIn.servers = await links.plex.servers(said.account.token, within());
        signIn.account = { name: (await links.plex.whose(said.account.token, within())) ?? '', credential: said.account };
      }
      const servers = signIn.servers.map(({ id: server, name, version, owned, connections }) => ({
        id: server,
        name,
        version,
        owned,
        addresses: connections.map((connection) => connection.url),
      }));
      return { state: 'signed-in', account: signIn.account.name, servers };
    },

    async addSource(wish, by) {
      const draft = 'draft' in wish ? kept(drafts, wish.draft) : await ofSignIn(wish.signIn, wish.server);
      if (!draft) throw new PlainError('It was tried too long ago. Try the server once more, then add it.');
      const id = await store(draft, wish.name?.trim() || draft.name, by);
      if ('draft' in wish) drafts.delete(wish.draft);
      return id;
    },

    async changeSource(sourceId, change, by) {
      const row = await known(sourceId);
      const name = change.name?.trim();
      if (name !== undefined && (name === '' || name.length > 100))
        throw new PlainError('A media server needs a name of 1 to 100 characters.');
      const url = change.url === undefined ? undefined : addressOf(change.url);
      const credential = change.credential === undefined ? undefined : await reSigned(row, url ?? row.url, change.credential);
      if (url !== undefined && credential === undefined) await sameServer(row, url);
      const wish = { ...(name ? { name } : {}), ...(url ? { url } : {}), ...(credential ? { credential } : {}) };
      const { enabled, renames } = change;
      if (renames && !isFetcher(row.kind)) throw new PlainError('Only Sonarr and Radarr rename films.');
      const flags = { ...(enabled === undefined ? {} : { enabled }), ...(renames === undefined ? {} : { renames }) };
      await changeSource(db, sourceId, { ...wish, ...flags }).catch((error: unknown) => {
        throw codeOf(error) === '23505' ? new PlainError(`There is a media server called "${name}" already.`) : error;
      });
      await note('source-changed', name ?? row.name, by);
      changed(sourceId);
      sources.kick();
    },

    async removeSource(sourceId, by) {
      const row = await known(sourceId);
      await removeSource(db, sourceId);
      links.drop(sourceId);
      await note('source-removed', row.name, by);
      changed(sourceId);
      sources.kick();
    },

    async refreshSource(sourceId) {
      const row = await known(sourceId);
      if (!row.enabled) throw new PlainError(`${row.name} is switched off here. Switch it on first.`);
      if (await sources.look(sourceId)) void sources.listAll(sourceId);
      changed(sourceId);
    },
  };

  async function who(source: Source): Promise<{ id: string; name: string; version: string }> {
    const said = await source.identify(within());
    if (said.id === '') throw new PlainError('It does not say who it is, so it could not be told from another server later.');
    return said;
  }

  /** Needs the credential: a wrong one shows here. */
  async function offer(source: Source): Promise<SourceTry['libraries']> {
    const libraries = await source.listLibraries(within());
    const counts = await Promise.all(libraries.slice(0, 50).map(({ key }) => source.countItems(key, within()).catch(() => null)));
    return libraries.map(({ key, title, kind, folders }, at) => ({ key, title, kind, folders, items: counts[at] ?? null }));
  }

  async function ofSignIn(id: string, serverId: string): Promise<Draft | null> {
    const signIn = kept(signIns, id);
    const server = signIn?.servers.find((one) => one.id === serverId);
    if (!signIn?.account || !server) return null;
    const way = await links.plex.findWay(server, within());
    const account = signIn.account.credential;
    return {
      kind: 'plex',
      name: server.name,
      url: way.url,
      connections: way.others,
      identity: server.id,
      version: server.version,
      account: signIn.account.name,
      credential: { token: server.accessToken, ...(account.expiresAt === null ? {} : { account }) },
      until: signIn.until,
    };
  }

  async function store(draft: Draft, name: string, by: Actor): Promise<number> {
    const { kind, url, identity, credential } = draft;
    const source = links.draft({ kind, name, url, identity, credential: credential.token });
    const offered = await source.listLibraries(within());
    const sealed = await links.seal(kind, identity, credential);
    await establishCluster(db);
    const { id, added } = await addSource(db, { ...draft, name, credential: sealed });
    await offerLibraries(db, id, offered);
    await note(added ? 'source-added' : 'source-changed', name, by);
    changed(id);
    // counts and sizes follow; nobody has to wait for them
    void sources
      .look(id)
      .then((isWell) => (isWell ? sources.listAll(id) : undefined))
      .catch(() => {});
    return id;
  }

  /** A new sign-in is tried at the very server before it takes the place of the old one. */
  async function reSigned(row: SourceRow, url: string, credential: string): Promise<string> {
    const token = tokenOf(credential);
    const source = links.draft({ kind: row.kind, name: row.name, url, identity: row.identity, credential: token });
    if (isFetcher(row.kind)) await who(source);
    else await source.listLibraries(within());
    return links.seal(row.kind, row.identity, { token });
  }

  async function sameServer(row: SourceRow, url: string): Promise<void> {
    const { token } = isFetcher(row.kind) ? await links.credential(row) : { token: '' };
    const said = await who(links.draft({ kind: row.kind, name: row.name, url, identity: null, credential: token }));
    if (said.id !== row.identity && !isFetcher(row.kind))
      throw new PlainError(`Another server answers at ${url}: it is not ${row.name}. Add it as a server of its own.`, {
        reason: { code: 'source-is-another', params: { source: row.name } },
      });
  }

  async function known(sourceId: number): Promise<SourceRow> {
    const row = await readSource(db, sourceId);
    if (!row) throw new PlainError('This media server is not known any more.');
    return row;
  }

  async function note(kind: string, source: string, by: Actor): Promise<void> {
    await addActivity(db, { kind, by: by.name, params: { source } });
    parts.events.emit('activity.added', { kind, severity: 0 });
  }

  function changed(sourceId: number): void {
    parts.events.emit('source.changed', { sourceId });
  }

  function within(): AbortSignal {
    return AbortSignal.any([term.signal, AbortSignal.timeout(ASK_MS)]);
  }
}

function keep<T extends { until: number }>(all: Map<string, T>, one: T): string {
  for (const [id, { until }] of all) if (until < Date.now() || all.size >= MOST_KEPT) all.delete(id);
  const id = randomUUID();
  all.set(id, one);
  return id;
}

function kept<T extends { until: number }>(all: Map<string, T>, id: string): T | null {
  const one = all.get(id);
  return one && one.until >= Date.now() ? one : null;
}

/** People copy an address out of their browser: only where the server is counts. */
function addressOf(typed: string): string {
  const text = typed.trim();
  const whole = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  if (text === '' || text.length > 500 || !URL.canParse(whole))
    throw new PlainError(`"${text.slice(0, 100)}" is no address. Write it like http://192.168.1.5:32400.`);
  const url = new URL(whole);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new PlainError('The address has to begin with http:// or https://.');
  if (url.username || url.password) throw new PlainError('The address must not have a name or password in it.');
  return `${url.origin}${url.pathname.replace(/\/(web(\/index\.html)?)?\/?$/, '')}`;
}

function tokenOf(typed: string): string {
  const token = typed.trim();
  if (/^[\x21-\x7e]{1,4000}$/.test(token)) return token;
  throw new PlainError(token === '' ? 'The token is missing.' : 'This is no token: it has characters in it that no token has.');
}
