import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { PlainError } from '../errors.ts';
import { discard } from './deliver.ts';
import { readJournal } from './journal.ts';
import { recover } from './recover.ts';
import { order } from './swap-crash-stage.ts';
import { code, folder, picture, ready, root, useStage } from './swap-stage.ts';
import { swap, type SwapWish } from './swap.ts';
import { listTrashed } from './trash-found.ts';

useStage();

for (const [what, disturb, wanted] of [
  ['was appended to', (path: string) => writeFile(path, 'more', { flag: 'a' }), 'file-changed'],
  [
    'was replaced by a file of the same size and time',
    async (path: string) => {
      const { mtimeMs, size } = await stat(path);
      await rm(path);
      await writeFile(path, randomBytes(size));
      await utimes(path, mtimeMs / 1000, mtimeMs / 1000);
    },
    'file-changed',
  ],
  ['was touched', (path: string) => utimes(path, 1000, 1000), 'file-changed'],
  [
    'became a symlink',
    async (path: string) => {
      await rename(path, `${path}.moved`);
      await symlink(`${path}.moved`, path);
    },
    'file-changed',
  ],
  [
    'became a folder',
    async (path: string) => {
      await rm(path);
      await mkdir(path);
    },
    'file-changed',
  ],
  ['is gone', (path: string) => rm(path), 'original-gone'],
  ['got another hard link', (path: string) => link(path, `${path}.seed`), 'hard-linked'],
] as [string, (path: string) => Promise<unknown>, string][]) {
  test(`an original that ${what} is left alone`, async () => {
    const { wish, output } = await ready('Film.mkv');
    const path = join(folder, 'Film.mkv');
    await disturb(path);
    const before = await picture(folder);
    await assert.rejects(swap({ ...wish, refuseHardLinked: true }), code(wanted));
    assert.deepEqual(await picture(folder), before, 'everything is as it was');
    assert.deepEqual(await readFile(join(root.path, wish.tmpPath)), output, 'the output still waits');
    assert.equal((await readJournal(root, wish.attempt))?.step, 'undone');
    assert.deepEqual(await Array.fromAsync(listTrashed(root)), []);
  });
}

test('a film that the system protects against changes is not encoded again for that: it says so in words', async () => {
  if (process.platform !== 'linux') return;
  const { wish, output } = await ready('Film.mkv');
  const fault = (point: string): void => {
    if (point === 'trash ready') throw Object.assign(new Error('operation not permitted'), { code: 'EPERM' });
  };
  const isFilm = (line: string): boolean => line.startsWith('Film.mkv ');
  const before = (await picture(folder)).filter(isFilm);
  await assert.rejects(swap({ ...wish, fault }), (error: unknown) => {
    assert.ok(error instanceof PlainError);
    assert.deepEqual([error.reason?.code, error.retry], ['swap-failed', false]);
    assert.match(String(error.reason?.params?.['message']), /forbids it \(EPERM\): .* protected against changes/);
    return true;
  });
  assert.deepEqual((await picture(folder)).filter(isFilm), before);
  assert.deepEqual(await readFile(join(root.path, wish.tmpPath)), output, 'the output still waits');
});

test('a hard link is no obstacle when the profile says so', async () => {
  const { wish, original } = await ready('Film.mkv');
  await link(join(folder, 'Film.mkv'), join(folder, 'seed.bin'));
  await swap({ ...wish, refuseHardLinked: false });
  assert.deepEqual(await readFile(join(folder, 'seed.bin')), original);
});

test('a file that has the new name already is never written over', async () => {
  const { wish, original } = await ready('Film.avi', { target: 'Film.mkv' });
  await writeFile(join(folder, 'Film.mkv'), 'a remaster');
  await assert.rejects(swap(wish), code('target-exists'));
  assert.equal(await readFile(join(folder, 'Film.mkv'), 'utf8'), 'a remaster');
  assert.deepEqual(await readFile(join(folder, 'Film.avi')), original);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith('.lock')),
    [],
  );
});

test('somebody else’s lock is respected and stays', async () => {
  const { wish, original } = await ready('Film.mkv');
  for (const text of [
    '',
    'pid 77',
    JSON.stringify({ who: 'codecshift', node: 'node-b', attempt: wish.attempt, job: 1, term: 1, since: 'now' }),
  ]) {
    await writeFile(join(folder, 'Film.mkv.lock'), text);
    await assert.rejects(swap(wish), code('locked-by-another'));
    assert.equal(await readFile(join(folder, 'Film.mkv.lock'), 'utf8'), text);
    assert.deepEqual(await readFile(join(folder, 'Film.mkv')), original);
  }
});

test('a lock of our own that an attempt which is over left behind is in nobody’s way', async () => {
  const { wish, output } = await ready('Film.mkv');
  const left = { who: 'codecshift', node: wish.node, attempt: 40, job: 1, term: 1, since: 'now' };
  await writeFile(join(folder, 'Film.mkv.lock'), JSON.stringify(left));
  await swap(wish);
  assert.deepEqual(await readFile(join(folder, 'Film.mkv')), output);
  assert.deepEqual(await readdir(folder), ['Film.mkv']);
});

for (const from of ['swap:prepared', 'swap:locked', 'swap:checked', 'swap:dressed', 'original linked'])
  test(`a folder that gets another name in the middle (${from}) keeps its film, and nothing of ours stays in its way`, async () => {
    const { wish, original, output } = await ready('Film.mkv');
    const moved = join(root.path, 'Films (1999)');
    let isDone = false;
    const fault = async (point: string): Promise<void> => {
      if (point !== from || isDone) return;
      isDone = true;
      await rename(folder, moved);
    };
    await assert.rejects(swap({ ...wish, fault }), PlainError);
    assert.deepEqual(await readFile(join(moved, 'Film.mkv')), original);
    assert.equal((await readJournal(root, wish.attempt))?.step, 'undone');
    assert.deepEqual(await recover(root, { node: wish.node }).then((all) => all.map(({ outcome }) => outcome)), ['undone']);
    // the coordinator ends the attempt, and gives the film in its new place another one
    await discard(root, wish.attempt);
    assert.deepEqual(await readdir(moved), ['Film.mkv']);
    assert.equal((await stat(join(moved, 'Film.mkv'))).nlink, 1, 'no second name in the trash makes it look like a seeded one');
    await rename(moved, folder);
    const again = await ready('Film.mkv', { attempt: 43, original, output });
    await swap(again.wish);
    assert.deepEqual(await readFile(join(folder, 'Film.mkv')), output);
  });

test('an output that is not the one that was checked does not take over', async () => {
  const { wish, original } = await ready('Film.mkv');
  await writeFile(join(root.path, wish.tmpPath), 'tampered');
  await assert.rejects(swap(wish), code('hash-mismatch'));
  assert.deepEqual(await readFile(join(folder, 'Film.mkv')), original);
});

test('a swap can be cancelled until the original is touched, and leaves no trace', async () => {
  const { wish, original } = await ready('Film.mkv');
  const stop = new AbortController();
  const fault = (point: string): void => {
    if (point === 'output dressed') stop.abort(new Error('cancelled by a person'));
  };
  await assert.rejects(swap({ ...wish, signal: stop.signal, fault }), /cancelled by a person/);
  assert.deepEqual((await readdir(folder)).sort(), [basename(wish.tmpPath), 'Film.mkv'].sort());
  assert.deepEqual(await readFile(join(folder, 'Film.mkv')), original);
  assert.equal((await swap(wish)).path, 'Films/Film.mkv', 'and it can be done again');
});

test('a disk whose marker vanished is not touched', async () => {
  const { wish } = await ready('Film.mkv');
  await rename(join(root.path, '.codecshift', 'root.json'), join(root.path, 'away'));
  const before = await picture(folder);
  await assert.rejects(swap(wish), code('root-not-mounted'));
  await assert.rejects(recover(root, { node: wish.node }), code('root-not-mounted'));
  assert.deepEqual(await picture(folder), before);
});

test('two processes that swap one file at once: one wins, the other leaves everything alone', async () => {
  for (let round = 0; round < 5; round++) {
    const name = `Film ${round}.mkv`;
    const one = await ready(name, { attempt: 100 + round });
    const two = await ready(name, { attempt: 200 + round, original: one.original });
    const start = (wish: SwapWish) => {
      const { root: opened, ...rest } = wish;
      const task = { op: 'swap' as const, root: { path: opened.path, id: opened.id }, wish: rest };
      return order(root.path, { what: 'perform', tasks: [{ task, dieAt: null }] });
    };
    const reports = (await Promise.all([start(one.wish), start(two.wish)])).flat();
    const winners = reports.flatMap((r, n) => (r.result ? [n] : []));
    assert.equal(winners.length, 1, JSON.stringify(reports));
    const [winner, loser] = winners[0] === 0 ? [one, two] : [two, one];
    assert.deepEqual(await readFile(join(folder, name)), winner.output);
    assert.deepEqual(await readFile(join(root.path, reports[winners[0] ?? 0]?.result?.original?.trashPath ?? '')), one.original);
    assert.deepEqual(await readFile(join(root.path, loser.wish.tmpPath)), loser.output, 'the loser’s output still waits');
    assert.ok(!(await readdir(folder)).includes(`${name}.lock`));
  }
});

test('a folder that was moved in the middle is for a person: waiting does not bring it back', async () => {
  const wish = await movedInTheMiddle();
  assert.equal((await recover(root, { node: wish.node }))[0]?.outcome, 'unclear');
  await rename(join(folder, 'Season One'), join(folder, 'Season 1'));
  assert.equal((await recover(root, { node: wish.node }))[0]?.outcome, 'done');
});

test('a replacement that is over and whose folder was moved since keeps no other one on its disk from being finished', async () => {
  const first = await ready('Season 1/One.mkv', { attempt: 40 });
  await swap(first.wish);
  const { wish, output } = await ready('Two.mkv');
  let isBroken = false;
  const fault = (point: string): void => {
    isBroken ||= point === 'output renamed';
    if (isBroken) throw Object.assign(new Error('i/o error'), { code: 'EIO' });
  };
  await assert.rejects(swap({ ...wish, fault }), PlainError);
  await rename(join(folder, 'Season 1'), join(folder, 'Season One'));
  const outcomes = await recover(root, { node: wish.node });
  assert.deepEqual(
    outcomes.map(({ attempt, outcome }) => [attempt, outcome]),
    [
      [40, 'done'],
      [41, 'done'],
    ],
  );
  assert.deepEqual(await readFile(join(folder, 'Two.mkv')), output);
});

test('two recoveries of one disk at once go one after the other', async () => {
  const wish = await movedInTheMiddle();
  await rename(join(folder, 'Season One'), join(folder, 'Season 1'));
  let isOver = false;
  let second: ReturnType<typeof recover> | null = null;
  const early: string[] = [];
  const fault = (): void => void (second ??= recover(root, { node: wish.node, fault: (point) => void (isOver || early.push(point)) }));
  const first = await recover(root, { node: wish.node, fault });
  isOver = true;
  assert.deepEqual([first[0]?.outcome, (await second!)[0]?.outcome], ['done', 'done']);
  assert.deepEqual(early, []);
});

/** A swap that ends with its original in the trash and its folder under another name. */
async function movedInTheMiddle(): Promise<SwapWish> {
  const { wish } = await ready('Season 1/Film.mkv');
  const fault = async (point: string): Promise<void> => {
    if (point !== 'swap:kept') return;
    await rename(join(folder, 'Season 1'), join(folder, 'Season One'));
    throw Object.assign(new Error('i/o error'), { code: 'EIO' });
  };
  await assert.rejects(swap({ ...wish, fault }), code('swap-unclear'));
  return wish;
}
