import { lookForMarkers } from '../files/marker-look.ts';
import type { LookOrder } from '../files/marker-look.ts';

/** Started by files/find-roots.ts, which reads the lines. One marker at a time: what was found before a hang is not lost. */
export async function run([order = '']: string[]): Promise<number> {
  await lookForMarkers(JSON.parse(order) as LookOrder, (marker) => void process.stdout.write(`${JSON.stringify(marker)}\n`));
  return 0;
}
