// One of the processes of scripts/swap-crash.ts: system calls are broken for a whole process, so each strikes alone.
import { runFaults } from './run.ts';

const [faults, seed, only] = process.argv.slice(2);
const tally = await runFaults({
  faults: Number(faults),
  seed: Number(seed),
  ...(only ? { only: only.split(',') } : {}),
  say: (done) => void process.send?.({ done }),
});
process.send?.({ tally });
process.disconnect?.();
