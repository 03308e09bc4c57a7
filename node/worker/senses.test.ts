import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { nothingFelt } from '../core/manners.ts';
import { linuxSenses } from './senses-linux.ts';
import { judgeSessions, parseSessions } from './senses-logind.ts';
import { macSenses, parseHeat, parseIdle, parsePower } from './senses-mac.ts';
import { parseWindows, windowsSenses } from './senses-windows.ts';
import { askSystem, createFeeler, type Ask } from './senses.ts';

let base: string;
let trees = 0;
before(() => void (base = mkdtempSync(path.join(os.tmpdir(), 'codecshift-senses-'))));
after(() => rmSync(base, { recursive: true, force: true }));

/** A real tree of small files, as the kernel shows one. */
function tree(files: Record<string, string>): string {
  const root = path.join(base, `tree-${++trees}`);
  mkdirSync(root);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), `${content}\n`);
  }
  return root;
}

const nobody: Ask = async () => null;

async function feel(files: Record<string, string>) {
  const sys = tree(files);
  return linuxSenses({ ask: nobody, sys, run: path.join(base, 'none') })({ use: false });
}

const supply = (name: string, facts: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(facts).map(([key, value]) => [`class/power_supply/${name}/${key}`, value]));
const laptop = (online: string, status: string): Record<string, string> => ({
  ...supply('AC', { type: 'Mains', online }),
  ...supply('BAT0', { type: 'Battery', present: '1', status, capacity: '64', energy_full: '50000000' }),
  ...supply('hidpp_battery_0', { type: 'Battery', scope: 'Device', status: 'Discharging', capacity: '5' }),
  ...supply('ucsi-source-psy-1', { type: 'USB', online: '0' }),
});
const power = async (files: Record<string, string>): Promise<unknown[]> => {
  const { senses } = await feel(files);
  return [senses.onBattery, senses.batteryPercent];
};

describe('power on Linux', () => {
  test('is told by the mains and the batteries of the machine itself, not by those of a mouse', async () => {
    assert.deepEqual(await power(laptop('1', 'Charging')), [false, 64]);
    assert.deepEqual(await power(laptop('1', 'Discharging')), [false, 64], 'a charger that is too weak still is one');
    assert.deepEqual(await power(laptop('0', 'Discharging')), [true, 64]);
    assert.deepEqual(await power(laptop('0', 'Unknown')), [true, 64]);
  });

  test('counts a larger battery for more', async () => {
    const second = supply('BAT1', { type: 'Battery', status: 'Not charging', capacity: '4', energy_full: '25000000' });
    assert.deepEqual(await power({ ...laptop('0', 'Discharging'), ...second }), [true, 44]);
  });

  test('needs no plug to be seen: the battery says whether it is drained', async () => {
    assert.deepEqual(await power(supply('BAT0', { type: 'Battery', status: 'Discharging', capacity: '12' })), [true, 12]);
    assert.deepEqual(await power(supply('BAT0', { type: 'Battery', status: 'Full', capacity: '100' })), [false, 100]);
    assert.deepEqual(await power(supply('BAT0', { type: 'Battery', status: 'Unknown', capacity: 'x' })), [null, null]);
  });

  test('without a battery is no battery; without the directory it is not known', async () => {
    assert.deepEqual(await power(supply('hidpp_battery_0', { type: 'Battery', scope: 'Device', status: 'Discharging' })), [false, null]);
    const { senses, lacks } = await feel({});
    assert.equal(senses.onBattery, null);
    assert.match(lacks.join(' '), /does not say whether it runs on battery/);
  });
});

describe('heat on Linux', () => {
  const core = (input: string): Record<string, string> => ({
    'class/hwmon/hwmon0/name': 'coretemp',
    'class/hwmon/hwmon0/temp1_input': input,
    'class/hwmon/hwmon0/temp1_crit': '100000',
    'class/hwmon/hwmon0/temp2_input': '41000',
    'class/hwmon/hwmon0/temp2_crit': '100000',
  });

  test('is the hottest chip, and how far the nearest one is from its critical point', async () => {
    const { senses } = await feel({
      ...core('71500'),
      'class/hwmon/hwmon1/name': 'amdgpu',
      'class/hwmon/hwmon1/temp1_input': '88000',
      'class/hwmon/hwmon1/temp1_crit': '110000',
      'class/hwmon/hwmon2/name': 'nvme',
      'class/hwmon/hwmon2/temp1_input': '93000',
      'class/hwmon/hwmon2/temp1_crit': '94000',
    });
    assert.deepEqual([senses.celsius, senses.marginCelsius], [88, 22]);
  });

  test('is read from the zones of a small board too, with their critical trip point', async () => {
    const { senses } = await feel({
      'class/thermal/thermal_zone0/type': 'cpu-thermal',
      'class/thermal/thermal_zone0/temp': '83000',
      'class/thermal/thermal_zone0/trip_point_0_type': 'passive',
      'class/thermal/thermal_zone0/trip_point_0_temp': '80000',
      'class/thermal/thermal_zone0/trip_point_1_type': 'critical',
      'class/thermal/thermal_zone0/trip_point_1_temp': '90000',
      'class/thermal/thermal_zone1/type': 'iwlwifi_1',
      'class/thermal/thermal_zone1/temp': '99000',
      'class/thermal/cooling_device0/type': 'Fan',
    });
    assert.deepEqual([senses.celsius, senses.marginCelsius], [83, 7]);
  });

  test('of a graphics chip that sleeps is not asked for, and nonsense is no heat', async () => {
    const { senses, lacks } = await feel({
      'class/hwmon/hwmon0/name': 'amdgpu',
      'class/hwmon/hwmon0/device/power/runtime_status': 'suspended',
      'class/hwmon/hwmon0/temp1_input': '99000',
      'class/hwmon/hwmon1/name': 'acpitz',
      'class/hwmon/hwmon1/temp1_input': '-274000',
      'class/hwmon/hwmon1/temp2_input': '255000',
      'class/hwmon/hwmon1/temp3_input': '47000',
      'class/hwmon/hwmon1/temp3_crit': '20800',
    });
    assert.deepEqual([senses.celsius, senses.marginCelsius], [47, null]);
    assert.match(lacks.join(' '), /at which temperature/);
    assert.match((await feel({})).lacks.join(' '), /tells no temperature/);
  });
});

describe('use on Linux', () => {
  // loginctl show-session 2 c1 -p Remote -p Type -p Class -p State -p IdleHint -p IdleSinceHintMonotonic -p LockedHint
  const session = (change: Record<string, string>): string =>
    Object.entries({
      Remote: 'no',
      Type: 'wayland',
      Class: 'user',
      State: 'active',
      IdleHint: 'no',
      IdleSinceHintMonotonic: '0',
      LockedHint: 'no',
      ...change,
    })
      .map(([key, value]) => `${key}=${value}`)
      .join('\n');
  const uptime = 10_000_000;
  const judge = (...changes: Record<string, string>[]) => judgeSessions(parseSessions(changes.map(session).join('\n\n')), uptime);

  test('is what the desktop says', () => {
    assert.deepEqual(judge({ IdleSinceHintMonotonic: '4000000000' }), { idleMs: 0, lack: null });
    assert.deepEqual(judge({ IdleHint: 'yes', IdleSinceHintMonotonic: '9400000000' }), { idleMs: 600_000, lack: null });
    assert.deepEqual(judge({ LockedHint: 'yes', IdleSinceHintMonotonic: '9940000000' }), { idleMs: 60_000, lack: null });
  });

  test('is not known of a desktop that never said anything', () => {
    const { idleMs, lack } = judge({});
    assert.equal(idleMs, null);
    assert.match(lack!, /has not told the system yet/);
    assert.equal(judge({}, { Type: 'tty', IdleSinceHintMonotonic: '10000000000' }).idleMs, 0, 'unless somebody types elsewhere');
  });

  test('is nobody’s where nobody sits: from afar, before the login, in the background', () => {
    const elsewhere = [{ Remote: 'yes', Type: 'tty' }, { Class: 'greeter' }, { State: 'online' }, { Class: 'manager' }];
    assert.deepEqual(judge(...elsewhere), { idleMs: uptime, lack: null });
  });

  test('is asked of logind for the sessions that there are, and not known without it', async () => {
    const asked: string[][] = [];
    const ask: Ask = async (file, args) => {
      asked.push([file, ...args]);
      return session({ Type: 'tty', IdleSinceHintMonotonic: '9999000000' });
    };
    const run = tree({ 'systemd/sessions/2': '', 'systemd/sessions/c1': '', 'systemd/sessions/2.ref': '' });
    const parts = { ask, sys: base, run, uptimeMs: () => uptime };
    assert.equal((await linuxSenses(parts)({ use: true })).senses.idleMs, 1000);
    assert.deepEqual(asked[0]!.slice(0, 5), ['loginctl', 'show-session', '2', 'c1', '-p']);
    await linuxSenses(parts)({ use: false });
    assert.equal(asked.length, 1, 'nobody wants to know');
    const { senses, lacks } = await linuxSenses({ ...parts, run: path.join(base, 'none') })({ use: true });
    assert.equal(senses.idleMs, null);
    assert.match(lacks.join(' '), /Without systemd-logind/);
    const silent = await linuxSenses({ ...parts, ask: nobody })({ use: true });
    assert.match(silent.lacks.join(' '), /loginctl did not say/);
  });
});

describe('macOS', () => {
  test('tells its power, with and without a battery', () => {
    const battery = `Now drawing from 'Battery Power'\n -InternalBattery-0 (id=4522083)\t64%; discharging; 3:21 remaining present: true\n`;
    assert.deepEqual(parsePower(battery), { onBattery: true, batteryPercent: 64 });
    const charging = `Now drawing from 'AC Power'\n -InternalBattery-0 (id=4522083)\t100%; charged; 0:00 remaining present: true\n`;
    assert.deepEqual(parsePower(charging), { onBattery: false, batteryPercent: 100 });
    assert.deepEqual(parsePower(`Now drawing from 'AC Power'\n`), { onBattery: false, batteryPercent: null });
    assert.deepEqual(parsePower(''), { onBattery: null, batteryPercent: null });
  });

  test('warns of heat, or slows down so far that it is one', () => {
    const well = 'Note: No thermal warning level has been recorded\nNote: No performance warning level has been recorded\n';
    assert.equal(parseHeat(well), false);
    const intel = (speed: number): string =>
      `${well}2026-11-23 04:12:10 +0000 CPU Power notify\n\tCPU_Scheduler_Limit \t= 100\n\tCPU_Available_CPUs \t= 8\n\tCPU_Speed_Limit \t= ${speed}\n`;
    assert.deepEqual(
      [100, 84, 40].map((speed) => parseHeat(intel(speed))),
      [false, false, true],
    );
    assert.equal(parseHeat('2026-11-23 04:12:10 +0000 Thermal Warning Level = 2\n'), true);
    assert.equal(parseHeat(''), null);
  });

  test('tells when it was touched, and all of it is asked with fixed words', async () => {
    const said = '    |   "HIDIdleTime" = 90123456789\n    |   "HIDIdleTime" = 1500000000\n';
    assert.equal(parseIdle(said), 1500);
    assert.equal(parseIdle('nothing'), null);
    const asked: string[] = [];
    const felt = await macSenses(async (file, args) => (asked.push(file), args.includes('batt') ? "drawing from 'AC Power'" : null))({
      use: true,
    });
    assert.deepEqual(felt.senses, { ...nothingFelt, onBattery: false });
    assert.equal(felt.lacks.length, 2);
    assert.deepEqual(asked.toSorted(), ['/usr/bin/pmset', '/usr/bin/pmset', '/usr/sbin/ioreg']);
  });
});

describe('Windows', () => {
  test('tells its power and its last touch, but not to a service', () => {
    assert.deepEqual(parseWindows('line=Offline charge=64 battery=1 session=1 idle=1500\r\n'), {
      ...nothingFelt,
      onBattery: true,
      batteryPercent: 64,
      idleMs: 1500,
    });
    assert.deepEqual(parseWindows('line=Online charge=100 battery=128 session=0 idle=99999999'), { ...nothingFelt, onBattery: false });
    assert.deepEqual(parseWindows('line=Unknown charge=25500 battery=255 session=1 idle=-1'), nothingFelt);
    assert.deepEqual(parseWindows('Add-Type : Cannot add type.'), nothingFelt);
  });

  test('is not asked more often than twice a minute', async () => {
    let [asked, at] = [0, 0];
    const feelIt = windowsSenses(
      async () => (asked++, 'line=Online charge=50 battery=8 session=1 idle=5'),
      () => at,
    );
    for (at = 0; at < 120_000; at += 5_000) assert.equal((await feelIt({ use: true })).senses.onBattery, false);
    assert.ok(asked >= 3 && asked <= 5, `${asked} times`);
  });
});

describe('whatever the system does', () => {
  test(
    'a program that is missing, fails or talks without end is no answer',
    { skip: process.platform === 'win32' && 'needs programs of POSIX' },
    async () => {
      assert.equal(await askSystem('/nonexistent/tool', []), null);
      // a shell: it is asked for seconds only, and a larger program may not have started by then on a busy machine
      const sh = (script: string): Promise<string | null> => askSystem('/bin/sh', ['-c', script]);
      assert.equal(await sh('printf well; exit 3'), null);
      assert.equal(await sh('head -c 1000000 /dev/zero'), null, 'more than anybody says');
      // a machine that stands still for as long as an answer may take has none, and asks again
      const answers = await sh('printf well');
      assert.equal(answers ?? (await sh('printf well')) ?? (await sh('printf well')), 'well');
    },
  );

  test('this machine is felt without an error, and an unknown platform feels nothing', async () => {
    const here = await createFeeler().feel({ use: true });
    assert.deepEqual(Object.keys(here.senses).toSorted(), Object.keys(nothingFelt).toSorted());
    const strange = await createFeeler('sunos', nobody).feel({ use: true });
    assert.deepEqual(strange.senses, nothingFelt);
    assert.equal(strange.lacks.length, 1);
  });
});
