import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { settingsTables } from '../node/config/describe.ts';

/** Writes the tables of settings into docs/settings.md, between its two markers. */
const path = join(import.meta.dirname, '..', 'docs', 'settings.md');
const [start, end] = ['<!-- settings: made by scripts/readme.ts -->', '<!-- /settings -->'];
const text = readFileSync(path, 'utf8');
const [before, after] = [text.indexOf(start), text.indexOf(end)];
if (before < 0 || after < before) throw new Error(`docs/settings.md has lost its markers ${start} and ${end}`);
writeFileSync(path, `${text.slice(0, before + start.length)}\n\n${settingsTables()}\n\n${text.slice(after)}`);
