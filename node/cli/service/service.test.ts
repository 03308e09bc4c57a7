import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { temporaryDirectory } from '../../testing/database.ts';
import { installed } from './choice.ts';
import { dryRun, install, prepare } from './install.ts';
import { passingPlaces, type Machine, type Ran } from './machine.ts';
import { requireLastingPlace } from './program-place.ts';
import { serviceStatus, statusWords } from './status.ts';
import { prepareRemoval, remains, uninstall } from './uninstall.ts';

/** The same flow on systems that are not here: their programs answer as theirs were recorded, and every call is kept. */

interface Stage {
  machine: Machine;
  calls: string[][];
  /** text of a file of that computer, or null */
  text(file: string): string | null;
  put(file: string, text: string): void;
}

type Answer = (command: readonly string[]) => Partial<Ran> | undefined;

function stage(t: TestContext, about: Partial<Machine>, answer: Answer = () => undefined): Stage {
  const root = temporaryDirectory(t);
  const calls: string[][] = [];
  const at = (file: string): string => join(root, file);
  const put = (file: string, text: string): void => {
    mkdirSync(dirname(at(file)), { recursive: true });
    writeFileSync(at(file), text);
  };
  const machine: Machine = {
    platform: 'linux',
    uid: 0,
    user: 'root',
    home: '/root',
    env: {},
    // wherever this program lies that is tested
    passing: [],
    root,
    run: async (command) => {
      calls.push([...command]);
      return { code: 0, stdout: '', stderr: '', ...answer(command) };
    },
    ...about,
  };
  return { machine, calls, put, text: (file) => (existsSync(at(file)) ? readFileSync(at(file), 'utf8') : null) };
}

/** A program that answers there, as the manager started it. */
async function answering(t: TestContext): Promise<{ announce: (s: Stage, dataDir: string) => void }> {
  const server = createServer((_request, response) => {
    const standing = { state: 'member', cluster: { id: 'c', name: 'home' }, hosts: null, coordinator: { node: 'n', name: 'n' } };
    response.end(JSON.stringify({ node: { id: 'n', name: 'n', version: '0.1.0' }, standing, reached: true }));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    announce: (s, dataDir) => s.put(join(dataDir, 'running.json'), JSON.stringify({ url, pid: process.pid, secret: 'x', ready: true })),
  };
}

const linux: Answer = ([program, ...words]) => {
  if (program === 'getent') return { code: words[1] === 'video' ? 0 : 2 };
  if (program === 'id') return { code: words[1] === 'anna' ? 0 : 1 };
  return undefined;
};

/** A Linux with systemd: the service that it starts answers, and has noted that in its data directory. */
async function underSystemd(t: TestContext): Promise<{ s: Stage; announce: (s: Stage, dataDir: string) => void }> {
  const { announce } = await answering(t);
  const s = stage(t, {}, (command) => {
    if (command[1] === 'restart') announce(s, '/var/lib/codecshift');
    return linux(command);
  });
  s.put('/run/systemd/system/.keep', '');
  return { s, announce };
}

/** The service ended since: what it noted is of a program that is not there any more. */
function ended(s: Stage): void {
  s.put('/var/lib/codecshift/running.json', '{"pid":999999999,"url":"http://127.0.0.1:1/"}');
}

suite('an installation', () => {
  test('shows every file and every command beforehand, and no secret', async (t) => {
    const s = stage(t, { env: { DATABASE_URL: 'postgres://u:tellnobody@h/d', CODECSHIFT_QUALITY: '20' } }, linux);
    s.put('/srv/films/.keep', '');
    const prepared = await prepare(s.machine, {
      'dry-run': true,
      library: ['/srv/films'],
      port: '9000',
      'look-first': true,
      join: 'csj1.tellnobody',
    });
    const shown = dryRun(prepared);
    assert.match(shown, /A user of the system called codecshift is made\. Nobody can sign in as it/);
    assert.match(shown, /\$ useradd --system .* codecshift/);
    assert.match(shown, /ExecStart=.* run --data-dir=\/var\/lib\/codecshift --library=\/srv\/films --look-first --port=9000\n/);
    assert.match(shown, /SupplementaryGroups=video\n/, 'a group that is not there would keep the unit from starting');
    assert.match(shown, /CODECSHIFT_QUALITY=\[secret\]\n {4}DATABASE_URL=\[secret\]\n {4}CODECSHIFT_JOIN=\[secret\]/);
    assert.doesNotMatch(shown, /tellnobody/);
    assert.equal(existsSync(join(s.machine.root, 'etc')), false, 'nothing was written');
    const unit = prepared.steps.find((step) => step.do === 'file' && step.path.endsWith('.service'))!;
    assert.doesNotMatch(JSON.stringify(unit), /tellnobody/, 'everybody may read a unit and a command line');
    const record = prepared.steps.find((step) => step.do === 'file' && step.path.endsWith('.json'))!;
    assert.doesNotMatch(JSON.stringify(record), /tellnobody|[0-9a-f]{64}.*codecshift\.env/, 'a digest of a secret can be guessed');
  });

  test('that is only shown says why it would be refused, and shows its plan all the same', async (t) => {
    const s = stage(t, {}, linux);
    const shown = async (about: Partial<Machine> = {}): Promise<string> =>
      dryRun(await prepare({ ...s.machine, ...about }, { 'dry-run': true, 'service-user': 'anna', system: true }));
    const plan = /\n\n\$ systemctl enable codecshift\.service/;
    assert.match(await shown(), /^! Without --dry-run this would be refused here: This system is not started by systemd/);
    assert.match(await shown(), plan);
    s.put('/run/systemd/system/.keep', '');
    assert.match(
      await shown({ uid: 1000, user: 'anna' }),
      /^! Without --dry-run .*: A service for the whole machine can only be installed/,
    );
    assert.doesNotMatch(await shown(), /refused/);
    s.put('/etc/systemd/system/codecshift.service', '[Service]\n');
    assert.match(await shown(), /^! Without --dry-run .*codecshift\.service is there already, and was not written by CodecShift\. --force/);
    assert.match(await shown(), plan);
  });

  test('again keeps what it is not told anew', async (t) => {
    const { s } = await underSystemd(t);
    for (const folder of ['/srv/a', '/srv/b']) s.put(`${folder}/.keep`, '');
    const unit = (): string => s.text('/etc/systemd/system/codecshift.service')!;
    const again = async (values: Record<string, unknown>): Promise<void> =>
      void (await install(s.machine, await prepare(s.machine, values)));
    await again({ library: ['/srv/a'], 'service-user': 'anna', name: 'nas', 'database-url': 'postgres://a/b' });
    ended(s);
    await again({ library: ['/srv/b'], port: '9000' });
    assert.match(unit(), /--library=\/srv\/a --library=\/srv\/b/);
    assert.match(unit(), /User=anna\n[\s\S]*ReadWritePaths=-\/srv\/a -\/srv\/b\n/);
    assert.match(unit(), /--name=nas .*--port=9000|--port=9000 .*--name=nas/);
    assert.equal(s.text('/etc/codecshift/codecshift.env'), 'DATABASE_URL="postgres://a/b"\n');
    ended(s);

    await again({ anew: true, 'service-user': 'anna', library: ['/srv/b'] });
    assert.match(unit(), / run --data-dir=\/var\/lib\/codecshift --library=\/srv\/b\n/);
    assert.equal(s.text('/etc/codecshift/codecshift.env'), null, 'a forgotten secret stayed');
    ended(s);
    await again({ 'database-url': 'postgres://a/b' });

    s.put('/etc/systemd/system/codecshift.service', `${unit()}# mine\n`);
    await assert.rejects(prepare(s.machine, {}), /codecshift\.service was changed by hand since\. --force overwrites it/);

    s.put('/etc/codecshift/codecshift.env', `${s.text('/etc/codecshift/codecshift.env')!}TZ=UTC\n`);
    const record = installed(s.machine, {})!;
    const removal = await prepareRemoval(s.machine, record, false);
    assert.deepEqual(removal.removed, []);
    assert.deepEqual(removal.left.toSorted(), ['/etc/codecshift/codecshift.env', '/etc/systemd/system/codecshift.service']);
    const forced = await prepareRemoval(s.machine, record, true);
    ended(s);
    await uninstall(s.machine, record, forced);
    assert.equal(existsSync(join(s.machine.root, 'etc/codecshift')), false);
    assert.equal(s.text('/etc/systemd/system/codecshift.service'), null);
    assert.match(remains(s.machine, record, forced).join('\n'), /stays in \/var\/lib\/codecshift/);
    assert.deepEqual(installed(s.machine, {}), null);
  });

  test('to another data directory is refused while somebody runs the program there', async (t) => {
    const { s, announce } = await underSystemd(t);
    await install(s.machine, await prepare(s.machine, { 'service-user': 'anna' }));
    ended(s);
    announce(s, '/srv/data');
    const other = await prepare(s.machine, { 'data-dir': '/srv/data' });
    const before = s.calls.length;
    await assert.rejects(install(s.machine, other), /already runs from .*\/srv\/data .*End it first/);
    assert.equal(s.calls.length, before, 'the service that runs was touched');
  });

  test('whose program was moved away says so, and where it was', async (t) => {
    const { s } = await underSystemd(t);
    await install(s.machine, await prepare(s.machine, { 'service-user': 'anna' }));
    ended(s);
    const record = installed(s.machine, {})!;
    const says = async (): Promise<string> => statusWords(await serviceStatus(s.machine, record));
    assert.match(await says(), new RegExp(`! ${process.execPath} is not there any more\\. Put it back, or say "service install"`));
    for (const file of record.program!) s.put(file, '');
    assert.doesNotMatch(await says(), /is not there any more/);
    // an installation of the first versions
    const { program: _program, ...older } = record;
    s.put('/etc/codecshift/service.json', JSON.stringify(older));
    assert.deepEqual((await serviceStatus(s.machine, installed(s.machine, {})!)).gone, []);
  });

  test('whose note is damaged says so, and what helps', (t) => {
    const s = stage(t, {}, linux);
    for (const text of ['', '{', 'null', '[]', '{}', '{"scope":"system","dataDir":"/x","flags":null,"files":{},"directories":[]}']) {
      s.put('/etc/codecshift/service.json', text);
      assert.throws(() => installed(s.machine, {}), /service\.json is damaged; .* Remove it, and install the service again/, text);
    }
  });

  test('that cannot run is refused in words', async (t) => {
    const s = stage(t, {}, (command) =>
      command[0] === 'runuser' && command.includes('-w') ? { code: 1 } : command[0] === 'stat' ? { stdout: 'anna\n' } : linux(command),
    );
    s.put('/srv/films/.keep', '');
    const refusal = (values: Record<string, unknown>, machine = s.machine): Promise<string> =>
      prepare(machine, values).then(
        () => 'accepted',
        (error: Error) => error.message,
      );
    assert.match(await refusal({}), /^This system is not started by systemd/);
    s.put('/run/systemd/system/.keep', '');
    assert.match(await refusal({ system: true }, { ...s.machine, uid: 1000, user: 'anna' }), /say the same with sudo before it/);
    assert.match(await refusal({ user: true }, { ...s.machine, env: { SUDO_USER: 'anna' } }), /say it without sudo/);
    assert.equal(await refusal({ user: true, system: true }), '--user and --system exclude each other.');
    assert.match(
      await refusal({ library: ['/srv/films'] }),
      /^A new user codecshift may not write into \/srv\/films, .* --service-user anna lets/,
    );
    assert.equal(await refusal({ 'service-user': 'bob' }), 'There is no user bob on this machine.');
    assert.equal(await refusal({ 'service-user': '-h' }), '"-h" cannot be the name of a user.');
    assert.match(await refusal({ library: ['/srv/nothing'] }), /The folder .*\/srv\/nothing is not there/);
    s.put('/home/anna/.local/share/codecshift/roots.json', '{}');
    assert.match(
      await refusal({}, { ...s.machine, env: { SUDO_USER: 'anna' } }),
      /^CodecShift already ran here for anna, .* goes on with it \(--data-dir/,
    );
    s.put('/etc/systemd/system/codecshift.service', '[Service]\n');
    assert.match(await refusal({ 'service-user': 'anna' }), /is there already, and was not written by CodecShift\. --force/);
    assert.equal(existsSync(join(s.machine.root, 'etc/codecshift')), false, 'a refusal wrote something');
  });

  test('says what starts the program where there is no systemd', async (t) => {
    const of = async (file: string, text = '', about: Partial<Machine> = {}): Promise<string> => {
      const s = stage(t, about, linux);
      s.put(file, text);
      return prepare(s.machine, {}).catch((error: Error) => error.message) as Promise<string>;
    };
    assert.match(await of('/.dockerenv'), /^This is a container/);
    assert.match(await of('/proc/version', 'Linux version 5.15 (Microsoft@Microsoft.com)'), /\/etc\/wsl\.conf/);
    assert.match(await of('/sbin/openrc'), /OpenRC/);
    assert.match(await of('/etc/runit/1'), /runit/);
    assert.match(await of('/x', '', { platform: 'freebsd' }), /writes no service for this system \(freebsd\)/);
  });

  test('from a place that is emptied is refused', (t) => {
    const { machine } = stage(t, { passing: passingPlaces('linux', '/scratch') });
    const refused = (file: string, about: Partial<Machine> = {}): void =>
      assert.throws(
        () => requireLastingPlace({ ...machine, ...about }, [file, 'run']),
        /a place that is emptied from time to time\. Move it to/,
      );
    for (const place of ['/scratch', '/tmp', '/var/tmp', '/run/user/1000']) refused(`${place}/codecshift`);
    refused('/home/anna/.npm/_npx/12/node_modules/codecshift/node/main.ts');
    refused('/private/var/folders/x/AppTranslocation/y/codecshift', { platform: 'darwin' });
    refused('C:\\Users\\anna\\AppData\\Local\\Temp\\codecshift.exe', {
      platform: 'win32',
      passing: passingPlaces('win32', 'C:\\Users\\anna\\AppData\\Local\\Temp'),
    });
    requireLastingPlace(machine, ['/opt/tmp/codecshift', '/opt/codecshift/node/main.ts']);
  });
});

test('on a Mac it is a daemon that runs as the person who said sudo', async (t) => {
  const { announce } = await answering(t);
  const data = '/Library/Application Support/codecshift/data';
  let loaded = 0;
  const s = stage(
    t,
    { platform: 'darwin', uid: 0, env: { SUDO_USER: 'anna', DATABASE_URL: 'postgres://x' }, home: '/var/root' },
    (command) => {
      const [program, verb] = command;
      if (program !== 'launchctl') return program === 'id' ? { code: 0 } : undefined;
      // for a moment after a bootout: "Bootstrap failed: 5: Input/output error"
      if (verb === 'bootout') return { code: 3, stderr: 'Boot-out failed: 3: No such process' };
      if (verb === 'bootstrap' && ++loaded === 1) return { code: 5, stderr: 'Bootstrap failed: 5: Input/output error' };
      if (verb === 'bootstrap') announce(s, data);
      if (verb === 'print')
        return {
          stdout:
            'system/com.codecshift.node = {\n\tactive count = 1\n\tstate = running\n\n\truns = 3\n\tpid = 412\n\tlast exit code = 1\n}',
        };
      return undefined;
    },
  );
  const { url } = await install(s.machine, await prepare(s.machine, { name: 'mini' }));
  assert.match(url, /^http:\/\/127\.0\.0\.1:/);
  assert.deepEqual(s.calls.filter(([program]) => program === 'launchctl').slice(0, 4), [
    ['launchctl', 'bootout', 'system/com.codecshift.node'],
    ['launchctl', 'enable', 'system/com.codecshift.node'],
    ['launchctl', 'bootstrap', 'system', '/Library/LaunchDaemons/com.codecshift.node.plist'],
    ['launchctl', 'bootstrap', 'system', '/Library/LaunchDaemons/com.codecshift.node.plist'],
  ]);
  assert.match(s.text('/Library/LaunchDaemons/com.codecshift.node.plist')!, /<key>UserName<\/key>\s*<string>anna<\/string>/);
  assert.doesNotMatch(s.text('/Library/LaunchDaemons/com.codecshift.node.plist')!, /postgres:/);
  assert.equal(s.text('/Library/Application Support/codecshift/codecshift.env'), "DATABASE_URL='postgres://x'\n");
  s.put(
    '/Library/Logs/codecshift/codecshift.log',
    '{"level":"warn","time":"2026-11-30T09:00:00.000Z","room":"mesh","msg":"slow","why":"x\\u001b[2J"}\nDashboard: http://…\n',
  );
  const status = await serviceStatus(s.machine, installed(s.machine, {})!);
  assert.deepEqual([status.running, status.enabled, status.pid], [true, true, 412]);
  assert.deepEqual(status.lines, ['2026-11-30 09:00:00  ! mesh: slow (x\\u001b[2J)', 'Dashboard: http://…']);
});

test('on Windows it is a task, whose answers in words are not read', async (t) => {
  const { announce } = await answering(t);
  const s = stage(
    t,
    {
      platform: 'win32',
      uid: null,
      user: 'anna',
      home: 'C:\\Users\\anna',
      env: { ProgramData: 'C:\\ProgramData', DATABASE_URL: 'postgres://x' },
    },
    ([program, verb]) => {
      if (program === 'schtasks.exe' && verb === '/Run') announce(s, 'C:\\ProgramData\\codecshift\\Data');
      if (program === 'schtasks.exe' && verb === '/Query')
        return {
          stdout: '\uFEFF<Task><Triggers><BootTrigger><Enabled>false</Enabled></BootTrigger></Triggers><Settings></Settings></Task>',
        };
      return undefined;
    },
  );
  const prepared = await prepare(s.machine, { name: 'tower' });
  assert.deepEqual(
    prepared.steps.flatMap((step) => (step.do === 'run' ? [step.command.join(' ')] : [])),
    [
      'icacls.exe C:\\ProgramData\\codecshift\\Data /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F *S-1-5-19:(OI)(CI)F',
      'icacls.exe C:\\ProgramData\\codecshift\\codecshift.env /inheritance:r /grant:r *S-1-5-18:F *S-1-5-32-544:F *S-1-5-19:R',
      'schtasks.exe /Create /TN CodecShift /XML C:\\ProgramData\\codecshift\\task.xml /F',
      'schtasks.exe /Run /TN CodecShift',
    ],
  );
  const task = prepared.steps.find((step) => step.do === 'file' && step.path.endsWith('task.xml'))!;
  assert.ok(task.do === 'file' && Buffer.isBuffer(task.content));
  assert.match(
    task.content.toString('utf16le'),
    /keep-running run --data-dir=C:\\ProgramData\\codecshift\\Data --name=tower --log-file-mb=20 --env-file=C:\\ProgramData\\codecshift\\codecshift\.env</,
  );
  assert.deepEqual((await install(s.machine, prepared)).problems, []);
  const record = installed(s.machine, {})!;
  assert.equal((await serviceStatus(s.machine, record)).enabled, true);
  await assert.rejects(
    prepare({ ...s.machine, run: async () => ({ code: 1, stdout: '', stderr: '' }) }, {}),
    /open the terminal with "Run as administrator" and say the same again, or use --user/,
  );
});
