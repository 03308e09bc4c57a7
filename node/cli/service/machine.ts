import { execFile } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';

/** What an installation has to know of the computer, and the one way in which it runs the system's own programs. */
export interface Machine {
  platform: NodeJS.Platform;
  /** null on Windows */
  uid: number | null;
  user: string;
  home: string;
  env: Record<string, string | undefined>;
  /** folders whose files go from time to time */
  passing: readonly string[];
  /** '' on a real computer; in tests a directory that stands for its root */
  root: string;
  /** Never a shell. Resolves also when the program fails or is not there (code 127). */
  run(command: readonly string[]): Promise<Ran>;
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

const LIMIT_MS = 120_000;

export function thisMachine(): Machine {
  const { username, homedir } = os.userInfo();
  return {
    platform: process.platform,
    uid: process.getuid?.() ?? null,
    user: username,
    home: os.homedir() || homedir,
    env: process.env,
    passing: passingPlaces(process.platform, os.tmpdir()),
    root: '',
    run: runProgram,
  };
}

/** @param temp where this system puts what is temporary */
export function passingPlaces(platform: NodeJS.Platform, temp: string): string[] {
  return platform === 'win32' ? [temp] : [temp, '/tmp', '/var/tmp', '/dev/shm', '/private/tmp', '/var/folders', '/run'];
}

export function runProgram(command: readonly string[], env: Record<string, string | undefined> = process.env): Promise<Ran> {
  const [file, ...args] = command;
  // the answers are read by this program: they have to be in one language
  const options = { env: { ...env, LC_ALL: 'C' }, timeout: LIMIT_MS, maxBuffer: 4_000_000, windowsHide: true };
  return new Promise((resolve) => {
    execFile(file!, args, options, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : error.code === 'ENOENT' ? 127 : 1) : 0;
      resolve({ code, stdout, stderr: stderr || (code === 127 ? `${file} is not installed` : (error?.message ?? '')) });
    });
  });
}

/** The rules of that computer for paths. */
export function pathsOf(machine: Machine): typeof path.posix {
  return machine.platform === 'win32' ? path.win32 : path.posix;
}

/** Where a path of the computer is for `fs`. */
export function placeOf(machine: Machine, file: string): string {
  return machine.root === '' ? file : path.join(machine.root, file);
}

export function isRoot(machine: Machine): boolean {
  return machine.uid === 0;
}
