import type { FileCount } from '../../db/libraries.ts';

/** Counted files of one library, status and codec. */
export type FileCell = Omit<FileCount, 'libraryId'>;

/** Files that were found and are not looked at yet. */
export function unseenFiles(cells: readonly FileCell[]): number {
  return sum(
    cells.filter((c) => c.status === 'new' || c.status === 'settling'),
    (c) => c.files,
  );
}

/** Of the files that wait to be converted. */
export function waitingBytes(cells: readonly FileCell[]): number {
  return sum(
    cells.filter((c) => c.status === 'queued' && c.files > 0),
    (c) => c.bytes,
  );
}

export function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
