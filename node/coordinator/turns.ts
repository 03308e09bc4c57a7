/** Work that is done in turns: one after the other, again when the last one said, or at once when somebody is in a hurry. */
export interface Turns {
  /** the next one begins so soon; what was set before counts no more */
  next(inMs: number): void;
  /** something may be due earlier than was known; also while a turn runs, whose end must not forget it */
  hurry(): void;
  stop(): Promise<void>;
}

/**
 * @param ending no turn begins after it
 * @param turn resolves with the milliseconds until the next one; null: there is none. Never rejects
 */
export function createTurns(ending: AbortSignal, turn: () => Promise<number | null>): Turns {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let hurried = false;

  return {
    next,
    hurry() {
      hurried = true;
      next(0);
    },
    async stop() {
      clearTimeout(timer);
      await running;
    },
  };

  function next(inMs: number): void {
    clearTimeout(timer);
    if (ending.aborted) return;
    timer = setTimeout(() => {
      running = running.then(take);
    }, inMs).unref();
  }

  async function take(): Promise<void> {
    if (ending.aborted) return;
    hurried = false;
    const again = await turn();
    if (again !== null) next(hurried ? 0 : again);
  }
}
