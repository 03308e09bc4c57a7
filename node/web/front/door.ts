import { getCookie, setCookie } from 'hono/cookie';
import { createHash } from 'node:crypto';
import { refuse } from '../errors.ts';
import { url } from '../routes.ts';
import { whoAsks } from '../security.ts';
import type { FrontCtx } from './app.ts';
import { askCoordinator } from './ask.ts';
import type { FrontParts } from './parts.ts';
import type { Reach, Way } from './reach.ts';

/**
 * Who may do something on a machine's own pages. The machine has no list of people, so it asks the coordinator who this browser
 * is, as long as it reaches one. While it does not, only somebody who has the machine itself may act: its token is on its console
 * and in its data directory. A stranger in the network sees that the machine waits, and no more.
 *
 *   command line · CODECSHIFT_AUTH=none · token of this machine ─▶ acts
 *   coordinator reached ─▶ admin: acts · viewer: looks · nobody: to the sign-in
 *   nobody reached      ─▶ nobody: is told where the token is
 */
export interface Door {
  /** `proved`: an admin who said just now who he is */
  of(c: FrontCtx): Promise<Standing>;
  /** remembers in this browser that somebody has the machine. @returns what is wrong, or null */
  enter(c: FrontCtx, token: string): string | null;
  /** @throws Refusal unless he may act */
  mustAct(c: FrontCtx): Promise<void>;
}

export type Standing = { may: 'act'; proved: boolean } | { may: 'look' } | { may: 'nothing'; reached: boolean };

export function createDoor(parts: Pick<FrontParts, 'access' | 'secret' | 'node'>, reach: Reach): Door {
  const { access } = parts;
  const name = `cs_machine_${createHash('sha256').update(parts.node.id).digest('hex').slice(0, 8)}`;

  return {
    of,
    enter(c, token) {
      const said = access.token?.check(token, c.env.visitor?.address ?? '') ?? 'wrong';
      if (said !== 'right') return said === 'wrong' ? 'This is not the token of this machine.' : 'Too many tries. Wait a minute.';
      const secure = c.env.visitor?.secure === true;
      setCookie(c, name, access.token!.proof(parts.secret), { httpOnly: true, sameSite: 'Strict', path: '/', secure, maxAge: 12 * 3600 });
      return null;
    },
    async mustAct(c) {
      const now = await of(c);
      if (now.may !== 'act')
        throw refuse('not-allowed', now.may === 'look' ? undefined : 'Nothing is changed here for somebody who is not known.');
    },
  };

  async function of(c: FrontCtx): Promise<Standing> {
    if (access.open || c.env.visitor?.asks === 'cli') return { may: 'act', proved: true };
    if (access.token?.proves(parts.secret, getCookie(c, name))) return { may: 'act', proved: true };
    const way = reach.way();
    if (way.kind === 'nowhere') return { may: 'nothing', reached: false };
    const answer = await whoIs(way, c);
    if (!answer) return { may: 'nothing', reached: false };
    if (answer.role === 'admin') return { may: 'act', proved: answer.proved };
    return answer.role === 'viewer' ? { may: 'look' } : { may: 'nothing', reached: true };
  }
}

async function whoIs(way: Way, c: FrontCtx): Promise<ReturnType<typeof whoAsks> | null> {
  const headers = { host: c.req.header('host') ?? 'localhost', cookie: c.req.header('cookie') ?? '' };
  const answer = await askCoordinator(way, url.whoAsks(), headers, c.env.visitor!);
  return answer?.status === 200 ? whoAsks(JSON.parse(answer.text)) : null;
}
