import type { PathProposal, PathRule } from './commands.ts';

/** A file as we know it: below a root, '/' separators. */
export interface PlacedFile {
  rootId: string;
  path: string;
}

/** Where a source's path is; null when no rule covers it, or it is no plain path. */
export function placeOf(_path: string, _rules: readonly PathRule[]): PlacedFile | null {
  throw new Error('not yet');
}

/** What a source calls a file of ours; null when no rule covers it. */
export function sourcePathOf(_file: PlacedFile, _rules: readonly PathRule[]): string | null {
  throw new Error('not yet');
}

/** Rules guessed from files that both know: same last path segments, same size. Best supported first. */
export function proposeRules(
  _items: readonly { path: string; sizeBytes: number | null }[],
  _files: readonly (PlacedFile & { sizeBytes: number })[],
): PathProposal[] {
  throw new Error('not yet');
}
