import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Sighting } from '../core/standing.ts';
import { startProgram, until as untilLong } from '../testing/program.ts';
import type { Finding } from './doctor-examination.ts';
import type { Here } from './doctor-program.ts';

const base = mkdtempSync(join(tmpdir(), 'codecshift-doctor-'));
after(() => rmSync(base, { recursive: true, force: true }));

const until = <T>(what: string, look: () => Promise<T | null | false>): Promise<T> => untilLong(what, look, 120_000);

interface Told {
  code: number | null;
  findings: Finding[];
  /** what was said about a thing; fails when there is not exactly one finding of that name */
  about(name: string): Finding;
}

/** The encoders are tested elsewhere and take long: here ffmpeg is named where there is none. */
async function doctor(dataDir: string, ...args: string[]): Promise<Told> {
  const words = ['doctor', '--json', '--data-dir', dataDir, '--ffmpeg', join(base, 'no-ffmpeg'), '--discovery', 'off', ...args];
  const { code, stdout, stderr } = await new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(process.execPath, [join(import.meta.dirname, '..', 'main.ts'), ...words], (_error, out, err) =>
      resolve({ code: child.exitCode, stdout: out, stderr: err }),
    );
  });
  assert.equal(stderr, '');
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  return {
    code,
    findings,
    about(name) {
      const found = findings.filter(({ check }) => check === name || check.startsWith(`${name} `));
      assert.equal(found.length, 1, `one finding about ${name} in ${JSON.stringify(findings, null, 1)}`);
      return found[0]!;
    },
  };
}

function folder(name: string): string {
  const path = join(base, name);
  mkdirSync(path);
  return path;
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, resolve));
  after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test('a data directory that cannot be made is said at once, by the doctor and by the program', async (t) => {
  if (process.platform !== 'linux') return t.skip('needs /proc');
  const told = await doctor('/proc/nope', '--mesh-port', '0', '--port', '0');
  assert.equal(told.code, 1);
  assert.deepEqual(told.about('data directory'), {
    check: 'data directory',
    ok: false,
    heed: false,
    says: 'The data directory /proc/nope cannot be used: no directory can be made there. Choose another with --data-dir.',
  });
  assert.ok(!told.findings.some(({ check }) => check === 'database'));
});

test('a data directory into which everybody may write is something to heed', async (t) => {
  if (process.platform === 'win32') return t.skip('Windows has no such rights');
  const dataDir = folder('open');
  const asked = ['--mesh-port', '0', '--port', '0'];
  assert.equal((await doctor(dataDir, ...asked)).about('data directory').heed, false);
  chmodSync(dataDir, 0o1777);
  assert.equal((await doctor(dataDir, ...asked)).about('data directory').heed, false, 'nobody can exchange there what is ours');
  chmodSync(dataDir, 0o777);
  const told = (await doctor(dataDir, ...asked)).about('data directory');
  assert.deepEqual([told.ok, told.heed], [true, true]);
  assert.match(told.says, /free for unfinished encodes\. Everybody who uses this machine may write into .*: chmod o-w '/);
});

test('said from a folder that was deleted it says so', async (t) => {
  if (process.platform === 'win32') return t.skip('Windows deletes no folder in which a program stands');
  const gone = folder('gone');
  const said = await new Promise<string>((resolve) => {
    const words = [
      '-c',
      'rmdir "$PWD" && exec "$@"',
      'sh',
      process.execPath,
      join(import.meta.dirname, '..', 'main.ts'),
      'status',
      '--data-dir',
      'here',
    ];
    execFile('/bin/sh', words, { cwd: gone }, (_error, _out, err) => resolve(err));
  });
  assert.equal(said, 'The folder in which this was said is not there any more. Go to another one (cd) and say it again.\n');
});

test('without a program: ports, addresses and the way on are looked at, and no database is made', async () => {
  const dataDir = folder('off');
  const open = await listening(createServer((socket) => socket.end()));
  const told = await doctor(
    dataDir,
    ...['--port', '0', '--mesh-port', String(open), '--peer', `127.0.0.1:${open}`, '--peer', '127.0.0.1:1', '--peer', 'no address'],
  );
  assert.match(told.about('program').says, /does not run on .*Start it with "codecshift run"/);
  assert.deepEqual([told.about('port of the mesh').ok, told.about('port of the mesh').heed], [true, true]);
  assert.match(told.about('port of the mesh').says, /^Another program has it\./);
  assert.match(told.about('multicast').says, /discovery is off/);
  assert.match(told.about(`peer 127.0.0.1:${open}`).says, /^somebody listens/);
  assert.match(told.about('peer 127.0.0.1:1').says, /^Nothing listens at 127\.0\.0\.1:1\. Start CodecShift there/);
  assert.match(told.about('peer no address').says, /no address of another machine/);
  assert.match(told.about('database').says, /none here/);
  // whether a machine can be kept awake is its own; that it cannot is nothing to be ticked off
  const { says, heed } = told.about('kept awake');
  assert.equal(heed, !says.startsWith('this machine does not fall asleep'), says);
  assert.ok(!existsSync(join(dataDir, 'database')), 'with a database this machine would start a cluster instead of asking to join one');
});

test('each network card is tried with multicast while no program runs', async () => {
  const told = await doctor(folder('cards'), '--mesh-port', '0', '--port', '0', '--discovery', 'lan');
  const cards = told.findings.filter(({ check }) => check.startsWith('interface'));
  assert.ok(cards.length > 0);
  for (const { says } of cards) assert.match(says, /found by (themselves|itself) here|IPv4/);
  assert.ok(told.about('around').says);
});

test('a program that does not answer is no reason to wait for ever', async () => {
  const dataDir = folder('silent');
  const port = await listening(createServer(() => undefined));
  writeFileSync(join(dataDir, 'running.json'), JSON.stringify({ url: `http://127.0.0.1:${port}`, pid: 1, secret: 'x' }));
  const told = await doctor(dataDir, '--mesh-port', '0');
  assert.equal(told.code, 1);
  assert.match(told.about('program').says, /^It runs, but does not answer/);
  assert.match(told.about('database').says, /was not looked at/);
});

test('every machine that is not spoken to is told with its sentence, a wrong clock and another cluster too', async () => {
  const dataDir = folder('told');
  const seen = { node: 'n', addresses: [], by: 'mdns', says: '', latencyMs: 1, clockMs: 0, version: null, cluster: null, lastSeenMs: 0 };
  const sightings = [
    { ...seen, name: 'nas', state: 'connected' },
    { ...seen, name: 'attic', state: 'clock', says: 'The clock of attic is off.' },
    { ...seen, name: 'cellar', state: 'unreachable', says: 'cellar cannot be reached.', clockMs: -600_000 },
    { ...seen, name: 'neighbour', state: 'other-cluster', says: 'neighbour belongs elsewhere.', cluster: { id: 'c2', name: 'Next door' } },
  ] as Sighting[];
  const here: Here = {
    node: { id: 'me', name: 'me', version: '0' },
    standing: { state: 'member', cluster: { id: 'c1', name: 'Home' }, hosts: 'postgres', coordinator: { node: 'n', name: 'nas' } },
    surroundings: {
      listening: [{ what: 'mesh', addresses: ['10.0.0.1:9'], problem: 'Port 8266 is taken.' }],
      interfaces: [{ name: 'eth0', address: '10.0.0.1', multicast: 'failed', problem: 'There is no route.' }],
      sightings,
    },
    reached: true,
  };
  const port = await listening(createHttpServer((_question, answer) => answer.end(JSON.stringify(here))));
  writeFileSync(join(dataDir, 'running.json'), JSON.stringify({ url: `http://127.0.0.1:${port}`, pid: 1, secret: 'x' }));
  const told = await doctor(dataDir);
  assert.equal(told.about('standing').says, 'Part of Home, coordinated by nas.');
  assert.equal(told.about('port of the mesh').says, '10.0.0.1:9. Port 8266 is taken.');
  assert.match(told.about('interface eth0').says, /^nothing is found by itself here\. There is no route\./);
  assert.equal(told.about('machines').says, 'connected with nas (1.0 ms), attic (1.0 ms)');
  assert.equal(told.about('machine cellar').says, 'cellar cannot be reached.');
  assert.equal(told.about('machine neighbour').says, 'neighbour belongs elsewhere.');
  assert.equal(told.about('clock of attic').says, 'The clock of attic is off.');
  assert.match(told.about('clock of cellar').says, /The clock of cellar is 10 minutes behind/);
  assert.match(told.about('other clusters').says, /^"Next door" \(heard from neighbour\)/);
});

test('two programs: the doctor says what one waits for, that they work together, and why not any more', async (t) => {
  const [one, two] = [folder('one'), folder('two')];
  const first = await startProgram({ dataDir: one, args: ['--name', 'nas'] });
  t.after(() => first.kill());
  const { surroundings } = await until('the lobby of the first', async () => {
    const here = await first.api<Here>('/node');
    return here.surroundings.listening.some(({ what, addresses }) => what === 'lobby' && addresses.length > 0) ? here : null;
  });
  const peer = surroundings.listening.find(({ what }) => what === 'lobby')!.addresses.find((at) => !at.startsWith('['))!;
  const second = await startProgram({ dataDir: two, args: ['--name', 'attic', '--peer', peer], env: { CODECSHIFT_CLUSTER: 'join' } });
  t.after(() => second.kill());
  const pending = await until('the second to ask', async () => {
    const { node, standing } = await second.api<Here>('/node');
    return standing.state === 'pending' ? { id: node.id, code: standing.code } : null;
  });
  const waiting = (await doctor(two)).about('standing');
  assert.ok(waiting.heed && waiting.says.includes(pending.code), waiting.says);

  await until('the approval', () =>
    first.api(`/nodes/${pending.id}/approve`, {}).then(
      () => true,
      () => false,
    ),
  );
  await until('the second to work for the first', async () => (await second.api<Here>('/node')).reached);
  const together = await doctor(two);
  assert.deepEqual(together.about('standing'), {
    ...{ check: 'standing', ok: true, heed: false },
    says: 'Part of nas, coordinated by nas.',
  });
  assert.match(together.about('machines').says, /^connected with nas/);
  assert.match(together.about('port of the mesh').says, /:\d+/);
  assert.match(together.about('database').says, /on another one/);

  await first.kill();
  await until('the loss to be noticed', async () =>
    (await second.api<Here>('/node')).surroundings.sightings.some(({ name, state }) => name === 'nas' && state === 'unreachable'),
  );
  assert.match((await doctor(two)).about('machine nas').says, /nas cannot be reached at .*firewall/);
});
