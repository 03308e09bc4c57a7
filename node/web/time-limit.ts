import type { MiddlewareHandler } from 'hono';
import { refuse } from './errors.ts';
import type { Env } from './web.ts';

/** What only reads the books is there at once, or something is wrong with them. */
const USUAL_MS = 30_000;

/** What waits for somebody else has a limit of its own, whose words say more than ours: it comes first. */
const longer: readonly [path: RegExp, ms: number][] = [
  // all parts of a support bundle have 150 s (assembly/support-bundle.ts)
  [/^(\/api\/v1)?\/logs\/support-bundle$/, 165_000],
  // a slow mail server has 45 s (coordinator/notifier.ts)
  [/^\/(settings|api\/v1)\/notifications\/\d+\/test$/, 60_000],
  // a media server that is tried or asked has 60 s (coordinator/source-adding.ts)
  [/^\/sources\/(add\/[a-z]+|keep|\d+\/(change|refresh))$/, 75_000],
  [/^\/api\/v1\/sources(\/try|\/\d+|\/\d+\/refresh)?$/, 75_000],
];

/** How long the answer to this path may take, in milliseconds. */
export function answerMs(path: string): number {
  return longer.find(([fits]) => fits.test(path))?.[1] ?? USUAL_MS;
}

/** Nobody waits for ever; what was begun goes on. */
export function timeLimit(msOf: (path: string) => number = answerMs): MiddlewareHandler<Env> {
  return async (c, next) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(refuse('too-slow')), msOf(c.req.path)).unref()));
    await Promise.race([next(), late]).finally(() => clearTimeout(timer));
  };
}
