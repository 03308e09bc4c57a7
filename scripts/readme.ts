import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { settingsTable } from '../node/config/describe.ts';

/** Writes the table of settings into README.md, between its two markers. */
const path = join(import.meta.dirname, '..', 'README.md');
const [start, end] = ['<!-- settings: made by scripts/readme.ts -->', '<!-- /settings -->'];
const text = readFileSync(path, 'utf8');
const [before, after] = [text.indexOf(start), text.indexOf(end)];
if (before < 0 || after < before) throw new Error(`README.md has lost its markers ${start} and ${end}`);
writeFileSync(path, `${text.slice(0, before + start.length)}\n\n${settingsTable()}\n\n${text.slice(after)}`);
