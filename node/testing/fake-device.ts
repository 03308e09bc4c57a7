import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tools } from '../ffmpeg/locate.ts';

/** A graphics device that this machine does not have, and what is wrong with it. */
export interface FakeDevice {
  /** ffmpeg's names of the encoders that it offers */
  encoders: string[];
  /** numbered from 0; more are not there */
  cards?: number;
  /** what the driver says where there is no such card, as recorded; default: no driver at all */
  missing?: string[];
  /** so many encodes at once, then the driver refuses */
  sessions?: number;
  refusesTenBit?: boolean;
  refusesBFrames?: boolean;
  /** proves itself, and then breaks at every film with these words */
  failsFilms?: string[];
  /** begins and never says a word */
  hangs?: boolean;
  /** ends well, with the right number of black pictures */
  garbage?: boolean;
}

export interface Faked {
  /** to be used as the real ones; without a cage, which would hide the fake */
  tools: Tools;
  /** from now on it is like this */
  change(device: FakeDevice): void;
  remove(): void;
}

/** The real tools with such a device in the machine. */
export function fakeDevice(real: Tools, device: FakeDevice): Faked {
  const folder = mkdtempSync(join(tmpdir(), 'codecshift-device-'));
  const [program, settings] = [join(folder, 'ffmpeg'), join(folder, 'device.json')];
  const change = (now: FakeDevice): void => writeFileSync(settings, JSON.stringify({ ...now, ffmpeg: real.ffmpeg.path, folder }));
  change(device);
  const words = [process.execPath, join(import.meta.dirname, 'fake-device-program.ts'), settings].map((word) => `'${word}'`);
  writeFileSync(program, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`, { mode: 0o755 });
  return {
    tools: { ...real, ffmpeg: { ...real.ffmpeg, path: program }, cage: null },
    change,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
