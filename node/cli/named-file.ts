import { access, constants, lstat, stat } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, messageOf, PlainError } from '../errors.ts';

/** A file that a person named to be written can be, and takes nobody's place. @throws PlainError before anything is done */
export async function requireNewFile(file: string): Promise<void> {
  const there = await lstat(file).catch(() => null);
  if (there?.isDirectory()) throw new PlainError(`${file} is a folder. Name a file in it.`);
  if (there) throw new PlainError(`${file} is there already; nothing is overwritten.`);
  const folder = path.dirname(file);
  const around = await stat(folder).catch((error: unknown) => {
    throw new PlainError(
      codeOf(error) === 'ENOENT'
        ? `The folder ${folder} is not there. Make it first, or name another one.`
        : `The folder ${folder} cannot be used: ${messageOf(error)}.`,
      { cause: error },
    );
  });
  if (!around.isDirectory()) throw new PlainError(`${folder} is no folder, so no file can be made in it.`);
  await access(folder, constants.W_OK).catch((cause: unknown) => {
    throw new PlainError(`Nothing may be written into the folder ${folder}.`, { cause });
  });
}

/** A file that a person named to be read is no folder; whatever else is wrong with it says whoever reads it. @throws PlainError */
export async function requireFile(file: string): Promise<void> {
  const there = await stat(file).catch(() => null);
  if (there?.isDirectory()) throw new PlainError(`${file} is a folder. Name the file of one backup.`);
}
