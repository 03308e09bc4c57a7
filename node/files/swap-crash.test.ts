/**
 * Goal one of the house: whatever dies, whenever, the film is there. A child process is killed by SIGKILL with a
 * film at every fault point of every way to swap and restore; then a fresh process recovers them. CODECSHIFT_CRASH_ROUNDS changes the 2 rounds.
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
import { film, filesBelow, order } from './swap-crash-stage.ts';
import { WITHOUT_LINKS, type CrashOrder, type CrashTask } from './swap-crash.child.ts';
import { swapSteps } from './swap-steps.ts';
import { swap } from './swap.ts';

const ROUNDS = Number(process.env['CODECSHIFT_CRASH_ROUNDS'] ?? 2);

interface Way {
  name: keyof typeof swapSteps;
  op: 'swap' | 'restore';
  from: string;
  to: string;
  refuseLinks: boolean;
}

const ways: Way[] = [
  { name: 'sameName', op: 'swap', from: 'Film.mkv', to: 'Film.mkv', refuseLinks: false },
  { name: 'otherName', op: 'swap', from: 'Film.avi', to: 'Film.mkv', refuseLinks: false },
  { name: 'sameNameWithoutLinks', op: 'swap', from: 'Film.mkv', to: 'Film.mkv', refuseLinks: true },
  { name: 'otherNameWithoutLinks', op: 'swap', from: 'Film.avi', to: 'Film.mkv', refuseLinks: true },
  { name: 'restoreSameName', op: 'restore', from: 'Film.mkv', to: 'Film.mkv', refuseLinks: false },
  { name: 'restoreOtherName', op: 'restore', from: 'Film.avi', to: 'Film.mkv', refuseLinks: false },
  { name: 'restoreWithoutLinks', op: 'restore', from: 'Film.mkv', to: 'Film.mkv', refuseLinks: true },
];

let scratch: string;
/** the first round of each point is done with real films */
let films: { original: Buffer; output: Buffer };
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'codecshift-crash-'));
  const tools = { ffmpeg: requireTool('ffmpeg'), ffprobe: requireTool('ffprobe') };
  films = { original: await film(tools, scratch, 'mjpeg'), output: await film(tools, scratch, 'mpeg4') };
});
after(async () => {
  await rm(scratch, { recursive: true, force: true });
});

for (const way of ways) {
  test(`${way.name}: the list of fault points is the one the code has`, async () => {
    const stage = await prepare(way, 0);
    const [report] = await run('perform', [stage]);
    assert.deepEqual(report?.points, [...swapSteps[way.name]]);
    assert.equal(report.error, undefined);
    await assertEnded(stage, report.result ?? null);
  });

  test(
    `${way.name}: killed at each of its points, ${ROUNDS} rounds each, a whole film is always there`,
    { timeout: 1_200_000 },
    async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const stages = await killed(swapSteps[way.name].map((_, dieAt) => ({ way, dieAt, round })));
        for (const [n, stage] of stages.entries()) await assertUnharmed(stage, swapSteps[way.name][n]!);
        await recoverAndCheck(stages);
        for (const stage of stages) await rm(stage.root.path, { recursive: true, force: true });
      }
    },
  );
}

test('22. recovery killed at each of its own points is finished by the next one', { timeout: 600_000 }, async () => {
  const which = ways
    .filter((way) => !['otherNameWithoutLinks', 'restoreOtherName'].includes(way.name))
    .map((way) => ({ way, dieAt: way.op === 'restore' ? 3 : 1, round: 0 }));
  const reports = await run('recover', await killed(which));
  const every = which.flatMap((one, n) => reports[n]!.points.map((point, at) => ({ ...one, round: at, point, at })));
  for (const { way } of which) {
    const points = every.filter((one) => one.way === way).map(({ point }) => point);
    assert.ok(points.length > 5, `${way.name} recovers through its own points: ${points.join()}`);
  }
  const stages = await killed(every);
  await die('recover', stages, (n) => every[n]!.at);
  for (const [n, stage] of stages.entries()) await assertUnharmed(stage, every[n]!.point);
  await recoverAndCheck(stages);
});

test('22. taking back, killed at each of its points, leaves the changed original alone', { timeout: 600_000 }, async () => {
  const which = ways
    .filter((way) => way.op === 'swap')
    .flatMap((way) =>
      [2, (swapSteps[way.name] as readonly string[]).indexOf('trash ready') + 1].map((dieAt) => ({ way, dieAt, round: 3 })),
    );
  const first = await changedMeanwhile(which);
  const reports = await run('recover', first);
  for (const stage of first) await assertTakenBack(stage);
  const every = first.flatMap(({ way, dieAt }, n) => reports[n]!.points.map((_, at) => ({ way, dieAt, round: 3, at })));
  assert.ok(every.length > first.length * 3, 'it goes through points of its own');
  const stages = await changedMeanwhile(every);
  assert.equal(stages.length, every.length);
  await die('recover', stages, (n) => every[n]!.at);
  await run('recover', stages);
  for (const stage of stages) await assertTakenBack(stage);
});

test('the original gets its name back when the output is lost or damaged after it was renamed away', async () => {
  const way = ways.find((one) => one.name === 'sameNameWithoutLinks');
  assert.ok(way);
  const one = { way, dieAt: swapSteps[way.name].indexOf('original renamed away'), round: 3 };
  const stages = await killed([one, one]);
  for (const { folder } of stages)
    assert.deepEqual(await readdir(folder), ['.tmp_41_Film.mkv', 'Film.mkv.lock'], 'this is the one place where the name is free');
  await rm(join(stages[0]!.folder, '.tmp_41_Film.mkv'));
  await writeFile(join(stages[1]!.folder, '.tmp_41_Film.mkv'), 'damaged');
  const reports = await run('recover', stages);
  for (const [n, stage] of stages.entries()) {
    assert.equal(reports[n]?.outcomes[0]?.outcome, 'undone');
    assert.deepEqual(await readFile(join(stage.folder, 'Film.mkv')), stage.original);
    assert.ok(!(await readdir(stage.folder)).includes('Film.mkv.lock'));
  }
});

/** A fresh process does it for one film after the other. */
const run = (what: CrashOrder['what'], stages: Stage[]): ReturnType<typeof order> =>
  order(scratch, { what, tasks: stages.map(({ task }) => ({ task, dieAt: null })) });

/** A fresh process does it for all films at once, and is killed when each stands at its point. */
const die = async (what: CrashOrder['what'], stages: Stage[], at: (n: number) => number): Promise<void> =>
  void (await order(scratch, { what, tasks: stages.map(({ task }, n) => ({ task, dieAt: at(n) })) }));

/** Which film dies where. The round decides what is in it. */
interface Death {
  way: Way;
  dieAt: number;
  round: number;
}

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
  const path = await mkdtemp(join(scratch, way.refuseLinks ? `${WITHOUT_LINKS}-` : 'root-'));
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

async function killed(deaths: Death[]): Promise<Stage[]> {
  const stages: Stage[] = [];
  for (const { way, round } of deaths) stages.push(await prepare(way, round));
  await die('perform', stages, (n) => deaths[n]!.dieAt);
  return stages;
}

async function recoverAndCheck(stages: Stage[]): Promise<void> {
  const reports = await run('recover', stages);
  for (const [n, stage] of stages.entries()) {
    const report = reports[n];
    assert.equal(report?.outcomes.length, 1, 'told once');
    assert.equal(report.outcomes[0]?.outcome, 'done', JSON.stringify(report));
    assert.deepEqual(report.result, report.outcomes[0]?.result, 'asked again, the same result');
    await assertEnded(stage, report.result ?? null);
  }
}

/** The film was rewritten by somebody else after the process died. Only those whose original still has its name. */
async function changedMeanwhile<D extends Death>(deaths: D[]): Promise<(Stage & D)[]> {
  const changed: (Stage & D)[] = [];
  for (const [n, stage] of (await killed(deaths)).entries()) {
    const path = join(stage.folder, stage.way.from);
    const there = await readFile(path).catch(() => null);
    if (!there?.equals(stage.original)) continue;
    const theirs = randomBytes(5000);
    await rm(path);
    await writeFile(path, theirs);
    changed.push({ ...stage, ...deaths[n]!, original: theirs });
  }
  return changed;
}

async function assertTakenBack(stage: Stage): Promise<void> {
  assert.deepEqual(await readFile(join(stage.folder, stage.way.from)), stage.original, "the stranger's film stands untouched");
  assert.deepEqual(await readdir(stage.folder), [stage.way.from], 'nothing of ours is beside it');
  for (const attempt of await listJournals(stage.root)) assert.equal((await readJournal(stage.root, attempt))?.step, 'undone');
}

/** Under the old or the new name stands one complete film, and the original is somewhere. */
async function assertUnharmed(stage: Stage, point: string): Promise<void> {
  await assertOriginalSomewhere(stage);
  // without links the name is free between two adjacent system calls, and this is the place between them
  if (stage.way.refuseLinks && point === 'original renamed away') return;
  const names = [stage.way.from, stage.way.to];
  const files = await Promise.all(names.map((name) => readFile(join(stage.folder, name)).catch(() => null)));
  const whole = files.filter((bytes) => bytes !== null);
  assert.ok(whole.length > 0, `a file stands under ${names.join(' or ')}`);
  for (const bytes of whole) assert.ok(bytes.equals(stage.original) || bytes.equals(stage.output), 'what stands there is complete');
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
