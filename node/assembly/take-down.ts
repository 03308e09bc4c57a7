import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';

/** What was started, in this order, and how each of it ends. */
export type Undo = { part: string; end: () => Promise<unknown> | void }[];

export interface TakeDown {
  log: Log;
  /**
   * This process ends afterwards: a part that hangs is left behind, because whoever started the program kills it soon, and then
   * what comes after that part would not end in order either. Otherwise everything is waited for, as long as it takes: the next
   * membership must not open what the one before still has open.
   */
  leaving: boolean;
  /** for tests */
  patienceMs?: number;
}

/** Containers are given a minute to stop, and a keeper may be in the middle of exchanging a film. */
const PATIENCE_MS = 12_000;

/** Ends everything, the newest first. Resolves with the parts that were left behind; never rejects. */
export async function takeDown(undo: Undo, how: TakeDown): Promise<string[]> {
  const left: string[] = [];
  for (const each of undo.splice(0).toReversed()) if (!(await endOne(each, how))) left.push(each.part);
  return left;
}

/** False: it was left behind. */
async function endOne({ part, end }: Undo[number], { log, leaving, patienceMs = PATIENCE_MS }: TakeDown): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => {
    if (leaving) log.warn({ part, seconds: patienceMs / 1000 }, 'a part did not stop in time; the program ends without it');
    else log.warn({ part, seconds: patienceMs / 1000 }, 'a part takes long to stop; it is waited for');
    if (leaving) late.resolve(false);
  }, patienceMs);
  const ended = Promise.resolve()
    .then(end)
    .catch((error: unknown) => log.warn({ part, why: messageOf(error) }, 'a part did not stop cleanly'))
    .then(() => true);
  const isOver = await Promise.race([ended, late.promise]);
  clearTimeout(timer);
  return isOver;
}
