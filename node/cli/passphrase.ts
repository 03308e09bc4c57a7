import { readFile } from 'node:fs/promises';
import { codeOf, messageOf, PlainError } from '../errors.ts';

/** A passphrase is read from a file: on a command line every user of the machine would see it. `-` is the standard input. */
export async function passphraseFrom(file: unknown): Promise<string | null> {
  if (typeof file !== 'string') return null;
  const text = await (file === '-' ? standardInput() : readFile(file, 'utf8')).catch((cause: unknown) => {
    throw new PlainError(`The passphrase cannot be read from ${file} (${codeOf(cause) ?? messageOf(cause)}).`, { cause });
  });
  const passphrase = text.replace(/\r?\n$/, '');
  if (passphrase === '') throw new PlainError(`${file} holds no passphrase.`);
  return passphrase;
}

async function standardInput(): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}
