/**
 * What is wrong, in words. The files of the embedded database are opened by WebAssembly, whose errors are no `Error`: an object
 * with a number, which would be read as "[object Object]". The numbers are WASI's, not those of the system.
 */
export function fileTrouble(error: unknown): string {
  if (error instanceof Error) return error.message;
  const number = (error as { errno?: unknown } | null)?.errno;
  if (typeof number !== 'number') return String(error);
  return words[number] ?? `one of its files cannot be used (WASI error ${number})`;
}

const words: Readonly<Record<number, string>> = {
  2: 'this user may not write one of its files',
  19: 'this user may use no more of the disk',
  29: 'the disk could not read or write one of its files',
  33: 'too many files are open',
  41: 'too many files are open on this machine',
  51: 'its disk is full. A new database needs 60 MB',
  63: 'this user may not do that with one of its files',
  69: 'its disk is read-only',
};
