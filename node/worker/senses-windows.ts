import { nothingFelt, type Senses } from '../core/manners.ts';
import type { Ask, Feeler, Felt } from './senses.ts';

/**
 * Windows: one PowerShell for power and use (GetSystemPowerStatus, GetLastInputInfo). To start it costs a third of a
 * second of processor time, so an answer is kept for a while. Its temperature is told to administrators only.
 */
export function windowsSenses(ask: Ask, now: () => number = () => performance.now()): Feeler['feel'] {
  let kept: { at: number; felt: Felt } | null = null;
  return async ({ use }) => {
    if (kept && now() - kept.at < KEPT_MS) return kept.felt;
    const said = await ask('powershell.exe', ['-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass', '-Command', script]);
    const felt = feltOf(said, use);
    kept = { at: now(), felt };
    return felt;
  };
}

const KEPT_MS = 25_000;

function feltOf(said: string | null, use: boolean): Felt {
  const senses = said === null ? nothingFelt : parseWindows(said);
  const lacks = [
    'The system tells its temperature to administrators only.',
    ...(senses.onBattery === null ? ['The system does not say whether it runs on battery.'] : []),
    ...(use && senses.idleMs === null ? ['The system does not say whether somebody uses it, as it does not to any service.'] : []),
  ];
  return { senses, lacks };
}

/** Only our own words reach it. A service lives in session 0, where nobody ever touches anything. */
const script = [
  `Add-Type -AssemblyName System.Windows.Forms`,
  `$p = [System.Windows.Forms.SystemInformation]::PowerStatus`,
  `Add-Type -Namespace CodecShift -Name Input -MemberDefinition '[StructLayout(LayoutKind.Sequential)] public struct Info { public uint size; public uint time; } [DllImport("user32.dll")] public static extern bool GetLastInputInfo(ref Info info); public static long Idle() { Info i = new Info(); i.size = 8; return GetLastInputInfo(ref i) ? (uint)System.Environment.TickCount - (long)i.time : -1; }'`,
  `$s = [System.Diagnostics.Process]::GetCurrentProcess().SessionId`,
  `'line=' + $p.PowerLineStatus + ' charge=' + [int]($p.BatteryLifePercent * 100) + ' battery=' + $p.BatteryChargeStatus.value__ + ' session=' + $s + ' idle=' + [CodecShift.Input]::Idle()`,
].join('; ');

/** "line=Offline charge=64 battery=1 session=1 idle=1500" */
export function parseWindows(said: string): Senses {
  const value = (name: string): string | null => new RegExp(`\\b${name}=(-?\\w{1,20})`).exec(said)?.[1] ?? null;
  const line = value('line');
  const charge = Number(value('charge') ?? NaN);
  // 128: no battery, 255: not known
  const hasBattery = value('battery') !== '128' && value('battery') !== '255';
  const idle = Number(value('idle') ?? NaN);
  return {
    ...nothingFelt,
    onBattery: line === 'Online' ? false : line === 'Offline' ? true : null,
    batteryPercent: hasBattery && charge >= 0 && charge <= 100 ? charge : null,
    idleMs: value('session') !== '0' && idle >= 0 ? idle : null,
  };
}
