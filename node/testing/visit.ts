import type { Queryable } from '../db/connect.ts';
import { startWeb, type TestWeb } from './web.ts';

/** A person with a browser without scripts: cookies are kept, forms carry their token, redirects are looked at. */
export interface Visit {
  web: TestWeb;
  /** the text of a page */
  get(path: string): Promise<string>;
  ask(path: string, init?: RequestInit): Promise<Response>;
  /** sends a form, and gives the answer and where it leads */
  post(path: string, fields?: [string, string][]): Promise<{ status: number; to: string | null; html: string }>;
}

export async function visit(
  t: { after(fn: () => Promise<void> | void): void },
  db: Queryable,
  answer?: (name: string, args: unknown[]) => unknown,
): Promise<Visit> {
  const web = await startWeb({ after: (fn) => t.after(fn) }, { db, ...(answer ? { answer } : {}) });
  const jar = new Map<string, string>();
  const ask = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(web.url + path, { ...init, redirect: 'manual', headers: { cookie, origin: web.url, ...init.headers } });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      jar.set(name!, value!);
    }
    return answer;
  };
  const csrf = /name="csrf" value="([^"]+)"/.exec(await (await ask('/nodes')).text())?.[1] ?? '';
  return {
    web,
    ask,
    get: async (path) => (await ask(path)).text(),
    async post(path, fields = []) {
      const response = await ask(path, { method: 'POST', body: new URLSearchParams([['csrf', csrf], ...fields]) });
      return { status: response.status, to: response.headers.get('location'), html: await response.text() };
    },
  };
}

/** What was asked for, without who asked. */
export function asked(web: TestWeb): { name: string; args: unknown[] }[] {
  return web.asked.map(({ name, args }) => ({ name, args }));
}
