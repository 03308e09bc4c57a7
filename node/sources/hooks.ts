import type { SourceKind } from '../core/commands.ts';

/** What a webhook was about. Only a hint: the truth is read from the source itself. */
export interface HookHint {
  /** the same message (and an Import Complete that repeats it) has the same key; at most 100 characters */
  key: string;
  what: 'new' | 'changed' | 'gone' | 'renamed';
  libraryKey: string | null;
  ref: string | null;
  /** in the source's view, where it says one */
  path: string | null;
  /** of `renamed`: what it was called */
  before: string | null;
  sizeBytes: number | null;
}

/**
 * Reads the JSON of a webhook. Unknown events give no hint, and so does a test message.
 * @param identity who it must be from, where the program says that
 * @throws PlainError reason `source-is-another`: it is from another server; `source-odd`: it is no webhook of this program
 */
export function readHook(_kind: SourceKind, _identity: string, _json: unknown): HookHint[] {
  throw new Error('not yet');
}
