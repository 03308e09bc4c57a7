import type { Right } from '../../core/access.ts';
import type { Ctx, Web } from '../web.ts';
import { mayDo } from './who.ts';

const LOOK_MS = 60_000;

/**
 * For what lasts: aborts as soon as whoever asked may not any more, because his session or token is over, or because a house that
 * was open to everybody was closed. Whoever takes the signal releases it.
 */
export function whileMay(web: Pick<Web, 'auth' | 'events'>, c: Ctx, right: Right): { signal: AbortSignal; release(): void } {
  const who = c.get('who');
  if (who.kind === 'person') return web.auth.sessions.whileValid(who.session);
  const over = new AbortController();
  const look = (): void =>
    void web.auth
      .who(c)
      .then((now) => now.kind === who.kind && mayDo(now, right))
      // refused is an answer; a database that is away is none
      .catch((error: unknown) => !(error instanceof Error && 'status' in error))
      .then((may) => void (may || over.abort()));
  const off = web.events.on('access.changed', look);
  const timer = setInterval(look, LOOK_MS).unref();
  return {
    signal: over.signal,
    release() {
      off();
      clearInterval(timer);
    },
  };
}
