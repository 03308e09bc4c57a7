// One of the processes of scripts/swap-crash.ts: system calls are broken for a whole process, so each strikes alone.
import { runFaults, type Tally } from './run.ts';

const [faults, seed, only] = process.argv.slice(2);
let told = 0;
process.on('disconnect', () => process.exit());
const tell = (tally: Tally): void => {
  if (tally.faults < told + 20) return;
  told = tally.faults;
  process.send?.(tally);
};
const tally = await runFaults({ faults: Number(faults), seed: Number(seed), ...(only ? { only: only.split(',') } : {}), say: tell });
process.send?.(tally);
process.disconnect?.();
