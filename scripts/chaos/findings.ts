import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What the judge found wrong, in words; empty is the proof. It shares no code with what it judges. */
export interface Finding {
  about: 'film' | 'books' | 'leftover' | 'nodes';
  says: string;
}

export interface Judged {
  findings: Finding[];
  figures: Record<string, number | string>;
}

/** Everything below a folder, hidden or not. */
export function everyFile(folder: string): string[] {
  const found = globSync(['**/*', '**/.*', '**/.*/**/*', '**/.*/**/.*'], { cwd: folder });
  return [...new Set(found)].filter((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.isFile()).toSorted();
}
