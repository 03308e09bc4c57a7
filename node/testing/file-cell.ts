import type { FileCell } from '../web/models/file-cells.ts';

/** So many files of one status and codec, which were never larger and are not expected to become smaller unless `more` says so. */
export function cell(status: string, codec: string, files: number, bytes: number, more: Partial<FileCell> = {}): FileCell {
  return { status, codec, files, bytes, expectedBytes: bytes, originalBytes: bytes, ...more };
}
