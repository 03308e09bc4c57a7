import { readFile } from 'node:fs/promises';
import { codeOf, messageOf, PlainError } from '../errors.ts';

/** A passphrase is read from a file: on a command line every user of the machine would see it. `-` is the standard input. */
export async function passphraseFrom(file: unknown): Promise<string | null> {
  return typeof file === 'string' ? secretFrom(file, 'passphrase') : null;
}

/** @param what it is, in words. @throws PlainError when there is none */
export async function secretFrom(file: string, what: string): Promise<string> {
  const text = await (file === '-' ? standardInput() : readFile(file, 'utf8')).catch((cause: unknown) => {
    throw new PlainError(`The ${what} cannot be read from ${file} (${codeOf(cause) ?? messageOf(cause)}).`, { cause });
  });
  const secret = text.replace(/\r?\n$/, '');
  if (secret === '') throw new PlainError(`${file} holds no ${what}.`);
  return secret;
}

async function standardInput(): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}
