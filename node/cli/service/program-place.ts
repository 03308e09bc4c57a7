import { PlainError } from '../../errors.ts';
import { pathsOf, type Machine } from './machine.ts';

/**
 * A service starts the program from where it lies for years.
 * @throws PlainError when that is a place that is emptied, or a hidden copy
 */
export function requireLastingPlace(machine: Machine, program: readonly string[]): void {
  const at = pathsOf(machine);
  for (const file of program.filter((word) => at.isAbsolute(word))) {
    const isPassing = machine.passing.some((folder) => file.startsWith(folder + at.sep)) || /[\\/](_npx|AppTranslocation)[\\/]/.test(file);
    if (!isPassing) continue;
    const place =
      machine.platform === 'win32'
        ? 'C:\\Program Files\\CodecShift'
        : machine.platform === 'darwin'
          ? '/usr/local/bin'
          : '/usr/local/bin or /opt';
    throw new PlainError(
      `This program lies in ${file}, a place that is emptied from time to time. Move it to ${place} first, and install the service from there.`,
    );
  }
}
