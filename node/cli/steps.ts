/** Tells on stderr what a long command does now; one line for each step, brought up to date on a terminal. */
export function tellSteps(quiet: boolean): (step: { says: string; done: number | null; of: number | null }) => void {
  let last = '';
  let at = -Infinity;
  return ({ says, done, of }) => {
    if (quiet) return;
    const isNew = says !== last;
    if (!isNew && (!process.stderr.isTTY || performance.now() - at < 500)) return;
    last = says;
    at = performance.now();
    const numbers =
      done !== null && process.stderr.isTTY ? ` ${done.toLocaleString('en')}${of ? ` of ${of.toLocaleString('en')}` : ''}` : '';
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${says}${numbers}` : `${says}\n`);
    if (process.stderr.isTTY && isNew && numbers === '') process.stderr.write('\n');
  };
}

/** Ctrl-C gives a long command up in order: what it began is undone. */
export function stopsBySignal(): AbortSignal {
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stopped.abort(new Error('Stopped by you. Nothing was changed.')));
  return stopped.signal;
}
