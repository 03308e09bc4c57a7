import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { heardOf, startHeardServer, type Answer, type Heard, type HeardServer } from './heard.ts';
import { htmlError, itemAnswer, sectionsAnswer, sessionsJson, sessionsXml, type TestSession } from './plex-answers.ts';
import { createPlexLibrary, type PlexLibrary, type TestSection } from './plex-library.ts';

/**
 * A Plex Media Server as far as CodecShift asks one, on a real port, built from recorded answers. It can misbehave in all
 * the ways that research found, and writes down every request, so that tests can say what was asked and in which order.
 */
export interface TestPlexServer extends HeardServer {
  identity: string;
  token: string;
  name: string;
  library: PlexLibrary;
  /** change at any time */
  behaves: PlexBehaviour;
  sessions: TestSession[];
  /** ratingKeys that are being downloaded or converted for it */
  background: string[];
  /** scans that were asked for and wait, with `scans: 'queued'` */
  queued: { section: string; folder: string | null }[];
  /** does the queued scans now */
  runScans(): void;
  /** to everybody who listens on the WebSocket */
  notify(message: unknown): void;
  listeners(): number;
  /** resolves when somebody listens */
  listened(): Promise<void>;
}

export interface PlexBehaviour {
  /** of pages: as asked; everything at once; never more than a number; or nothing although there is more */
  paging: 'asked' | 'ignored' | 'empty' | number;
  /** before every page of a listing, with how many came before it */
  onPage: ((pages: number) => void) | null;
  /** answers to all but /identity */
  broken: 'html-401' | 'html-500' | 'html-200' | 'redirect' | 'wrong-shape' | null;
  scans: 'at-once' | 'queued';
  refreshVerbs: string[];
  /** a scan finds a new codec by itself, without an analysis */
  analyzesOnScan: boolean;
  sessions: 'json' | 'xml' | 'broken' | 'forbidden' | 'no-keys';
  /** false: an older server that has no such list */
  background: boolean;
  /** items say only what all versions say */
  bare: boolean;
  /** who answers at /identity; null: as it is */
  claims: string | null;
  /** as it shows itself to somebody who is not its owner: no paths */
  guest: boolean;
  /** numbers as text and the like */
  loose: boolean;
  totals: boolean;
}

export interface PlexWishes {
  identity?: string;
  token?: string;
  name?: string;
  version?: string;
}

/** As a server of today behaves that is well. */
export function wellBehaved(): PlexBehaviour {
  return {
    paging: 'asked',
    onPage: null,
    broken: null,
    scans: 'at-once',
    refreshVerbs: ['GET', 'POST'],
    analyzesOnScan: false,
    sessions: 'json',
    background: true,
    bare: false,
    claims: null,
    guest: false,
    loose: false,
    totals: true,
  };
}

export async function startPlexServer(
  t: { after(fn: () => Promise<void> | void): void } | null,
  wishes: PlexWishes = {},
): Promise<TestPlexServer> {
  const identity = wishes.identity ?? '0123456789abcdef0123456789abcdef01234567';
  const version = wishes.version ?? '1.40.2.8395-c67dce28e';
  const sockets = new Set<Socket>();
  let pages = 0;
  let waiting: (() => void)[] = [];
  const base = await startHeardServer(t, answer);
  const plex: TestPlexServer = Object.assign(base, {
    identity,
    token: wishes.token ?? 'server-token-of-the-test',
    name: wishes.name ?? 'Living room',
    library: createPlexLibrary(),
    behaves: wellBehaved(),
    sessions: [] as TestSession[],
    background: [] as string[],
    queued: [] as TestPlexServer['queued'],
    runScans() {
      for (const { section, folder } of plex.queued.splice(0)) scan(section, folder);
    },
    notify(message: unknown) {
      for (const socket of sockets) socket.write(textFrame(JSON.stringify(message)));
    },
    listeners: () => sockets.size,
    listened: () => (sockets.size > 0 ? Promise.resolve() : new Promise<void>((resolve) => waiting.push(resolve))),
  });
  base.server.on('upgrade', upgrade);
  return plex;

  function answer(request: Heard): Answer {
    const { path } = request;
    if (path === '/identity') {
      const machineIdentifier = plex.behaves.claims ?? identity;
      return { body: { MediaContainer: { size: 0, claimed: true, machineIdentifier, version } } };
    }
    if ((request.headers['x-plex-token'] ?? request.query['X-Plex-Token']) !== plex.token) return refuse(401, 'Unauthorized');
    const { broken } = plex.behaves;
    if (broken === 'html-401') return refuse(401, 'Unauthorized');
    if (broken === 'html-500') return refuse(500, 'Internal Server Error');
    if (broken === 'html-200') return { body: htmlError(200, 'Welcome') };
    if (broken === 'redirect') return { status: 302, headers: { location: 'http://169.254.169.254/' } };
    if (broken === 'wrong-shape') return { body: { MediaContainer: { Metadata: 'none', Directory: 7 } } };
    return route(request) ?? refuse(404, 'Not Found');
  }

  function route({ method, path, query, headers }: Heard): Answer | null {
    const key = /^\/library\/(?:sections|metadata)\/([\d,]+)/.exec(path)?.[1] ?? '';
    if (path === '/') return { body: { MediaContainer: { friendlyName: plex.name, machineIdentifier: identity, version } } };
    if (path === '/library/sections' || path === '/library/sections/all') return { body: sectionsAnswer(plex.library.sections) };
    const section = plex.library.sections.find((one) => one.key === key);
    if (path === `/library/sections/${key}/all` && section) return listing(section, { ...lower(query), ...headers });
    if (path === `/library/sections/${key}/refresh` && section) return refresh(section, method, query['path'] ?? null);
    if (path === `/library/metadata/${key}` && method === 'GET') return details(key.split(','));
    const item = plex.library.item(key);
    if (path === `/library/metadata/${key}/analyze` && method === 'PUT' && item) {
      plex.library.analyze(item);
      return {};
    }
    if (path === '/status/sessions') return sessions();
    if (path === '/status/sessions/background' && plex.behaves.background) {
      const Metadata = plex.background.map((ratingKey) => ({ ratingKey, type: 'movie' }));
      return { body: { MediaContainer: { size: Metadata.length, ...(Metadata.length > 0 && { Metadata }) } } };
    }
    return null;
  }

  function listing(section: TestSection, asked: Record<string, string>): Answer {
    plex.behaves.onPage?.(pages++);
    const { paging, totals, loose } = plex.behaves;
    const type = asked['type'] ?? (section.type === 'show' ? '2' : '1');
    const all = type === (section.type === 'show' ? '4' : '1') ? section.items : [];
    const start = paging === 'ignored' ? 0 : Number(asked['x-plex-container-start'] ?? 0);
    const wanted = Number(asked['x-plex-container-size'] ?? all.length);
    const size =
      paging === 'ignored'
        ? all.length
        : paging === 'empty' && start > 0
          ? 0
          : Math.min(wanted, typeof paging === 'number' ? paging : wanted);
    const items = all
      .slice(start, start + size)
      .map((item) => itemAnswer(section, item, { bare: plex.behaves.bare, guest: plex.behaves.guest, streams: false }));
    const counts = { size: items.length, ...(totals && { offset: start, totalSize: all.length }) };
    const said = loose ? Object.fromEntries(Object.entries(counts).map(([name, value]) => [name, String(value)])) : counts;
    const body = { MediaContainer: { ...said, librarySectionID: Number(section.key), ...(items.length > 0 && { Metadata: items }) } };
    return { body, headers: totals ? { 'x-plex-container-start': String(start), 'x-plex-container-total-size': String(all.length) } : {} };
  }

  function details(keys: string[]): Answer | null {
    const found = plex.library.sections.flatMap((section) =>
      section.items
        .filter(({ ratingKey }) => keys.includes(ratingKey))
        .map((item) => itemAnswer(section, item, { bare: plex.behaves.bare, guest: plex.behaves.guest, streams: true })),
    );
    return found.length === 0 ? null : { body: { MediaContainer: { size: found.length, Metadata: found } } };
  }

  /** As the real one: 200 and nothing, also for a folder that no library has. */
  function refresh(section: TestSection, method: string, folder: string | null): Answer {
    if (!plex.behaves.refreshVerbs.includes(method)) return refuse(405, 'Method Not Allowed');
    if (plex.behaves.scans === 'queued') plex.queued.push({ section: section.key, folder });
    else scan(section.key, folder);
    return {};
  }

  function scan(key: string, folder: string | null): void {
    const section = plex.library.sections.find((one) => one.key === key);
    if (!section) return;
    plex.library.scan(section, folder);
    if (plex.behaves.analyzesOnScan) for (const item of section.items) plex.library.analyze(item);
  }

  function sessions(): Answer {
    const how = plex.behaves.sessions;
    if (how === 'forbidden') return refuse(403, 'Forbidden');
    if (how === 'broken') return { body: '<MediaContainer size="1"><Video ratingKey=' };
    if (how === 'xml') return { body: sessionsXml(plex.sessions), headers: { 'content-type': 'text/xml;charset=utf-8' } };
    if (how === 'no-keys') return { body: { MediaContainer: { size: 1, Metadata: [{ details: 'omitted' }] } } };
    return { body: sessionsJson(plex.sessions) };
  }

  function upgrade(incoming: IncomingMessage, socket: Socket): void {
    // from here on the connection is nobody's but ours, and who called may be gone
    socket.on('error', () => {});
    const request = heardOf(incoming);
    plex.heard.push(request);
    if (request.path !== '/:/websockets/notifications' || request.headers['x-plex-token'] !== plex.token) {
      return void socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
    }
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.resume();
    for (const tell of waiting) tell();
    waiting = [];
  }
}

function refuse(status: number, words: string): Answer {
  return { status, body: htmlError(status, words), headers: { 'x-plex-protocol': '1.0' } };
}

function lower(query: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name.toLowerCase(), value]));
}

function textFrame(text: string): Buffer {
  const data = Buffer.from(text);
  const size = data.length < 126 ? Buffer.from([data.length]) : Buffer.from([126, data.length >> 8, data.length & 0xff]);
  return Buffer.concat([Buffer.from([0x81]), size, data]);
}
