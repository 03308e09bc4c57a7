import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../node/testing/tools.ts';
import { locked } from './lock.ts';

/**
 * The licences of everything inside an executable, as the licences themselves ask for: the text that came with each part,
 * once for all parts that share it. `codecshift licenses` prints it.
 * @param packages where they are installed, as package-lock.json names them
 * @param runtime the licence of Node.js, with those of all that is inside Node.js
 */
export function licenceTexts(packages: readonly string[], runtime: { name: string; text: string }): string {
  const parts = new Map<string, string[]>();
  const add = (text: string, name: string): void => void parts.set(text, [...(parts.get(text) ?? []), name]);
  for (const path of packages) {
    const { name, version, license } = locked(path);
    add(textOf(path, license), `${name} ${version} (${license ?? 'licence not stated'})`);
  }
  add(readFileSync(join(import.meta.dirname, 'postgresql.LICENSE'), 'utf8').trim(), 'PostgreSQL, inside @electric-sql/pglite (PostgreSQL)');
  add(readFileSync(join(repository, 'static', 'icons.LICENSE'), 'utf8').trim(), 'Lucide, the icons of the page (ISC)');
  add(runtime.text.trim(), `${runtime.name} (MIT, and those of its parts)`);
  const blocks = [...parts].map(([text, names]) => `${names.sort().join('\n')}\n\n${indented(text)}\n`);
  return `CodecShift contains the following software of others.\n\n${blocks.sort().join(`\n${'-'.repeat(80)}\n\n`)}`;
}

function textOf(path: string, license: string | null): string {
  const folder = join(repository, path);
  const files = readdirSync(folder)
    .filter((name) => /^(licen[cs]e|copying|notice)/i.test(name))
    .sort();
  if (files.length > 0) return files.map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim()).join('\n\n');
  return substitute(license, authorOf(folder), path);
}

/** Many packages only name their licence in package.json. Its usual text stands in; where there is a choice, MIT is chosen. */
function substitute(license: string | null, author: string, path: string): string {
  if (/\bMIT\b/.test(license ?? '')) return `Copyright (c) ${author}\n\n${mit}`;
  if (license === 'Apache-2.0')
    return `Copyright (c) ${author}\n\nLicensed under the Apache License, Version 2.0; its text stands with others of this list.`;
  throw new Error(`${path} comes without the text of its licence (${license ?? 'none stated'}).`);
}

function authorOf(folder: string): string {
  const { author, name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    author?: string | { name?: string };
    name: string;
  };
  return (typeof author === 'string' ? author.replace(/\s*[<(].*$/, '') : author?.name) ?? `the authors of ${name}`;
}

function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '    ');
}

const mit = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;
