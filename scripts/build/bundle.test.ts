import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository } from '../../node/testing/tools.ts';
import { contents } from './bundle.ts';

test('whatever the program asks program.ts for is put into the executable', () => {
  const inside = contents.map(([, to]) => to);
  const has = (file: string): boolean => inside.some((name) => file === name || file.startsWith(`${name}/`));
  // made by the build itself; and asked for when there is no executable
  const other = ['THIRD-PARTY-LICENSES', 'commit', 'database', 'node'];
  const code = globSync('node/**/*.ts', { cwd: repository })
    .filter((file) => !/\.test\.ts$|^node.testing/.test(file))
    .map((file) => readFileSync(join(repository, file), 'utf8'));
  const asked = code.flatMap((text) => [
    ...[...text.matchAll(/\b(?:programFile|unpack)\('([^']+)'/g)].map((match) => match[1]!),
    ...[...text.matchAll(/\bpackageFile\('([^']+)', '([^']+)'/g)].map((match) => `node_modules/${match[1]}/${match[2]}`),
  ]);
  assert.ok(asked.includes('views') && asked.includes('node_modules/htmx.org/dist/htmx.min.js'), 'the questions are not found any more');
  assert.deepEqual(
    asked.filter((file) => !has(file) && !other.includes(file)),
    [],
  );
});
