import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { nightlyIsDue, type BackupLine } from '../core/backups.ts';
import { noteCandidate, standIns } from '../db/candidates.ts';
import { freshDatabase, quietLog, dataDirectory } from '../testing/database.ts';
import { aHistory } from '../testing/history.ts';
import { until } from '../testing/program.ts';
import { testNode } from '../testing/records.ts';
import { webParts } from '../testing/web.ts';
import { createApp } from '../web/server.ts';
import { createBackups, type BackupDesk } from './backups.ts';

const by = { name: 'Ada', via: 'page' } as const;
const today = new Date();

/** So many days from today: a backup bears the time of this machine, whatever the desk's own clock says. */
function onDay(days: number, hour: number, minute: number): Date {
  return new Date(today.getFullYear(), today.getMonth(), today.getDate() + days, hour, minute);
}

test('a night that was missed is made up for, and nothing is backed up before the first night', () => {
  const hour = 3600_000;
  const at = (facts: Partial<Parameters<typeof nightlyIsDue>[0]>): boolean =>
    nightlyIsDue({ hourStart: 100 * hour, newest: null, startedAt: 0, now: 110 * hour, ...facts });
  assert.equal(at({}), true);
  assert.equal(at({ startedAt: 101 * hour }), false, 'started after the hour, and there never was one');
  assert.equal(at({ newest: 100 * hour + 1 }), false, 'made already');
  assert.equal(at({ newest: 76 * hour }), true);
  assert.equal(at({ newest: 76 * hour, startedAt: 110 * hour - 60_000 }), false, 'right after a start');
  assert.equal(at({ newest: 76 * hour, startedAt: 110 * hour - 700_000 }), true, 'some minutes after a start');
});

test('backups are made, read, taken in, handed out and deleted one at a time, and each end is told in words', async (t) => {
  const db = await freshDatabase(t, 'embedded');
  const lead = await db.lead();
  await aHistory(lead, 50);
  const [{ term }] = (await db.query<{ term: number }>('select term from coordinator')) as [{ term: number }];
  const [dataDir, folder] = [dataDirectory(t), dataDirectory(t)];
  writeFileSync(path.join(dataDir, 'node.key'), 'key');
  let clock = onDay(0, 2, 30);
  const asked: unknown[] = [];
  const told: string[] = [];
  const desk: BackupDesk = createBackups({
    db,
    dataDir,
    folder,
    passphrase: null,
    secretKeyFile: null,
    settings: () => ({ 'backup.nightly': true, 'backup.hour': 3, 'backup.daily': 1, 'backup.weekly': 0 }),
    term: () => term,
    standIns: () => standIns(db, 'this one'),
    onTold: (kind) => void told.push(kind),
    restore: (wish) => asked.push(wish),
    restored: () => null,
    onChange: () => {},
    log: quietLog(),
    now: () => clock,
    lookMs: 20,
  });
  t.after(() => desk.stop());
  const over = (): Promise<unknown> => until('the end of it', () => desk.now() === null);

  await assert.rejects(desk.begin({ keys: true, passphrase: 'short' }, by), /at least 10/);
  await desk.begin({ keys: true, passphrase: 'four horses on a roof' }, by);
  await assert.rejects(desk.begin({ keys: true, passphrase: null }, by), /already/);
  await over();
  assert.match(desk.last()!.says[0]!, /was made and read back/);
  assert.deepEqual(told, ['backup-made'], 'pages and programs hear of what is in the activity');
  const [sealed] = await desk.list();
  assert.deepEqual([sealed!.encrypted, sealed!.keys, sealed!.verifiedAt !== null], [true, true, true]);
  await desk.verify(sealed!.name, 'four horses on a wall', by);
  await over();
  assert.deepEqual([desk.last()!.good, desk.last()!.says], [false, ['The backup does not open with this passphrase.']]);

  await desk.restore(sealed!.name, 'four horses on a wall', by);
  await over();
  assert.deepEqual(asked, [], 'nothing is stopped for a backup that does not open');
  await noteCandidate(db, 'this one', randomUUID(), 1, { schema: 1, version: '0.1.0' });
  await noteCandidate(db, testNode, randomUUID(), 1, { schema: 1, version: '0.1.0' });
  await desk.restore(sealed!.name, 'four horses on a roof', by);
  await over();
  assert.match(desk.last()!.says[0]!, /^node-a has this database too .* Nothing was stopped here\.$/);
  assert.deepEqual(asked, []);
  await db.query(`update candidates set at = now() - interval '20 seconds'`);
  await desk.restore(sealed!.name, 'four horses on a roof', by);
  await over();
  assert.equal(asked.length, 1);
  await assert.rejects(desk.verify('../../etc/passwd', null, by), /There is no backup/);

  // the page, as a browser without JavaScript uses it
  const made = await createApp({ ...webParts({ db }).parts, backups: desk });
  t.after(() => made.stop());
  const page = await made.fetch(new Request('http://localhost/settings/backup'), { visitor: visitor() });
  const cookie = page.headers.getSetCookie()[0]!.split(';')[0]!;
  const csrf = /upload\?csrf=([\w-]+)/.exec(await page.text())![1]!;
  const body = new FormData();
  body.set('file', new Blob([readFileSync(path.join(folder, sealed!.name))]), 'anything.enc');
  const headers = { cookie, 'sec-fetch-site': 'same-origin' };
  const send = (token: string): Promise<Response> | Response =>
    made.fetch(new Request(`http://localhost/settings/backup/upload?csrf=${token}`, { method: 'POST', body, headers }), {
      visitor: visitor(),
    });
  assert.equal((await send('wrong')).status, 403);
  assert.equal((await send(csrf)).status, 303);
  const taken = (await desk.list()).find(({ label }) => label === 'uploaded')!;
  assert.deepEqual(readFileSync(path.join(folder, taken.name)), readFileSync(path.join(folder, sealed!.name)));
  const address = `http://localhost/settings/backup/${taken.name}/download`;
  const file = await made.fetch(new Request(address), { visitor: visitor() });
  assert.equal(file.status, 200);
  assert.equal(file.headers.get('content-length'), String(taken.bytes));
  assert.equal(file.headers.get('content-disposition'), `attachment; filename="${taken.name}"`);
  assert.equal((await file.arrayBuffer()).byteLength, taken.bytes);

  // whoever asks for the head alone reads nothing: a file that is longer than what is read ahead does not stay open
  const long = path.join(folder, taken.name);
  writeFileSync(long, Buffer.alloc(8 * 1024 * 1024), { flag: 'a' });
  const head = await made.fetch(new Request(address, { method: 'HEAD' }), { visitor: visitor() });
  assert.deepEqual([head.status, head.headers.get('content-length'), head.body], [200, String(statSync(long).size), null]);
  await (await made.fetch(new Request(address), { visitor: visitor() })).arrayBuffer();
  if (process.platform === 'linux') await until('the file that nobody reads to be closed', () => !isOpenHere(long));
  await desk.remove(taken.name, by);
  assert.equal(
    (await desk.list()).some(({ name }) => name === taken.name),
    false,
  );

  // the night, in a folder that another house uses too, and in which a process was killed once
  const others = ['2127-01-01', '2127-01-02'].map((day) => `codecshift-backup-another-house-${day}T03-00-00-nightly.tar.gz`);
  for (const name of others) writeFileSync(path.join(folder, name), 'of another house');
  const drafts = ['codecshift-backup-a-2026-11-01T03-00-00-nightly.tar.gz.part', 'upload-1-2.part'].map((name) => path.join(folder, name));
  for (const draft of drafts) writeFileSync(draft, 'half');
  utimesSync(drafts[0]!, 1000, 1000);
  desk.start();
  clock = onDay(0, 3, 1);
  const ours = async (): Promise<BackupLine[]> =>
    (await desk.list()).filter(({ name, label }) => label === 'nightly' && !others.includes(name));
  await until('the nightly backup', async () => (await ours()).find(({ verifiedAt }) => verifiedAt));
  assert.equal((await ours())[0]!.keys, false, 'outside of the data directory, without a passphrase, without the keys');
  await over();
  clock = onDay(1, 3, 1);
  await until('the next one alone', async () => (await ours()).length === 1 && desk.now() === null && (await nightlies(db)) === 2);
  assert.deepEqual(
    [...others.map((name) => path.join(folder, name)), ...drafts].map((file) => existsSync(file)),
    [true, true, false, true],
    'what is of another house, or was written a moment ago, stays',
  );
  rmSync(folder, { recursive: true });
  writeFileSync(folder, 'a file where the folder was');
  clock = onDay(2, 3, 1);
  const [story] = await until('the failure in the story', async () => {
    const rows = await db.query<{ params: { what: string } }>(`select params from activity where kind = 'backup-failed' and severity = 2`);
    return rows.length > 0 ? rows : null;
  });
  assert.equal(story!.params.what, `the nightly one of ${clock.toISOString().slice(0, 10)}`);
  assert.equal((await db.query(`select 1 from notifications where event = 'backup.failed'`)).length, 1);
});

async function nightlies(db: { query<R>(sql: string): Promise<R[]> }): Promise<number> {
  return (await db.query<{ n: number }>(`select count(*) as n from activity where kind = 'backup-made' and by = 'the night'`))[0]!.n;
}

function visitor() {
  return {
    asks: 'page',
    address: '127.0.0.1',
    peer: '127.0.0.1',
    tunnelled: false,
    secure: false,
    forwardedFor: null,
    forwardedProto: null,
  } as const;
}

function isOpenHere(file: string): boolean {
  return readdirSync('/proc/self/fd').some((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`) === file;
    } catch {
      return false; // the one of this very look
    }
  });
}
