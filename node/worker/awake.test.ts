import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { createAwake, wishesFor, type AwakeWish } from './awake.ts';

/** Real processes: a stand-in for systemd-inhibit that holds until its input ends, as the real one does with cat. */
let base: string;
let holder: AwakeWish;
before(() => {
  base = mkdtempSync(path.join(os.tmpdir(), 'codecshift-awake-'));
  const file = path.join(base, 'inhibit');
  writeFileSync(file, '#!/bin/sh\nexec cat\n');
  chmodSync(file, 0o755);
  holder = { file, args: ['--what=idle'] };
});
after(() => rmSync(base, { recursive: true, force: true }));

const missing: AwakeWish = { file: '/nonexistent/inhibit', args: [] };
const refused: AwakeWish = { file: '/bin/false', args: [] };

function awakeOf(t: TestContext, wishes: AwakeWish[], lingerMs = 0) {
  const awake = createAwake(wishes, lingerMs);
  t.after(() => awake.stop());
  return awake;
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function isAlive(pid: number): boolean {
  try {
    // the state after the name in brackets; a zombie holds nothing
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z');
  } catch {
    return false;
  }
}

test('a program holds the wish while it encodes, and only then', async (t) => {
  const awake = awakeOf(t, [holder]);
  assert.equal(awake.pid(), null);
  awake.hold();
  awake.hold();
  const pid = awake.pid()!;
  assert.ok(isAlive(pid));
  awake.release();
  await until(() => !isAlive(pid));
  awake.hold();
  assert.notEqual(awake.pid(), pid);
  const second = awake.pid()!;
  awake.stop();
  await until(() => !isAlive(second));
});

test('a short pause between two films is none', async (t) => {
  const awake = awakeOf(t, [holder], 60_000);
  awake.hold();
  const pid = awake.pid()!;
  awake.release();
  awake.hold();
  assert.equal(awake.pid(), pid);
  assert.ok(isAlive(pid));
});

test('where more is refused less is asked for, and where nothing is granted that is said and is no error', async (t) => {
  const lesser = awakeOf(t, [refused, holder]);
  lesser.hold();
  await until(
    () => lesser.pid() !== null && isAlive(lesser.pid()!) && readFileSync(`/proc/${lesser.pid()}/cmdline`, 'utf8').includes('cat'),
  );
  assert.equal(lesser.problem(), null);
  for (const wishes of [[missing], [refused, missing]]) {
    const none = awakeOf(t, wishes);
    assert.equal(none.problem(), null, 'nobody tried yet');
    none.hold();
    await until(() => none.problem() !== null);
    assert.match(none.problem()!, /may fall asleep while it encodes/);
  }
  assert.match(createAwake([]).problem()!, /cannot be kept awake/);
});

test(
  'nobody holds the machine awake after we were killed',
  { skip: process.platform === 'win32' && 'needs programs of POSIX' },
  async (t) => {
    const module = path.join(import.meta.dirname, 'awake.ts');
    const code = `import { createAwake } from ${JSON.stringify(module)}; const a = createAwake([${JSON.stringify(holder)}]); a.hold(); console.log(a.pid()); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    const pid = await new Promise<number>((resolve) => child.stdout.on('data', (said: Buffer) => resolve(Number(said.toString()))));
    assert.ok(isAlive(pid));
    child.kill('SIGKILL');
    await until(() => !isAlive(pid));
  },
);

test('every platform is asked with fixed words, and ends its wish with us', () => {
  const [best, lesser] = wishesFor('linux', 5);
  assert.deepEqual([best!.args[0], lesser!.args[0], best!.args.at(-1)], ['--what=idle:sleep', '--what=idle', 'cat']);
  assert.deepEqual(wishesFor('darwin', 4711), [{ file: '/usr/bin/caffeinate', args: ['-i', '-w', '4711'] }]);
  assert.match(wishesFor('win32', 5)[0]!.args.at(-1)!, /SetThreadExecutionState.*ReadLine/);
  assert.deepEqual(wishesFor('aix', 5), []);
});
