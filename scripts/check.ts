import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repository } from '../node/testing/tools.ts';

/**
 * Everything that must hold before a change is shared, step by step with its time: `npm run check`, or
 * `npm run check -- lint types` for some steps only. All steps run even after one has failed.
 */
interface Step {
  name: string;
  run(): Promise<boolean>;
}

const bin = (name: string): string => join(repository, 'node_modules', name);

const steps: Step[] = [
  { name: 'format', run: () => node([bin('oxfmt/bin/oxfmt'), '--check']) },
  { name: 'lint', run: () => node([bin('oxlint/bin/oxlint'), '--quiet']) },
  { name: 'types', run: () => node([bin('typescript/bin/tsc'), '-p', '.']) },
  { name: 'templates', run: () => script('scripts/views.ts') },
  { name: 'settings', run: settingsAreCurrent },
  { name: 'tests', run: () => script('scripts/test.ts') },
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) throw new Error(`No step is called ${unknown.join(', ')}; there are ${steps.map((step) => step.name).join(', ')}`);

const failed: string[] = [];
for (const step of steps.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  const started = performance.now();
  const passed = await step.run();
  console.log(`${passed ? 'ok  ' : 'FAIL'} ${step.name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  if (!passed) failed.push(step.name);
}
console.log(failed.length === 0 ? 'Everything holds.' : `Failed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;

function script(file: string): Promise<boolean> {
  return node([join(repository, file)]);
}

function node(args: string[]): Promise<boolean> {
  if (!existsSync(args[0]!)) return Promise.resolve(skipped(args[0]!));
  const child = spawn(process.execPath, args, { cwd: repository, stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code === 0));
  });
}

/** The tables of docs/settings.md are made from the schema, so that they can't promise what no code reads. */
async function settingsAreCurrent(): Promise<boolean> {
  const source = join(repository, 'node', 'config', 'describe.ts');
  if (!existsSync(source)) return skipped(source);
  const config = (await import(pathToFileURL(source).href)) as { settingsTables(): string };
  if (readFileSync(join(repository, 'docs', 'settings.md'), 'utf8').includes(config.settingsTables().trim())) return true;
  console.log('docs/settings.md is out of date; "node scripts/node.cjs scripts/readme.ts" writes it anew.');
  return false;
}

function skipped(path: string): boolean {
  console.log(`     ${path} does not exist yet`);
  return true;
}
