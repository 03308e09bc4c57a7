import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { defaultProfile } from '../core/profile.ts';
import { fingerprint } from '../files/fingerprint.ts';
import { createLog } from '../log.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import { createOutbox } from '../mesh/outbox.ts';
import { takeReports } from '../testing/mesh-samples.ts';
import { createKeeper, type Keeper } from './keeper.ts';
import { loadRoots, type KeeperRoots } from './roots.ts';
import { createSettling } from './settle.ts';

/** Who waits in a keeper, for whom, and for whom not. The films are words: nothing gets as far as a look into them. */
const log = createLog({ level: 'fatal', pretty: true });
const node = 'keeper-a';

function folder(t: TestContext): string {
  const made = mkdtempSync(path.join(os.tmpdir(), 'codecshift-waiting-'));
  t.after(() => rmSync(made, { recursive: true, force: true, maxRetries: 5 }));
  return made;
}

interface Stage {
  keeper: Keeper;
  roots: KeeperRoots;
  films: string;
  /** the check of the first film has come so far that it waits for its output */
  checking: Promise<void>;
  reports: ReturnType<typeof takeReports>;
  verify(root: string, attempt: number): Promise<ProtocolResponse<'grant'>>;
  ask(wish: ProtocolRequest<'grant'>): Promise<ProtocolResponse<'grant'>>;
}

/** A keeper whose checks never end by themselves. */
async function stage(t: TestContext, change: (roots: KeeperRoots) => KeeperRoots = (roots) => roots): Promise<Stage> {
  const base = folder(t);
  const [data, films] = [path.join(base, 'data'), path.join(base, 'films')];
  mkdirSync(data);
  mkdirSync(films);
  for (const n of [1, 2]) writeFileSync(path.join(films, `${n}.mkv`), `film ${n}`);
  const mesh = createLocalMesh(node, log);
  const reports = takeReports(mesh);
  const outbox = createOutbox({ directory: path.join(data, 'outbox'), mesh, coordinator: () => node, log, retryMs: 10 });
  await outbox.start();
  const roots = await loadRoots(data);
  const reached = Promise.withResolvers<void>();
  const never = Promise.withResolvers<string>();
  never.promise.catch(() => undefined);
  const outputOf = (): Promise<string> => (reached.resolve(), never.promise);
  const fetch = (): Promise<never> => Promise.reject(new Error('nothing is fetched here'));
  const keeper = createKeeper({ mesh, roots: change(roots), tools: {} as never, outbox, outputOf, fetch, onAdopted: async () => {}, log });
  await keeper.start();
  t.after(async () => {
    never.reject(new Error('the test is over'));
    await keeper.stop();
    await outbox.stop();
  });
  const verify = async (root: string, attempt: number): Promise<ProtocolResponse<'grant'>> =>
    mesh.request(node, 'grant', {
      ...{ op: 'verify', term: 1, job: attempt, attempt, root, path: `${attempt}.mkv`, probe: {}, ticket: null, timeoutSeconds: 600 },
      fingerprint: await fingerprint(path.join(films, `${attempt}.mkv`)),
      plan: { action: 'transcode', extension: '.mkv' } as never,
      profile: defaultProfile as never,
      output: { node, sizeBytes: 5, sha256: 'a'.repeat(64), frames: null },
    });
  return { keeper, roots, films, checking: reached.promise, reports, verify, ask: (wish) => mesh.request(node, 'grant', wish) };
}

test('what only waits for its check is given up at once, also while another film is checked', async (t) => {
  const s = await stage(t);
  const { rootId: root } = await s.roots.adopt(s.films);
  assert.deepEqual([await s.verify(root, 1), await s.verify(root, 2)], [yes, yes]);
  await s.checking;
  assert.deepEqual(await s.ask({ op: 'discard', term: 1, job: 2, attempt: 2, root, path: '2.mkv' }), yes);
  const report = await s.reports.next();
  assert.deepEqual([report.event, report.attempt, 'reason' in report && report.reason.code], ['not-verified', 2, 'cancelled-by-person']);
});

test('what was asked for just before the stop is not begun after it', async (t) => {
  const [asked, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let holds = false;
  const s = await stage(t, (roots) => ({
    ...roots,
    async report() {
      if (holds) {
        asked.resolve();
        await goOn.promise;
      }
      return roots.report();
    },
  }));
  const { rootId: root } = await s.roots.adopt(s.films);
  holds = true;
  const answer = s.verify(root, 1);
  await asked.promise;
  await s.keeper.stop();
  goOn.resolve();
  assert.deepEqual(await answer, { accepted: false, why: 'this node is stopping' });
});

test('a disk on which nothing gets on holds up no other disk, however often it is looked at', async (t) => {
  const base = folder(t);
  const [data, hangs, works] = ['data', 'hangs', 'works'].map((name) => path.join(base, name)) as [string, string, string];
  for (const made of [data, hangs, works]) mkdirSync(made);
  const real = await loadRoots(data);
  const [bad, good] = [(await real.adopt(hangs)).rootId, (await real.adopt(works)).rootId];
  let looks = 0;
  const never = new Promise<never>(() => {});
  const roots: KeeperRoots = { ...real, open: (id) => (id === bad ? (looks++, never) : real.open(id)) };
  const settling = createSettling({ swaps: { node, roots }, outbox: {} as never, isWorking: () => false, log });
  const passes = [settling.now(), settling.now(), settling.now()];
  await settling.of(good);
  await settling.of(good);
  assert.equal(looks, 1, 'who comes meanwhile shares the look under way');
  assert.equal(await Promise.race([...passes, settling.of(bad), Promise.resolve('waits')]), 'waits');
});

const yes = { accepted: true, why: null };
