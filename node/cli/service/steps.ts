import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, messageOf, PlainError } from '../../errors.ts';
import { placeOf, type Machine } from './machine.ts';

/** One thing that an installation does. All of them are known, and can be shown, before the first is done. */
export type Step =
  | { do: 'directory'; path: string; mode: number }
  | { do: 'file'; path: string; content: string | Buffer; mode: number; secret?: boolean }
  | { do: 'remove'; path: string }
  | { do: 'run'; command: readonly string[]; unless?: Unless; otherwise?: string; tries?: number };

/** What a failing command does to the installation. 'noted': a person is told; 'ignored': there was nothing to do. */
type Unless = 'noted' | 'ignored';

/** @throws PlainError with the step that failed; what was done before stays, and doing it again is harmless */
export async function carryOut(machine: Machine, steps: readonly Step[]): Promise<string[]> {
  const failed: string[] = [];
  for (const step of steps) {
    if (step.do === 'run') {
      const problem = await runStep(machine, step);
      if (problem && !step.unless) throw new PlainError(`${problem}.`);
      if (problem && step.unless === 'noted') failed.push(`${problem}.${step.otherwise ? ` ${step.otherwise}` : ''}`);
    } else
      await changeDisk(machine, step).catch((error: unknown) => {
        throw new PlainError(`${step.path} cannot be ${step.do === 'remove' ? 'removed' : 'written'}: ${why(error)}.`, { cause: error });
      });
  }
  return failed;
}

async function changeDisk(machine: Machine, step: Exclude<Step, { do: 'run' }>): Promise<void> {
  const at = placeOf(machine, step.path);
  if (step.do === 'remove') return rm(at, { force: true });
  if (step.do === 'directory') {
    await mkdir(at, { recursive: true, mode: step.mode });
    return;
  }
  await mkdir(path.dirname(at), { recursive: true });
  // never half a file, and a secret is never readable for a moment
  await writeFile(`${at}.new`, step.content, { mode: step.mode });
  await chmod(`${at}.new`, step.mode);
  await rename(`${at}.new`, at);
}

const AGAIN_MS = 500;

async function runStep(machine: Machine, step: Extract<Step, { do: 'run' }>): Promise<string | null> {
  for (let tries = step.tries ?? 1; ; tries--) {
    const { code, stdout, stderr } = await machine.run(step.command);
    if (code === 0) return null;
    const said = (stderr.trim() || stdout.trim()).split('\n').slice(-3).join(' ');
    if (tries <= 1) return `"${shown(step.command)}" failed${said ? `: ${said}` : ` with exit code ${code}`}`;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** Removes a directory that holds nothing any more; one that does is none of ours. */
export async function removeEmpty(machine: Machine, directory: string): Promise<void> {
  await rmdir(placeOf(machine, directory)).catch(() => {});
}

export async function textOf(machine: Machine, file: string): Promise<string | null> {
  return readFile(placeOf(machine, file), 'utf8').catch(() => null);
}

export function digest(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** What `--dry-run` shows: everything but the secrets. */
export function stepWords(step: Step): string {
  if (step.do === 'run') return `$ ${shown(step.command)}`;
  if (step.do === 'directory') return `Directory ${step.path} (${octal(step.mode)})`;
  if (step.do === 'remove') return `Remove ${step.path}`;
  const text = typeof step.content === 'string' ? step.content : step.content.toString('utf16le').replace(/^\uFEFF/, '');
  const lines = (step.secret ? text.replace(/^(\w+)=.*$/gm, '$1=[secret]') : text).trimEnd().split('\n');
  return `File ${step.path} (${octal(step.mode)}):\n${lines.map((line) => `    ${line.trimEnd()}`.trimEnd()).join('\n')}`;
}

/** A command as a person could type it. */
export function shown(command: readonly string[]): string {
  return command.map((word) => (/^[\w@%+=:,./\\-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

function why(error: unknown): string {
  const code = codeOf(error);
  if (code === 'EACCES' || code === 'EPERM') return 'this user may not do that';
  if (code === 'EROFS') return 'the disk is read-only';
  if (code === 'ENOSPC') return 'the disk is full';
  return messageOf(error);
}
