import { statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';

/** what all databases of a run take at once, several times over; a container often has 64 MB of it */
const ENOUGH_BYTES = 4 * 1024 ** 3;

/**
 * Where databases of tests lie: in memory where there is plenty of it, else in the temporary folder. A database is a thousand
 * files, and to make and remove seven hundred of them is a good part of what the tests ask of a machine. Films and journals lie
 * on a real disk, which is what their tests are about.
 */
export function memoryFolder(): string {
  try {
    const { bavail, bsize, type } = statfsSync('/dev/shm');
    const inMemory = type === TMPFS && Math.min(bavail * bsize, freemem()) > ENOUGH_BYTES;
    return inMemory ? '/dev/shm' : tmpdir();
  } catch {
    return tmpdir();
  }
}

const TMPFS = 0x01021994;
