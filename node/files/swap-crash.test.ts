/**
 * Goal one of the house: whatever dies, whenever, the film is there. A child process is killed by SIGKILL at every fault
 * point of every way to swap and restore; then a fresh process recovers. CODECSHIFT_CRASH_ROUNDS changes the 2 rounds.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { requireTool } from '../testing/tools.ts';
import { deliver } from './deliver.ts';
import { forget, listJournals, readJournal, type SwapResult } from './journal.ts';
import { fingerprint } from './fingerprint.ts';
import { adoptRoot, openRoot, type Root } from './roots.ts';
import { execute, film, filesBelow, inPool, order } from './swap-crash-stage.ts';
import type { CrashOrder, CrashTask } from './swap-crash.child.ts';
import { swapSteps } from './swap-steps.ts';
import { swap } from './swap.ts';

const ROUNDS = Number(process.env['CODECSHIFT_CRASH_ROUNDS'] ?? 2);

interface Way {
  name: keyof typeof swapSteps;
  op: 'swap' | 'restore';
  from: string;
  to: string;
  refuseLinks: boolean;
  rounds: number;
}

const ways: Way[] = [
  { name: 'sameName', op: 'swap', from: 'Film.mkv', to: 'Film.mkv', refuseLinks: false, rounds: ROUNDS },
  { name: 'otherName', op: 'swap', from: 'Film.avi', to: 'Film.mkv', refuseLinks: false, rounds: ROUNDS },
  { name: 'sameNameWithoutLinks', op: 'swap', from: 'Film.mkv', to: 'Film.mkv', refuseLinks: true, rounds: ROUNDS },
  { name: 'otherNameWithoutLinks', op: 'swap', from: 'Film.avi', to: 'Film.mkv', refuseLinks: true, rounds: ROUNDS },
  { name: 'restoreSameName', op: 'restore', from: 'Film.mkv', to: 'Film.mkv', refuseLinks: false, rounds: ROUNDS },
  { name: 'restoreOtherName', op: 'restore', from: 'Film.avi', to: 'Film.mkv', refuseLinks: false, rounds: ROUNDS },
  { name: 'restoreWithoutLinks', op: 'restore', from: 'Film.mkv', to: 'Film.mkv', refuseLinks: true, rounds: ROUNDS },
];

let scratch: string;
/** the first round of each point is done with real films */
let films: { original: Buffer; output: Buffer };
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'codecshift-crash-'));
  films = { original: await film(requireTool('ffmpeg'), scratch, 'mjpeg'), output: await film(requireTool('ffmpeg'), scratch, 'mpeg4') };
});
after(async () => {
  await rm(scratch, { recursive: true, force: true });
});

for (const way of ways) {
  test(`${way.name}: the list of fault points is the one the code has`, async () => {
    const stage = await prepare(way, 0);
    const { points, reports } = await run({ what: 'perform', tasks: [stage.task], dieAt: null, refuseLinks: way.refuseLinks });
    assert.deepEqual(points, [...swapSteps[way.name]]);
    assert.equal(reports[0]?.error, undefined);
    await assertEnded(stage, reports[0]?.result ?? null);
  });

  test(
    `${way.name}: killed at each of its points, ${way.rounds} rounds each, a whole film is always there`,
    { timeout: 1_200_000 },
    async () => {
      await inPool(swapSteps[way.name].map((point, dieAt) => () => killAndRecover(way, point, dieAt)));
    },
  );
}

test('recovery killed at each of its own points is finished by the next one', { timeout: 600_000 }, async () => {
  for (const way of ways.filter((w) => !['otherNameWithoutLinks', 'restoreOtherName'].includes(w.name))) {
    const dieAt = way.name.startsWith('restore') ? 3 : 1;
    const stage = await killed(way, dieAt, 0);
    const { points } = await run({ what: 'recover', tasks: [stage.task], dieAt: null, refuseLinks: way.refuseLinks });
    assert.ok(points.length > 5, `${way.name} recovers through its own points: ${points.join()}`);
    await inPool(
      points.map((_, n) => async () => {
        const one = await killed(way, dieAt, n);
        await run({ what: 'recover', tasks: [one.task], dieAt: n, refuseLinks: way.refuseLinks }, true);
        if (points[n] !== 'original renamed away' || !way.refuseLinks) await assertWholeFile(one);
        await recoverAndCheck(way, [one]);
      }),
    );
  }
});

test('taking back, killed at each of its points, leaves the changed original alone', { timeout: 600_000 }, async () => {
  for (const way of ways.filter((w) => w.op === 'swap')) {
    const steps: readonly string[] = swapSteps[way.name];
    for (const dieAt of [2, steps.indexOf('trash ready') + 1]) {
      const probe = await changedMeanwhile(way, dieAt);
      if (!probe) continue;
      const { points } = await run({ what: 'recover', tasks: [probe.task], dieAt: null, refuseLinks: way.refuseLinks });
      await assertTakenBack(probe);
      await inPool(
        points.map((_, n) => async () => {
          const one = await changedMeanwhile(way, dieAt);
          assert.ok(one);
          await run({ what: 'recover', tasks: [one.task], dieAt: n, refuseLinks: way.refuseLinks }, true);
          await run({ what: 'recover', tasks: [one.task], dieAt: null, refuseLinks: way.refuseLinks });
          await assertTakenBack(one);
        }),
      );
    }
  }
});

test('the original gets its name back when the output is lost or damaged after it was renamed away', async () => {
  const way = ways.find((one) => one.name === 'sameNameWithoutLinks');
  assert.ok(way);
  for (const harm of [(path: string) => rm(path), (path: string) => writeFile(path, 'damaged')]) {
    const stage = await killed(way, swapSteps[way.name].indexOf('original renamed away'), 3);
    assert.deepEqual(await readdir(stage.folder), ['.tmp_41_Film.mkv', 'Film.mkv.lock'], 'this is the one place where the name is free');
    await harm(join(stage.folder, '.tmp_41_Film.mkv'));
    const { reports } = await run({ what: 'recover', tasks: [stage.task], dieAt: null, refuseLinks: true });
    assert.equal(reports[0]?.outcomes[0]?.outcome, 'undone');
    assert.deepEqual(await readFile(join(stage.folder, 'Film.mkv')), stage.original);
    assert.ok(!(await readdir(stage.folder)).includes('Film.mkv.lock'));
  }
});

const run = (what: CrashOrder, dies = false): ReturnType<typeof order> => order(scratch, what, dies);

interface Stage {
  way: Way;
  root: Root;
  task: CrashTask;
  folder: string;
  original: Buffer;
  output: Buffer;
}

/** A root with one film and a delivered output; for a restore, already swapped once. */
async function prepare(way: Way, round: number): Promise<Stage> {
  const path = await mkdtemp(join(scratch, 'root-'));
  const adopted = await adoptRoot(path, {});
  const root = await openRoot({ path: adopted.rootPath, id: adopted.rootId });
  const folder = join(root.path, 'Films');
  await mkdir(folder);
  const original = round === 0 ? films.original : randomBytes(1 + ((round * 7919) % 200_000));
  const output = round === 0 ? films.output : randomBytes(1 + ((round * 104_729) % 150_000));
  await writeFile(join(folder, way.from), original);
  const from = join(path, '.output');
  await writeFile(from, output);
  const sha256 = createHash('sha256').update(output).digest('hex');
  const who = { node: 'node-a', job: 7, attempt: 41, term: 3 };
  const delivered = await deliver({ root, ...who, target: `Films/${way.to}`, from, sizeBytes: output.length, sha256 });
  await rm(from);
  const wish = {
    ...who,
    path: `Films/${way.from}`,
    target: `Films/${way.to}`,
    tmpPath: delivered.tmpPath,
    fingerprint: await fingerprint(join(folder, way.from)),
    sha256,
  };
  const stage = { way, root, folder, original, output };
  if (way.op === 'swap') return { ...stage, task: { op: 'swap', root: { path: root.path, id: root.id }, wish } };
  const done = await swap({ root, ...wish });
  await forget(root, who.attempt);
  assert.ok(done.original);
  return {
    ...stage,
    task: {
      op: 'restore',
      root: { path: root.path, id: root.id },
      wish: {
        ...who,
        attempt: 42,
        path: wish.path,
        trashPath: done.original.trashPath,
        current: done.path,
        fingerprint: done.original.fingerprint,
      },
    },
  };
}

async function killed(way: Way, dieAt: number, round: number): Promise<Stage> {
  const stage = await prepare(way, round);
  await run({ what: 'perform', tasks: [stage.task], dieAt, refuseLinks: way.refuseLinks }, true);
  return stage;
}

async function killAndRecover(way: Way, point: string, dieAt: number): Promise<void> {
  const stages: Stage[] = [];
  for (let round = 0; round < way.rounds; round++) {
    const stage = await killed(way, dieAt, round);
    // without links the name is free between two adjacent system calls, and this is the place between them
    if (way.refuseLinks && point === 'original renamed away') await assertOriginalSomewhere(stage);
    else await assertWholeFile(stage);
    if (round === 0 && !way.refuseLinks) await assertPlayable(stage);
    stages.push(stage);
  }
  await recoverAndCheck(way, stages);
  await assertPlayable(stages[0]);
  for (const stage of stages) await rm(stage.root.path, { recursive: true, force: true });
}

async function recoverAndCheck(way: Way, stages: Stage[]): Promise<void> {
  const { reports } = await run({ what: 'recover', tasks: stages.map((stage) => stage.task), dieAt: null, refuseLinks: way.refuseLinks });
  for (const [n, stage] of stages.entries()) {
    const report = reports[n];
    assert.equal(report?.outcomes.length, 1, 'told once');
    assert.equal(report.outcomes[0]?.outcome, 'done', JSON.stringify(report));
    assert.deepEqual(report.result, report.outcomes[0]?.result, 'asked again, the same result');
    await assertEnded(stage, report.result ?? null);
  }
}

/** The film was rewritten by somebody else after the process died. */
async function changedMeanwhile(way: Way, dieAt: number): Promise<Stage | null> {
  const stage = await killed(way, dieAt, 3);
  const path = join(stage.folder, way.from);
  const there = await readFile(path).catch(() => null);
  if (!there?.equals(stage.original)) return null;
  const theirs = randomBytes(5000);
  await rm(path);
  await writeFile(path, theirs);
  return { ...stage, original: theirs };
}

async function assertTakenBack(stage: Stage): Promise<void> {
  assert.deepEqual(await readFile(join(stage.folder, stage.way.from)), stage.original, "the stranger's film stands untouched");
  assert.deepEqual(await readdir(stage.folder), [stage.way.from], 'nothing of ours is beside it');
  for (const attempt of await listJournals(stage.root)) assert.equal((await readJournal(stage.root, attempt))?.step, 'undone');
}

/** Under the old or the new name stands one complete film. */
async function assertWholeFile(stage: Stage): Promise<void> {
  const names = [stage.way.from, stage.way.to];
  const files = await Promise.all(names.map((name) => readFile(join(stage.folder, name)).catch(() => null)));
  const whole = files.filter((bytes) => bytes !== null);
  assert.ok(whole.length > 0, `a file stands under ${names.join(' or ')}`);
  for (const bytes of whole) assert.ok(bytes.equals(stage.original) || bytes.equals(stage.output), 'what stands there is complete');
  await assertOriginalSomewhere(stage);
}

async function assertPlayable(stage: Stage | undefined): Promise<void> {
  assert.ok(stage);
  for (const name of (await readdir(stage.folder)).filter((one) => one.startsWith('Film') && !one.endsWith('.lock'))) {
    const probe: { stdout: string } = await execute(requireTool('ffprobe'), [
      '-v',
      'error',
      '-count_frames',
      '-show_entries',
      'stream=nb_read_frames',
      '-of',
      'csv=p=0',
      join(stage.folder, name),
    ]);
    assert.equal(probe.stdout.trim(), '5', `${name} plays to its end`);
  }
}

async function assertOriginalSomewhere(stage: Stage): Promise<void> {
  const all = await filesBelow(stage.root.path);
  const found = await Promise.all(all.map(async (path) => (await readFile(path)).equals(stage.original)));
  assert.ok(found.includes(true), `the original is somewhere among ${all.join(', ')}`);
}

async function assertEnded(stage: Stage, result: SwapResult | null): Promise<void> {
  const { way } = stage;
  const [stands, waits] = way.op === 'swap' ? [stage.output, stage.original] : [stage.original, stage.output];
  const name = way.op === 'swap' ? way.to : way.from;
  assert.deepEqual(await readdir(stage.folder), [name], 'one film, no lock, nothing temporary');
  assert.deepEqual(await readFile(join(stage.folder, name)), stands);
  assert.equal(result?.path, `Films/${name}`);
  assert.ok(result.original);
  assert.deepEqual(await readFile(join(stage.root.path, result.original.trashPath)), waits);
  assert.deepEqual(await fingerprint(join(stage.folder, name)), result.fingerprint);
  const trash = (await filesBelow(join(stage.root.path, '.codecshift', 'trash'))).filter((path) => basename(path) !== 'where.json');
  assert.equal(trash.length, 1, `one file waits in the trash: ${trash.join(', ')}`);
  const steps = await Promise.all((await listJournals(stage.root)).map(async (attempt) => (await readJournal(stage.root, attempt))?.step));
  assert.deepEqual(steps, ['done']);
  const left = (await filesBelow(stage.root.path)).filter((path) => /\.tmp_|\.lock$|delivery\.json$/.test(path));
  assert.deepEqual(left, []);
}
