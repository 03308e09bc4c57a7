import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { withEnvironment } from './env-file.ts';
import { launchdPlist } from './launchd-plist.ts';
import { mountUnit, quoted, systemdUnit, type UnitFacts } from './systemd-unit.ts';
import { taskFile, taskXml, windowsWord } from './task-xml.ts';

/** Set to "write", the golden files are made anew from what the code does: look at the difference before you commit it. */
const write = process.env['CODECSHIFT_GOLDEN'] === 'write';

/** A path with everything in it that some system takes for something else. */
const nasty = `/srv/Ünï "films" 100% $HOME \\ & <b> 'x'`;

const system: UnitFacts = {
  scope: 'system',
  command: ['/opt/codecshift/codecshift', 'run', '--data-dir=/var/lib/codecshift', `--library=${nasty}`],
  account: 'anna',
  groups: ['video', 'render'],
  dataDir: '/var/lib/codecshift',
  environmentFile: '/etc/codecshift/codecshift.env',
  writable: [nasty, '/mnt/my disk'],
  mounts: ['/mnt/my disk'],
  finishes: false,
  port: 8265,
};
const user: UnitFacts = {
  ...system,
  scope: 'user',
  account: null,
  groups: [],
  dataDir: '/home/anna/.local/share/codecshift',
  environmentFile: '/home/anna 100%/.config/codecshift/codecshift.env',
  finishes: true,
};
const plist = {
  label: 'com.codecshift.node',
  command: ['/usr/local/bin/codecshift', 'run', `--library=${nasty}`],
  account: 'anna',
  log: '/Library/Logs/codecshift/codecshift.log',
  finishes: false,
};
const task = {
  scope: 'system' as const,
  command: ['C:\\Program Files\\CodecShift\\codecshift.exe', 'run', '--library=D:\\Ünï & Films\\', '--name=a "b"'],
  account: null,
};

suite('what is written for the system', () => {
  golden('system.service', systemdUnit(system));
  golden('user.service', systemdUnit(user));
  golden('root-own-directory.service', systemdUnit({ ...system, account: 'root', groups: [], dataDir: '/mnt/my disk/data', port: 443 }));
  golden('daemon.plist', launchdPlist(plist));
  golden('agent.plist', launchdPlist({ ...plist, account: null, finishes: true }));
  golden('system-task.xml', taskXml(task));
  golden('user-task.xml', taskXml({ ...task, scope: 'user', account: 'HOUSE\\Ann & Bob' }));
});

suite('systemd', { skip: has('systemd-analyze') ? false : 'systemd-analyze is not on this machine' }, () => {
  for (const [name, facts] of Object.entries({ system, user }))
    test(`understands every line of the ${name} unit, and gives the program the words that were meant`, (t) => {
      // a program that is there, since a missing one is a fault of a unit too
      const file = unitFile(t, systemdUnit({ ...facts, command: [process.execPath, ...facts.command.slice(1)] }));
      const { status, stderr, stdout } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
      assert.deepEqual([status, complaints(stderr + stdout, file)], [0, []]);
    });

  test('a unit with a word that does not exist is told apart from ours', (t) => {
    const file = unitFile(t, systemdUnit({ ...system, command: [process.execPath] }).replace('Restart=', 'Rstart='));
    const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
    assert.equal(complaints(stderr, file).length, 1);
  });

  test('finds little that the service could do beside its work', (t) => {
    const file = unitFile(t, systemdUnit(system));
    const threshold = ['security', '--offline=true', '--threshold=40', '--no-pager', file];
    const { status, stdout, stderr } = spawnSync('systemd-analyze', threshold, { encoding: 'utf8' });
    assert.equal(status, 0, `${stdout}\n${stderr}`);
  });

  test('names a mount as systemd-escape does', { skip: !has('systemd-escape') }, () => {
    for (const path of ['/mnt/films', '/mnt/my disk', '/media/ünï-x/.hidden', '/a/.b/c\\d', '/']) {
      const { stdout } = spawnSync('systemd-escape', ['--path', '--suffix=mount', path], { encoding: 'utf8' });
      assert.equal(mountUnit(path), stdout.trim());
    }
  });

  test('a word is quoted only where it has to be', () => {
    assert.equal(quoted('--library=/srv/films'), '--library=/srv/films');
    assert.equal(quoted('/srv/100%'), '/srv/100%%');
    assert.equal(quoted('a b'), '"a b"');
    assert.equal(quoted('a"b\\c\n'), '"a\\"b\\\\c\\x0a"');
    assert.equal(quoted(''), '""');
  });
});

test('a property list is read back as it was meant', { skip: has('python3') ? false : 'python3 is not on this machine' }, () => {
  const script = 'import json,plistlib,sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))';
  const { stdout } = spawnSync('python3', ['-c', script], { input: launchdPlist(plist), encoding: 'utf8' });
  const read = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual(read['ProgramArguments'], plist.command);
  assert.deepEqual([read['Label'], read['UserName'], read['RunAtLoad'], read['ExitTimeOut']], ['com.codecshift.node', 'anna', true, 120]);
  assert.deepEqual(read['KeepAlive'], { SuccessfulExit: false });
  assert.match((read['EnvironmentVariables'] as { PATH: string }).PATH, /^\/opt\/homebrew\/bin:/);
});

suite('the task of Windows', () => {
  test('is UTF-16 with a mark, and Windows’ line ends', () => {
    const file = taskFile(task);
    assert.deepEqual([...file.subarray(0, 4)], [0xff, 0xfe, 0x3c, 0x00]);
    assert.equal(file.toString('utf16le').slice(1), taskXml(task).replaceAll('\n', '\r\n'));
  });

  test('has the elements in the order of Windows’ own schema', () => {
    // the schema is a sequence: an element in the wrong place is refused
    const order = (xml: string, parent: string): string[] => {
      const inside = new RegExp(`<${parent}(?: [^>]*)?>([\\s\\S]*)</${parent}>`).exec(xml)![1]!;
      const names: string[] = [];
      let depth = 0;
      for (const [, close, name] of inside.matchAll(/<(\/?)(\w+)[^>]*>/g)) {
        if (close) depth--;
        else if (depth++ === 0) names.push(name!);
      }
      return names;
    };
    const xml = taskXml({ ...task, account: 'HOUSE\\anna' });
    assert.deepEqual(order(xml, 'Task'), ['RegistrationInfo', 'Triggers', 'Principals', 'Settings', 'Actions']);
    assert.deepEqual(order(xml, 'Principal'), ['UserId', 'LogonType', 'RunLevel']);
    assert.deepEqual(order(xml, 'Exec'), ['Command', 'Arguments']);
    assert.deepEqual(order(xml, 'RestartOnFailure'), ['Interval', 'Count']);
    const count = Number(/<Count>(\d+)<\/Count>/.exec(xml)![1]);
    assert.ok(count >= 1 && count <= 255, 'it is one byte there');
    assert.deepEqual(order(taskXml({ ...task, scope: 'user', account: 'x' }), 'LogonTrigger'), ['Enabled', 'UserId']);
  });

  test('words come out of a Windows command line as they went in', () => {
    for (const word of ['plain', 'a b', 'C:\\Films\\', 'C:\\My Films\\', 'say "x"', 'a\\"b', '', '\\\\server\\share', 'tab\there', '\\\\"'])
      assert.deepEqual(commandLineToArgv(`x ${windowsWord(word)} y`), ['x', word, 'y'], word);
  });
});

suite('the file with the secrets', () => {
  test('keeps what a person wrote into it, and replaces its own lines', () => {
    const first = withEnvironment('# mine\nTZ=Europe/Berlin\nDATABASE_URL=old\n', { DATABASE_URL: 'new' }, 'systemd');
    assert.equal(first, '# mine\nTZ=Europe/Berlin\nDATABASE_URL="new"\n');
    assert.equal(withEnvironment(first, {}, 'systemd'), first);
  });

  test('is read by run --env-file as it was meant', async (t) => {
    const values = { A: `it's "x" #1 $HOME \\n`, B: 'plain', C: 'postgres://u:p%40"$`@h/d', D: `' "` };
    const file = join(directory(t), 'env');
    writeFileSync(file, withEnvironment('', values, 'node'));
    const script = `process.loadEnvFile(${JSON.stringify(file)}); console.log(JSON.stringify(Object.keys(${JSON.stringify(values)}).map((k) => process.env[k])))`;
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script]);
    assert.deepEqual(JSON.parse(stdout), Object.values(values));
  });

  test('takes no value that would become a second line', () => {
    for (const dialect of ['systemd', 'node'] as const)
      assert.throws(() => withEnvironment('', { DATABASE_URL: 'x\nLD_PRELOAD=/tmp/evil.so' }, dialect), /DATABASE_URL holds a line end/);
    assert.throws(() => withEnvironment('', { A: `'"\`` }, 'node'), /A_FILE/);
  });
});

function golden(name: string, text: string): void {
  test(`${name} is as it was`, () => {
    const file = join(import.meta.dirname, 'golden', name);
    if (write) writeFileSync(file, text);
    assert.equal(text, readFileSync(file, 'utf8'));
  });
}

function directory(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'codecshift-unit-'));
  t.after(() => rmSync(made, { recursive: true }));
  return made;
}

function unitFile(t: TestContext, text: string): string {
  const file = join(directory(t), 'codecshift.service');
  writeFileSync(file, text);
  return file;
}

/** What systemd says of our file; of other units of this machine it may say what it likes. */
function complaints(said: string, file: string): string[] {
  return said.split('\n').filter((line) => line.includes(file) || line.startsWith('codecshift.service'));
}

function has(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The rules of Windows' own CommandLineToArgvW, written down a second time. */
function commandLineToArgv(line: string): string[] {
  const words: string[] = [];
  let [word, open, quotes] = ['', false, false];
  for (let i = 0; i <= line.length; i++) {
    const slashes = /^\\*/.exec(line.slice(i))![0].length;
    if (slashes > 0 && line[i + slashes] === '"') {
      word += '\\'.repeat(Math.floor(slashes / 2));
      i += slashes - 1;
      open = true;
      if (slashes % 2 === 1) word += line[++i];
    } else if (line[i] === '"') [quotes, open] = [!quotes, true];
    else if (i === line.length || (!quotes && /\s/.test(line[i]!))) {
      if (open) words.push(word);
      [word, open] = ['', false];
    } else [word, open] = [word + line[i], true];
  }
  return words;
}
