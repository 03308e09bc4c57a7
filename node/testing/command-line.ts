import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { repository } from './tools.ts';

export interface Said {
  code: number;
  stdout: string;
  stderr: string;
}

/** A command as a person types it; also its failures are answers. */
export function codecshift(...args: string[]): Promise<Said> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(repository, 'node', 'main.ts'), ...args], (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}
