import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { repository } from '../node/testing/tools.ts';
import { version } from '../node/version.ts';
import { billOfMaterials } from './build/bill-of-materials.ts';
import { bundle } from './build/bundle.ts';
import type { Bundle } from './build/bundle.ts';
import { makeExecutable } from './build/executable.ts';
import { licenceTexts } from './build/licenses.ts';
import { fetchRuntime } from './build/runtime.ts';
import { chosenTargets, ownTarget, targets } from './build/targets.ts';
import type { Target } from './build/targets.ts';
import { signWindowsProgram, windowsCertificate } from './build/windows-signature.ts';

/**
 * Builds the single executables: `npm run build` for all systems, `npm run build -- linux-x64` for some. They go to dist/
 * (or `--out FOLDER`), each with its bill of materials, and SHA256SUMS over everything. The same source gives the same
 * bytes on whatever machine; `--verify` builds all of it a second time and compares. docs/build.md says the rest.
 *
 *   bundle ─▶ per target: Node.js of package-lock.json ─▶ strip ─▶ add the bundle ─▶ sign ─▶ SHA256SUMS
 */
const { values, positionals } = parseArgs({
  options: { out: { type: 'string' }, verify: { type: 'boolean' } },
  allowPositionals: true,
});
const chosen = chosenTargets(positionals);
const certificate = windowsCertificate(process.env);
const out = values.out ?? join(repository, 'dist');
const runtimes = join(repository, 'build', 'runtimes');

const sums = await build(out);
if (values.verify) await buildAgain(sums);
const signed = chosen.filter((target) => certificate && target.name.startsWith('win'));
for (const target of signed) {
  signWindowsProgram(join(out, target.file), certificate!);
  sums.set(target.file, checksum(join(out, target.file)));
}
const lines = [...sums.keys()].sort().map((file) => `${sums.get(file)}  ${file}\n`);
writeFileSync(join(out, 'SHA256SUMS'), lines.join(''));
for (const target of chosen) console.log(words(target));

/** Everything that goes out, by name, with its checksum. Two builds may run at once: each has a folder to work in. */
async function build(into: string): Promise<Map<string, string>> {
  mkdirSync(into, { recursive: true });
  mkdirSync(runtimes, { recursive: true });
  // of an earlier build, and nothing else that a folder given by --out may hold
  for (const name of readdirSync(into)) if (/^(codecshift-|SHA256SUMS$)/.test(name)) rmSync(join(into, name));
  const work = mkdtempSync(join(repository, 'build', 'work-'));
  try {
    const inside = await contents(join(work, 'inside'));
    const made = new Map<string, string>();
    for (const target of chosen) for (const file of await buildOne(target, inside, work, into)) made.set(file, checksum(join(into, file)));
    return made;
  } finally {
    rmSync(work, { recursive: true });
  }
}

async function contents(folder: string): Promise<Bundle> {
  const made = await bundle(folder);
  // the same text in the packages of all systems but that of Windows, which has none
  const { license, version: node } = await fetchRuntime(
    targets.find(({ name }) => name === 'linux-x64')!,
    runtimes,
  );
  if (license === null) throw new Error('The package of Node.js came without its licence.');
  writeFileSync(join(folder, 'THIRD-PARTY-LICENSES'), licenceTexts(made.packages, { name: `Node.js ${node}`, text: license }));
  return { ...made, files: [...made.files, 'THIRD-PARTY-LICENSES'].sort() };
}

async function buildOne(target: Target, inside: Bundle, work: string, into: string): Promise<string[]> {
  const [runtime, builder] = [await fetchRuntime(target, runtimes), await fetchRuntime(ownTarget(), runtimes)];
  await makeExecutable({ target, bundle: inside, runtime: runtime.program, builder: builder.program, work, out: join(into, target.file) });
  const bill = `${target.file.replace(/\.exe$/, '')}.cdx.json`;
  writeFileSync(join(into, bill), billOfMaterials({ version, packages: inside.packages, runtime: target.runtime }));
  return [target.file, bill];
}

async function buildAgain(first: Map<string, string>): Promise<void> {
  const again = mkdtempSync(join(repository, 'build', 'again-'));
  const second = await build(again);
  rmSync(again, { recursive: true, force: true });
  const different = [...first].filter(([file, sum]) => second.get(file) !== sum).map(([file]) => file);
  if (different.length > 0) throw new Error(`A second build gave other bytes: ${different.join(', ')}.`);
  console.log('A second build gave the same bytes.');
}

function checksum(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function words(target: Target): string {
  const size = `${(statSync(join(out, target.file)).size / 1e6).toFixed(1)} MB`;
  const note = target.name.startsWith('darwin')
    ? ', signed ad hoc: a downloaded copy needs "xattr -d com.apple.quarantine" once'
    : target.name.startsWith('win') && !certificate
      ? ', not signed: Windows warns before its first start'
      : '';
  return `${target.file}  ${size}${note}`;
}
