import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Senses } from '../core/manners.ts';
import { feelUse } from './senses-logind.ts';
import type { Ask, Feeler } from './senses.ts';

/**
 * Linux, from files that everybody may read (kernel: Documentation/ABI/testing/sysfs-class-power, sysfs-class-hwmon,
 * sysfs-class-thermal). Who uses the machine is known to logind only.
 */
export function linuxSenses(parts: { ask: Ask; sys?: string; run?: string; uptimeMs?: () => number }): Feeler['feel'] {
  const sys = parts.sys ?? '/sys';
  return async (wanted) => {
    const [power, heat, use] = await Promise.all([feelPower(sys), feelHeat(sys), wanted.use ? feelUse(parts) : null]);
    const lacks = [
      ...(power.onBattery === null ? ['The system does not say whether it runs on battery.'] : []),
      ...(heat.celsius === null
        ? ['The system tells no temperature of its processor.']
        : heat.marginCelsius === null
          ? ['The system does not say at which temperature its processor is in danger; a limit in degrees can be set.']
          : []),
      ...(use?.lack ? [use.lack] : []),
    ];
    return { senses: { ...power, ...heat, heatWarning: null, idleMs: use?.idleMs ?? null }, lacks };
  };
}

/** At most so many entries of a directory are looked at. */
const MOST = 64;

/** From the mains, from a battery, or not known. A mouse has a battery too, which is none of ours. */
async function feelPower(sys: string): Promise<Pick<Senses, 'onBattery' | 'batteryPercent'>> {
  const supplies = await entries(path.join(sys, 'class/power_supply'));
  if (!supplies) return { onBattery: null, batteryPercent: null };
  const all = await Promise.all(supplies.map(readSupply));
  const own = all.filter((supply) => supply.scope !== 'Device' && supply.present !== '0');
  const batteries = own.filter((supply) => supply.type === 'Battery' || supply.type === 'UPS');
  if (batteries.length === 0) return { onBattery: false, batteryPercent: null };
  const lines = own.filter((supply) => supply.online !== null && supply.type !== 'Battery' && supply.type !== 'UPS');
  const charge = chargeOf(batteries);
  if (lines.some((line) => Number(line.online) > 0)) return { onBattery: false, batteryPercent: charge };
  const states = batteries.map((battery) => battery.status);
  if (states.includes('Discharging')) return { onBattery: true, batteryPercent: charge };
  if (lines.length > 0 && states.every((state) => state === 'Unknown' || state === null))
    return { onBattery: true, batteryPercent: charge };
  const fed = states.some((state) => state === 'Charging' || state === 'Full' || state === 'Not charging');
  return { onBattery: fed ? false : null, batteryPercent: charge };
}

interface Supply {
  type: string | null;
  scope: string | null;
  present: string | null;
  online: string | null;
  status: string | null;
  capacity: number | null;
  full: number | null;
}

async function readSupply(directory: string): Promise<Supply> {
  const [type, scope, present, online, status, capacity, energy, charge] = await Promise.all(
    ['type', 'scope', 'present', 'online', 'status', 'capacity', 'energy_full', 'charge_full'].map((name) => text(directory, name)),
  );
  return {
    ...{ type: type!, scope: scope!, present: present!, online: online!, status: status! },
    capacity: number(capacity!),
    full: number(energy!) ?? number(charge!),
  };
}

/** Of two batteries the larger one counts for more. */
function chargeOf(batteries: Supply[]): number | null {
  const known = batteries.filter((battery) => battery.capacity !== null && battery.capacity >= 0 && battery.capacity <= 100);
  const weighed = known.every((battery) => battery.full !== null && battery.full > 0);
  const weight = (battery: Supply): number => (weighed ? battery.full! : 1);
  const total = known.reduce((sum, battery) => sum + weight(battery), 0);
  return total === 0 ? null : Math.round(known.reduce((sum, battery) => sum + battery.capacity! * weight(battery), 0) / total);
}

/** Chips whose heat is that of encoding; a hot disk or radio is not. */
const chips = /^(coretemp|k8temp|k10temp|zenpower|amdgpu|radeon|nouveau|i915|xe|cpu[\w-]*|soc[\w-]*|gpu[\w-]*|scpi_sensors|acpitz)$/;
const zones = /cpu|gpu|soc|pkg|core|tctl|^acpitz$/i;

interface Heat {
  celsius: number;
  critical: number | null;
}

async function feelHeat(sys: string): Promise<Pick<Senses, 'celsius' | 'marginCelsius'>> {
  const [chip, zone] = await Promise.all([
    Promise.all(((await entries(path.join(sys, 'class/hwmon'))) ?? []).map(readChip)),
    Promise.all(((await entries(path.join(sys, 'class/thermal'))) ?? []).filter(isZone).map(readZone)),
  ]);
  const all = [...chip.flat(), ...zone.flat()];
  const margins = all.flatMap((heat) => (heat.critical === null ? [] : [heat.critical - heat.celsius]));
  return {
    celsius: all.length === 0 ? null : Math.max(...all.map((heat) => heat.celsius)),
    marginCelsius: margins.length === 0 ? null : Math.min(...margins),
  };
}

async function readChip(directory: string): Promise<Heat[]> {
  if (!chips.test((await text(directory, 'name')) ?? '')) return [];
  // a graphics chip that sleeps would be woken by the question
  if ((await text(directory, 'device/power/runtime_status')) === 'suspended') return [];
  const names = await list(directory);
  const inputs = names.filter((name) => /^temp\d{1,3}_input$/.test(name)).slice(0, MOST);
  const read = inputs.map(async (name) => {
    const [celsius, critical] = await Promise.all([text(directory, name), text(directory, name.replace('_input', '_crit'))]);
    return heatOf(celsius, critical);
  });
  return (await Promise.all(read)).flat();
}

function isZone(directory: string): boolean {
  return /^thermal_zone\d+$/.test(path.basename(directory));
}

async function readZone(directory: string): Promise<Heat[]> {
  if (!zones.test((await text(directory, 'type')) ?? '')) return [];
  const trips = (await list(directory)).filter((name) => /^trip_point_\d{1,2}_type$/.test(name));
  const types = await Promise.all(trips.map(async (name) => ({ name, type: await text(directory, name) })));
  const critical = types.find((trip) => trip.type === 'critical');
  const [celsius, limit] = await Promise.all([
    text(directory, 'temp'),
    critical ? text(directory, critical.name.replace('_type', '_temp')) : null,
  ]);
  return heatOf(celsius, limit);
}

/** Thousandths of a degree. Firmware that has no sensor there tells nonsense. */
function heatOf(temperature: string | null, limit: string | null): Heat[] {
  const [celsius, critical] = [number(temperature), number(limit)].map((value) => (value === null ? null : value / 1000));
  if (celsius === null || celsius === undefined || celsius <= 0 || celsius >= 150) return [];
  const lawful = critical !== null && critical !== undefined && critical >= 60 && critical <= 150;
  return [{ celsius, critical: lawful ? critical : null }];
}

/** null: there is no such directory */
async function entries(directory: string): Promise<string[] | null> {
  return readdir(directory).then(
    (names) =>
      names
        .toSorted()
        .slice(0, MOST)
        .map((name) => path.join(directory, name)),
    () => null,
  );
}

async function list(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}

async function text(directory: string, name: string): Promise<string | null> {
  return readFile(path.join(directory, name), 'utf8').then(
    (content) => content.slice(0, 200).trim(),
    () => null,
  );
}

function number(value: string | null): number | null {
  return value !== null && /^-?\d{1,15}$/.test(value) ? Number(value) : null;
}
