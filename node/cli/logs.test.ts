import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { clip } from '../testing/media.ts';
import { startProgram, until, type Program } from '../testing/program.ts';

/** One program for all: its log, its levels, its support bundle, as a person asks for them. */
const base = mkdtempSync(join(tmpdir(), 'codecshift-logs-'));
const [films, dataDir] = [join(base, 'Filmarchiv'), join(base, 'data')];
const folder = 'Zwölf Uhr "mittags" (1952)';
const film = 'Zwölf Uhr "mittags" 1952 Bluray.mkv';
const secrets = {
  join: `csj1.b6f2cf0e-8a53-4a52-9d3e-6f7d2f0f3a11.${'J'.repeat(43)}.k7m2p5q3`,
  setup: 'plantedsetuptoken4711',
  password: 'planted-Passw0rd-of-ada',
};
let program: Program;

before(async () => {
  mkdirSync(join(films, folder), { recursive: true });
  writeFileSync(join(films, folder, film), readFileSync(await clip('film')));
  writeFileSync(join(films, folder, 'Kaputt und gebrochen.mkv'), 'no film at all, but called one');
  program = await startProgram({
    dataDir,
    libraries: [films],
    fresh: true,
    args: ['--name', 'dachboden', '--log-level', 'warn,keeper=debug', '--peer', 'nachbarhaus.invalid:8266'],
    env: {
      CODECSHIFT_HOSTS: 'filme.daheim.invalid',
      CODECSHIFT_SETUP_TOKEN: secrets.setup,
      CODECSHIFT_ADMIN_USER: 'ada',
      CODECSHIFT_ADMIN_PASSWORD: secrets.password,
    },
  });
  await until('the film to be planned', async () => {
    const { jobs } = await program.api<{ jobs: Record<string, number> }>('/status');
    return jobs['waiting']! + jobs['running']! + jobs['finished']! > 0;
  });
});
after(async () => {
  await program?.kill();
  rmSync(base, { recursive: true, force: true });
});

async function cli(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(import.meta.dirname, '..', 'main.ts'), ...words, '--data-dir', dataDir],
      { maxBuffer: 64 * 1024 * 1024 },
      (_error, out, err) => resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

test('the newest lines are shown on the command line, by level, room and words, and none holds a secret', async () => {
  // a film is planned before this machine knows its encoders: that the last of them is told is waited for, not assumed
  await until('the encoders to be in the log', async () => (await cli('logs', '--room', 'ffmpeg')).out.includes('encoders are tested'));
  const all = await cli('logs', '--level', 'debug', '--lines', '1000', '--json');
  assert.equal(all.code, 0, all.err);
  const lines = all.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { seq: number; level: string; room: string; msg: string });
  for (const msg of ['this machine founds a cluster', 'the mesh listens', 'this node coordinates', 'encoders are tested'])
    assert.ok(
      lines.some((line) => line.msg === msg),
      msg,
    );
  assert.deepEqual(
    lines.map(({ seq }) => seq),
    lines.map(({ seq }) => seq).toSorted((a, b) => a - b),
    'oldest first',
  );
  const mesh = await cli('logs', '--room', 'mesh');
  assert.match(mesh.out, /mesh: the mesh listens/);
  assert.ok(!mesh.out.includes('coordinator:'));
  assert.ok(!program.output().includes('the mesh listens'), 'the console has warnings only, the book has the rest');
  const wrong = await cli('logs', '--level', 'loud');
  assert.equal(wrong.code, 1);
  assert.equal(wrong.err, 'level must be one of debug, info, warn, error.\n');
  for (const lines of ['0', '-1', '99999999999', 'many'])
    assert.equal((await cli('logs', '--lines', lines)).err, `--lines must be a whole number from 1 to 1000, not "${lines}".\n`);
  for (const secret of Object.values(secrets)) assert.ok(!all.out.includes(secret));
});

test('how much is written is changed while it runs, for a time', async () => {
  assert.match((await cli('logs', 'levels')).out, /^Written out: warn,keeper=debug\n$/);
  const changed = await cli('logs', 'levels', 'info,mesh=debug', '--minutes', '5', '--json');
  assert.equal(changed.code, 0, changed.err);
  const { now, usual, until: end } = JSON.parse(changed.out) as Record<string, string>;
  assert.deepEqual([now, usual], ['info,mesh=debug', 'warn,keeper=debug']);
  assert.ok(Date.parse(end!) > Date.now());
  await program.api('/scan', {});
  await until('a line of the level before', () => program.output().includes('"level":"info"'));
  assert.equal((await cli('logs', 'levels', 'info', '--minutes', 'x')).err, '--minutes must be a whole number from 1 to 1440, not "x".\n');
  assert.match((await cli('logs', 'levels', 'kitchen=debug')).err, /must name one of the rooms/);
  assert.match((await cli('logs', 'levels', 'usual')).out, /^Written out: warn,keeper=debug\n$/);
});

test('the pages show the same, filter, and change the levels; a wrong wish stays in the form', async () => {
  for (const path of ['/logs', '/node/logs']) {
    const page = await (await program.request(`${path}?room=mesh&level=info`)).text();
    assert.match(page, /the mesh listens/, path);
    assert.ok(!page.includes('this node coordinates'), path);
  }
  const { items } = await program.api<{ items: { room: string }[] }>('/logs?room=coordinator&level=info');
  assert.ok(items.length > 0 && items.every(({ room }) => room === 'coordinator'));
  const levels = await program.api<{ now: string }>('/logs/levels', { levels: 'debug', minutes: 1 });
  assert.equal(levels.now, 'debug');
  await program.api('/logs/levels', { levels: '' });
});

test('a support bundle holds what helps and neither secrets nor names, in no file and in no form', async () => {
  const names = [
    folder,
    film,
    'mittags',
    'Zwölf',
    'Kaputt',
    'gebrochen',
    'Filmarchiv',
    'dachboden',
    'ada@',
    'nachbarhaus',
    'filme.daheim',
    // one that could be a word of the program, as "worker" is, says nothing
    ...(/^(?=.*[\d-]).{6,}$/.test(hostname()) ? [hostname()] : []),
  ];
  // as one who asks for what is not there: the secret and the name come back in an error of the log
  await program.request(`/node/logs?X-Plex-Token=${secrets.setup}`);
  await program.api('/libraries', { path: join(films, `not there ${secrets.password}`), name: 'x' }).catch(() => {});
  const out = join(base, 'bundle.tar.gz');
  const made = await cli('support-bundle', '--out', out, '--json');
  assert.equal(made.code, 0, made.err);
  const unpacked = join(base, 'unpacked');
  mkdirSync(unpacked);
  execFileSync('tar', ['-xzf', out, '-C', unpacked]);
  const files = readdirSync(join(unpacked, 'codecshift-support'));
  const text = (file: string): string => readFileSync(join(unpacked, 'codecshift-support', file), 'utf8');
  assert.ok(
    files.includes('MANIFEST.txt') && files.includes('doctor.json') && files.includes('log.jsonl') && files.includes('counts.json'),
  );
  for (const file of files) {
    assert.ok(text('MANIFEST.txt').includes(file) || file === 'MANIFEST.txt', `${file} is in the manifest`);
    for (const secret of Object.values(secrets)) assert.ok(!text(file).includes(secret), `${file} holds ${secret}`);
    assert.ok(
      !text(file).includes(readFileSync(join(dataDir, 'running.json'), 'utf8').match(/"secret":"([^"]+)"/)![1]!),
      `${file} holds the way in`,
    );
    for (const name of names) assert.ok(!text(file).includes(name), `${file} names ${name}: ${around(text(file), name)}`);
    if (file.endsWith('.json')) JSON.parse(text(file));
    if (file.endsWith('.jsonl')) for (const line of text(file).trim().split('\n').filter(Boolean)) JSON.parse(line);
    assert.doesNotMatch(text(file), /could not be collected/, file);
  }
  const options = JSON.parse(text('options.json')) as { setting: string; value: unknown }[];
  const told = (key: string): unknown => options.find(({ setting }) => setting === key)?.value;
  assert.deepEqual(['adminPassword', 'setupToken', 'databaseUrl', 'logLevel'].map(told), ['set', 'set', 'not set', 'warn,keeper=debug']);
  assert.match(text('database.json'), /"embedded": true/);
  assert.match(text('log.jsonl'), /the mesh listens/);
  assert.match(text('doctor.json'), /"check": "ffmpeg"/);
  assert.match(text('counts.json'), /"of": "files"/);
  const again = await cli('support-bundle', '--out', out);
  assert.equal(again.code, 1);
  assert.match(again.err, /is there already/);

  const named = join(base, 'named.tar.gz');
  assert.equal((await cli('support-bundle', '--out', named, '--with-names')).code, 0);
  const whole = execFileSync('tar', ['-xzOf', named]).toString('utf8');
  assert.ok(whole.includes('Filmarchiv') && whole.includes('dachboden'));
  for (const secret of Object.values(secrets)) assert.ok(!whole.includes(secret));
  assert.ok(existsSync(named));
});

function around(text: string, name: string): string {
  const at = text.indexOf(name);
  return text.slice(Math.max(0, at - 80), at + 80);
}
