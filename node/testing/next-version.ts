import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMigrations } from '../db/migrate.ts';
import { repository } from './tools.ts';

export interface NextVersion {
  /** what `startProgram` is given instead of the program itself */
  entry: string;
  version: string;
  /** how many migrations it knows */
  schema: number;
}

/**
 * The version after this one, made from a copy of the program: another number, one migration more, which adds a column
 * and changes rows, and another range of protocols. It lies in `directory` and goes with it.
 */
export function makeNextVersion(directory: string, wish: { version: string; speaks: { min: number; max: number } }): NextVersion {
  for (const part of ['node', 'views', 'static', 'migrations'])
    cpSync(join(repository, part), join(directory, part), { recursive: true, filter: (file) => !/\.test\.ts$|\/testing(\/|$)/.test(file) });
  symlinkSync(join(repository, 'node_modules'), join(directory, 'node_modules'), 'dir');
  const description = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as object;
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ ...description, version: wish.version }));
  const compatibility = join(directory, 'node', 'core', 'compatibility.ts');
  const { min, max } = wish.speaks;
  const before = readFileSync(compatibility, 'utf8');
  const after = before.replace(/(const speaks: ProtocolRange =) \{[^}]*\}/, `$1 { min: ${min}, max: ${max} }`);
  if (after === before && !before.includes(`{ min: ${min}, max: ${max} }`)) throw new Error('what this build speaks was not found');
  writeFileSync(compatibility, after);
  const schema = readMigrations().length + 1;
  writeFileSync(
    join(directory, 'migrations', `${String(schema).padStart(4, '0')}_next.sql`),
    `alter table nodes add column favourite boolean not null default false;\nupdate nodes set favourite = true where name = 'c';\n`,
  );
  return { entry: join(directory, 'node', 'main.ts'), version: wish.version, schema };
}
