import { execFile } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import type { Bundle } from './bundle.ts';
import { signMacProgram } from './mac-signature.ts';
import { verifyMacProgram } from './mac-verify.ts';
import { stripElf } from './strip-elf.ts';
import type { Target } from './targets.ts';
import { unsignWindowsProgram } from './windows-signature.ts';

/**
 * One executable: Node.js of the target with the bundle inside. `builder` is the Node.js of this machine in the same
 * version, because the two must agree on the form of what is added; so every system's executable can be made on one.
 */
export async function makeExecutable(options: {
  target: Target;
  bundle: Bundle;
  /** the target's Node.js */
  runtime: string;
  builder: string;
  /** a folder for what lies between */
  work: string;
  /** where the executable goes */
  out: string;
}): Promise<void> {
  const { target, bundle, runtime, builder, work, out } = options;
  const [base, recipe] = [join(work, `${target.name}-node`), join(work, `${target.name}.json`)];
  writeFileSync(base, prepared(target, readFileSync(runtime)), { mode: 0o755 });
  writeFileSync(recipe, JSON.stringify(recipeFor(bundle, base, out)));
  await promisify(execFile)(builder, ['--build-sea', recipe], { cwd: bundle.folder, timeout: 5 * 60_000 });
  rmSync(base);
  if (target.name.startsWith('darwin')) signMac(out);
  chmodSync(out, 0o755);
}

function signMac(file: string): void {
  const signed = signMacProgram(readFileSync(file), 'codecshift');
  const problems = verifyMacProgram(signed)?.problems ?? ['it has no signature'];
  if (problems.length > 0) throw new Error(`The signature of ${file} does not hold: ${problems.slice(0, 5).join(', ')}.`);
  writeFileSync(file, signed);
}

/** Whatever adding our parts would leave wrong or useless is taken off first. */
function prepared(target: Target, runtime: Buffer): Buffer {
  if (target.name.startsWith('linux')) return stripElf(runtime);
  if (target.name.startsWith('win')) return unsignWindowsProgram(runtime);
  return runtime; // a Mac's signature is dropped by adding
}

/** Paths below the bundle only: they become part of the executable, and it shall be the same wherever it is built. */
function recipeFor(bundle: Bundle, base: string, out: string): object {
  const inside = bundle.files.filter((file) => file !== 'main.mjs');
  return {
    main: 'main.mjs',
    mainFormat: 'module',
    executable: relative(bundle.folder, base),
    output: relative(bundle.folder, out),
    disableExperimentalSEAWarning: true,
    useVfs: true,
    // NODE_OPTIONS of whoever starts it is for another Node.js
    execArgvExtension: 'none',
    assets: Object.fromEntries(inside.map((file) => [file, join('.', file)])),
  };
}
