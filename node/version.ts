import { readFileSync } from 'node:fs';
import { programFile } from './program.ts';

/** The version of this build, from package.json. */
export const version: string = (JSON.parse(readFileSync(programFile('package.json'), 'utf8')) as { version: string }).version;
