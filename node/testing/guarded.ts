import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createAccess } from '../coordinator/access.ts';
import { createSafe } from '../coordinator/safe.ts';
import type { Access, Role } from '../core/access.ts';
import type { Safe } from '../core/safe.ts';
import type { Database } from '../db/connect.ts';
import type { Events } from '../events.ts';
import type { Outgoing } from '../outgoing.ts';
import { createSealer } from '../sealed.ts';
import { builtInEngine, createPasswords, type Passwords } from '../web/auth/password.ts';
import { createSetupToken, type SetupToken } from '../web/auth/setup-token.ts';
import { ask, type Answer } from './plain-request.ts';
import { startWeb, type TestWeb } from './web.ts';

/** A dashboard with its door, on a real port; the books are written as a coordinator would. */
export interface Guarded extends TestWeb {
  access: Access;
  token: SetupToken;
  /** a browser of its own, with its own cookies */
  browser(headers?: Record<string, string>): Caller;
  /** makes somebody and signs him in */
  signedIn(role: Role, name?: string): Promise<Caller>;
  /** so much later for the web room; the database's clock goes on as it does */
  later(ms: number): void;
}

/** What a browser does without JavaScript: cookies, and a form's token from the page that it was on. */
export interface Caller {
  cookies: Map<string, string>;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  /** sends a form of this site; reads the sign-in or account page for its token unless one is given */
  post(path: string, fields?: Record<string, string>, headers?: Record<string, string>): Promise<Answer>;
  send(method: string, path: string, headers?: Record<string, string>, body?: string): Promise<Answer>;
  csrf(): Promise<string>;
}

export const PASSWORD = 'four old films on a shelf';
/** The real form and the real runtime, with a thousandth of the work: what is tested here is not the hash. */
const light = (): Passwords => createPasswords(async () => (wish) => builtInEngine({ ...wish, memory: 64 }));
let hashed: Promise<string> | null = null;
export function hashedPassword(): Promise<string> {
  return (hashed ??= light().hash(PASSWORD));
}

export async function startGuarded(
  t: { after(fn: () => Promise<void> | void): void },
  { db, leader }: { db: Database; leader: Database },
  passwords = light(),
  outside: { outgoing: Outgoing } | null = null,
): Promise<Guarded> {
  const token = createSetupToken({});
  let ahead = 0;
  let access!: Access;
  const web = await startWeb(
    { after: (fn) => t.after(fn) },
    {
      db,
      now: () => new Date(Date.now() + ahead),
      auth: (events) => ({
        access: (access = createAccess({ db: leader, events })),
        open: false,
        setup: token,
        passwords,
        ...(outside ? { provider: { safe: memorySafe(leader, events), outgoing: outside.outgoing, clientSecret: null } } : {}),
      }),
    },
  );
  const browser = (headers: Record<string, string> = {}): Caller => caller(web.port, headers);
  return Object.assign(web, {
    access,
    token,
    browser,
    later: (ms: number) => void (ahead += ms),
    async signedIn(role: Role, name = `${role}-${Math.random().toString(36).slice(2, 8)}`) {
      const user = { name, displayName: '', role, password: await hashedPassword(), oneTime: false };
      await access.addUser(user, { name: 'test', via: 'system' }, { address: '', agent: '' });
      const visitor = browser();
      const answer = await visitor.post('/sign-in', { name, password: PASSWORD });
      assert.equal(answer.status, 303, answer.body);
      return visitor;
    },
  });
}

/** The real one, with a key that is nowhere but here. */
function memorySafe(leader: Database, events: Events): Safe {
  const sealer = createSealer(new Uint8Array(randomBytes(32)));
  return createSafe({ db: leader, events, secrets: { seal: async (name, secret) => sealer.seal(name, secret), open: sealer.open } });
}

/** Everybody gone, nothing decided. */
export async function emptyHouse(leader: Database): Promise<void> {
  for (const table of ['users', 'access_setup', 'api_tokens', 'throttles', 'secrets']) await leader.query(`delete from ${table}`);
}

function caller(port: number, always: Record<string, string>): Caller {
  const cookies = new Map<string, string>();
  const made: Caller = {
    cookies,
    get: (path, headers) => made.send('GET', path, { accept: 'text/html', ...headers }),
    async post(path, fields = {}, headers = {}) {
      const csrf = fields['csrf'] ?? (await made.csrf());
      const body = new URLSearchParams({ csrf, ...fields }).toString();
      const form = { 'content-type': 'application/x-www-form-urlencoded', origin: `http://127.0.0.1:${port}`, accept: 'text/html' };
      return made.send('POST', path, { ...form, ...headers }, body);
    },
    async csrf() {
      for (const path of ['/setup', '/sign-in', '/account', '/prove']) {
        const found = /name="csrf" value="([\w-]+)"/.exec((await made.get(path)).body)?.[1];
        if (found) return found;
      }
      return 'none';
    },
    async send(method, path, headers = {}, body = '') {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const answer = await ask({ port }, method, path, { ...(cookie ? { cookie } : {}), ...always, ...headers }, body);
      for (const line of answer.headers['set-cookie'] ?? []) keep(cookies, line);
      return answer;
    },
  };
  return made;
}

function keep(cookies: Map<string, string>, line: string): void {
  const [pair = ''] = line.split(';');
  const at = pair.indexOf('=');
  if (/max-age=0|expires=thu, 01 jan 1970/i.test(line)) cookies.delete(pair.slice(0, at));
  else cookies.set(pair.slice(0, at), pair.slice(at + 1));
}
