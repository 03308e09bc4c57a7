import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { settingsTables } from './describe.ts';
import { checkValue } from './check.ts';
import { defaultDataDir, effectiveSettings, loadOptions, overriddenBy } from './load.ts';
import { clusterKeys, settings, specOf, type SettingKey } from './schema.ts';
import { settingGroups } from './setting.ts';

const room = path.join(import.meta.dirname, '..');

test('every setting is read by some code outside of its declaration', () => {
  const files = readdirSync(room, { recursive: true, encoding: 'utf8' }).filter(
    (f) => f.endsWith('.ts') && !f.endsWith('.test.ts') && !f.startsWith('testing') && !f.startsWith(path.join('config', 'settings')),
  );
  const code = files.map((f) => readFileSync(path.join(room, f), 'utf8')).join('\n');
  const unread = (Object.keys(settings) as SettingKey[]).filter(
    (key) => !code.includes(`'${key}'`) && !new RegExp(`options\\.${key}\\b|\\{[^{}]*\\b${key}\\b[^{}]*\\}: (Run)?Options`).test(code),
  );
  assert.deepEqual(unread, []);
});

test('every setting is declared once, in the file of its group', () => {
  const folder = path.join(import.meta.dirname, 'settings');
  const groupsIn = (file: string) =>
    [...readFileSync(path.join(folder, file), 'utf8').matchAll(/^ {4}group: '(\w+)',$/gm)].map((match) => match[1]);
  // two files could name the same key, of which only one would count
  assert.equal(readdirSync(folder).flatMap(groupsIn).length, Object.keys(settings).length);
  for (const group of Object.keys(settingGroups)) assert.deepEqual([...new Set(groupsIn(`${group}.ts`))], [group]);
});

test('every default is a lawful value of its setting', () => {
  for (const key of Object.keys(settings) as SettingKey[]) {
    const spec = specOf(key);
    if (spec.default !== null) assert.deepEqual(checkValue(spec, spec.default), { ok: true, value: spec.default }, key);
  }
});

test('no two settings share an environment variable or a flag', () => {
  const specs = (Object.keys(settings) as SettingKey[]).map(specOf);
  for (const field of ['env', 'flag'] as const) {
    const names = specs.map((s) => s[field]).filter(Boolean);
    assert.equal(new Set(names).size, names.length, field);
  }
});

test('a flag goes before the environment, and the environment before the default', () => {
  assert.equal(loadOptions({}, {}).port, 8265);
  assert.equal(loadOptions({}, { CODECSHIFT_PORT: '9000' }).port, 9000);
  assert.equal(loadOptions({ port: '9001' }, { CODECSHIFT_PORT: '9000' }).port, 9001);
  assert.deepEqual(loadOptions({}, { CODECSHIFT_LIBRARIES: ['/a', '/b'].join(path.delimiter) }).libraries, ['/a', '/b']);
});

test('machines in the environment keep their ports: what separates paths stands inside an address', () => {
  const peersOf = (said: string): readonly string[] => loadOptions({}, { CODECSHIFT_PEERS: said }).peers;
  assert.deepEqual(peersOf('192.168.1.5:8266'), ['192.168.1.5:8266']);
  assert.deepEqual(peersOf('nas:9000, [fd00::5]:8266 attic'), ['nas:9000', '[fd00::5]:8266', 'attic']);
  assert.deepEqual(peersOf(''), []);
});

test('a secret may be in a file, as containers hand it in, and every mistake about it is a sentence', (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'codecshift-secret-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = path.join(dir, 'url');
  writeFileSync(file, 'postgres://a:b@c/d\n');
  assert.equal(loadOptions({}, { DATABASE_URL_FILE: file }).databaseUrl, 'postgres://a:b@c/d');
  assert.equal(loadOptions({ 'database-url': 'postgres://flag' }, { DATABASE_URL_FILE: '/nowhere' }).databaseUrl, 'postgres://flag');
  assert.equal(loadOptions({}, { DATABASE_URL_FILE: '' }).databaseUrl, null);
  assert.equal(loadOptions({}, { CODECSHIFT_PORT_FILE: file }).port, 8265, 'only secrets are read from files');
  writeFileSync(path.join(dir, 'empty'), '\n');
  for (const [env, sentence] of [
    [{ CODECSHIFT_JOIN_FILE: path.join(dir, 'none') }, /CODECSHIFT_JOIN_FILE names .*none, which cannot be read \(ENOENT\)/],
    [{ CODECSHIFT_JOIN_FILE: path.join(dir, 'empty') }, /which is empty/],
    [{ CODECSHIFT_JOIN_FILE: file, CODECSHIFT_JOIN: 'x' }, /both set/],
  ] as const)
    assert.throws(() => loadOptions({}, env), sentence);
});

test('every bad option is named at once, with where it came from', () => {
  assert.throws(
    () => loadOptions({ port: 'eighty' }, { CODECSHIFT_LOG_LEVEL: 'loud', CODECSHIFT_STOP: 'never' }),
    (error: Error) => {
      assert.match(error.message, /--port must be a number; "eighty" is none/);
      assert.match(error.message, /CODECSHIFT_LOG_LEVEL must name a level \(debug, info, warn, error\) or room=level; "loud" is neither/);
      assert.match(error.message, /CODECSHIFT_STOP/);
      return true;
    },
  );
});

test('what people type becomes a value, or a sentence that says why not', () => {
  const days = specOf('trash.keepDays');
  assert.deepEqual(checkValue(days, ' 7,5 '), { ok: true, value: 7.5 });
  assert.deepEqual(checkValue(specOf('jobs.atOnce'), '1.5'), { ok: false, problem: 'must be a whole number; "1.5" is none' });
  assert.deepEqual(checkValue(specOf('jobs.atOnce'), '99'), { ok: false, problem: 'must be 16 or less, not 99' });
  assert.deepEqual(checkValue(days, -1), { ok: false, problem: 'must be 0 days or more, not -1' });
  for (const nonsense of ['', 'NaN', 'Infinity', null, {}, [], '0x'])
    assert.equal(checkValue(days, nonsense).ok, false, JSON.stringify(nonsense));
  assert.deepEqual(checkValue(specOf('profile.tenBit'), 'on'), { ok: true, value: true });
});

test('stored settings are used, unlawful ones ignored, and the environment overrides both', () => {
  const stored = new Map<string, unknown>([
    ['trash.keepDays', 3],
    ['jobs.atOnce', 'many'],
  ]);
  assert.equal(effectiveSettings(stored, {})['trash.keepDays'], 3);
  assert.equal(effectiveSettings(stored, {})['jobs.atOnce'], 1);
  assert.equal(effectiveSettings(stored, { CODECSHIFT_KEEP_ORIGINALS: '30' })['trash.keepDays'], 30);
  assert.equal(overriddenBy('trash.keepDays', { CODECSHIFT_KEEP_ORIGINALS: '30' }), 'CODECSHIFT_KEEP_ORIGINALS');
  assert.equal(overriddenBy('trash.keepDays', { CODECSHIFT_KEEP_ORIGINALS: 'long' }), null);
  assert.equal(Object.keys(effectiveSettings(new Map(), {})).length, clusterKeys.length);
});

test('the data directory is where the system keeps such things', (t) => {
  if (process.platform !== 'linux') return t.skip('the paths below are those of Linux');
  assert.equal(defaultDataDir({ XDG_DATA_HOME: '/x' }), '/x/codecshift');
  assert.equal(defaultDataDir({ STATE_DIRECTORY: '/var/lib/codecshift:/other' }), '/var/lib/codecshift');
});

test('the tables of settings have a row for every visible setting', () => {
  const rows = settingsTables().match(/^\| \*\*/gm) ?? [];
  assert.equal(rows.length, (Object.keys(settings) as SettingKey[]).filter((key) => !specOf(key).hidden).length);
});
