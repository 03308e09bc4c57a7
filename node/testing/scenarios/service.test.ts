import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { temporaryDirectory } from '../database.ts';
import { makeLibrary } from '../media.ts';
import { startComputer, systemdProblem, type Computer } from '../systemd.ts';

/** The service as a person at home has it: installed once, and there after whatever happens to the machine. */

const settings = {
  CODECSHIFT_SETTLE: '0',
  CODECSHIFT_SPEED: 'fast',
  CODECSHIFT_MIN_FREE: '0',
  CODECSHIFT_PICTURES: 'off',
  CODECSHIFT_CLUSTER: 'new',
  CODECSHIFT_AUTH: 'none',
};

suite('a service of systemd', { skip: systemdProblem() ?? false }, () => {
  test('converts in its cage, comes back after a kill and a power cut, and leaves nothing but its data behind', async (t) => {
    const films = temporaryDirectory(t);
    await makeLibrary(films, ['film']);
    const computer = await startComputer(t, { '/srv/my films': films });
    await computer.run('useradd', '--create-home', 'anna');
    const before = await filesOf(computer);

    const refused = await computer.codecshift({}, 'service', 'install', '--library', '/srv/my films');
    assert.match(refused.stderr, /^A new user codecshift may not write into \/srv\/my films/);
    await computer.run('chown', '-R', 'anna:', '/srv/my films');
    // looked for from now on: on a fast machine the film may be done before the command is
    const caged = sawCage(computer);
    const made = await computer.codecshift(
      settings,
      'service',
      'install',
      '--library',
      '/srv/my films',
      '--service-user',
      'anna',
      '--json',
    );
    assert.equal(made.code, 0, made.stderr);
    assert.deepEqual((JSON.parse(made.stdout) as { problems: string[] }).problems, []);

    assert.ok(await caged, 'ffmpeg ran without its cage');
    await convertedBy(computer, films);
    const owner = await computer.run('stat', '-c', '%U', ...readdirSync(films).map((name) => `/srv/my films/${name}`));
    assert.match(owner.stdout, /^(anna\n)+$/);

    await computer.run('systemctl', 'kill', '--signal=KILL', 'codecshift');
    await runsAgain(computer, 'systemd had to start it again once');
    await computer.powerCut();
    await runsAgain(computer, 'It runs since');

    const stopped = await computer.codecshift({}, 'stop');
    assert.equal(stopped.stdout, 'Stopped.\n', stopped.stderr);
    const status = await computer.codecshift({}, 'service', 'status');
    assert.deepEqual([status.code, /It does not run\.\n/.test(status.stdout)], [3, true], status.stdout);

    const gone = await computer.codecshift({}, 'service', 'uninstall');
    assert.match(gone.stdout, /Everything that CodecShift knows stays in \/var\/lib\/codecshift/);
    assert.deepEqual(await filesOf(computer), before);
    assert.equal((await computer.codecshift({}, 'service', 'status')).code, 4);
    assert.match((await computer.run('ls', '/var/lib/codecshift')).stdout, /database/);
  });
});

/** What an installation could leave behind. */
async function filesOf(computer: Computer): Promise<string> {
  return (await computer.run('find', '/etc/systemd', '/etc/codecshift', '/usr/local/bin', '-newermt', '2000-01-01')).stdout;
}

async function sawCage(computer: Computer): Promise<boolean> {
  for (const deadline = performance.now() + 240_000; performance.now() < deadline; await pause(200))
    // of the service, and not of the command that installs it
    if ((await computer.run('pgrep', '--uid', 'anna', '--full', '^[^ ]*bwrap .*ffmpeg')).code === 0) return true;
  return false;
}

async function convertedBy(computer: Computer, films: string): Promise<void> {
  for (const deadline = performance.now() + 180_000; performance.now() < deadline; await pause(1000)) {
    // the original is in the trash when the copy has its name
    const trash = filesBelow(join(films, '.codecshift')).filter((name) => name.endsWith('.mkv'));
    if (trash.length === 1 && readdirSync(films).every((name) => !name.includes('.lock') && !name.startsWith('.tmp_'))) return;
  }
  throw new Error((await computer.run('journalctl', '-u', 'codecshift', '-o', 'cat', '-n', '30', '--no-pager')).stdout);
}

/** None while the folder is not there yet, or changes while it is read. */
function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true }).map(String);
  } catch {
    return [];
  }
}

async function runsAgain(computer: Computer, words: string): Promise<void> {
  let last = '';
  for (const deadline = performance.now() + 120_000; performance.now() < deadline; await pause(1000)) {
    last = (await computer.codecshift({}, 'service', 'status')).stdout;
    if (last.includes(words) && last.includes('dashboard http')) return;
  }
  throw new Error(last);
}
