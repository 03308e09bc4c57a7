import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Ask } from './senses.ts';

/**
 * Whether somebody uses a Linux machine, from logind (loginctl(1), org.freedesktop.login1(5)): it is told by the desktop
 * when a session becomes idle, and watches text terminals by itself. Key and pointer devices may be read by nobody else,
 * and their times are not kept.
 *
 *   no session at the screen ─▶ nobody · screen locked ─▶ nobody · desktop says idle since t ─▶ since t
 *   desktop never said anything ─▶ not known (some desktops never do) · terminal ─▶ since the last key
 */
export async function feelUse(parts: {
  ask: Ask;
  run?: string;
  uptimeMs?: () => number;
}): Promise<{ idleMs: number | null; lack: string | null }> {
  const names = await readdir(path.join(parts.run ?? '/run', 'systemd/sessions')).catch(() => null);
  if (!names) return { idleMs: null, lack: 'Without systemd-logind the system does not say whether somebody uses it.' };
  const ids = names.filter((name) => /^[A-Za-z0-9]{1,32}$/.test(name)).slice(0, 32);
  const uptimeMs = (parts.uptimeMs ?? monotonicMs)();
  if (ids.length === 0) return { idleMs: uptimeMs, lack: null };
  const said = await parts.ask('loginctl', ['show-session', ...ids, ...asked.flatMap((name) => ['-p', name])]);
  if (said === null) return { idleMs: null, lack: 'loginctl did not say whether somebody uses this machine.' };
  return judgeSessions(parseSessions(said), uptimeMs);
}

const asked = ['Remote', 'Type', 'Class', 'State', 'IdleHint', 'IdleSinceHintMonotonic', 'LockedHint'];

export type Session = Record<string, string>;

/** Sessions are parted by empty lines; properties that this version of logind lacks are left out. */
export function parseSessions(said: string): Session[] {
  return said
    .split(/\r?\n\s*\r?\n/)
    .map((block) => Object.fromEntries(block.split(/\r?\n/).flatMap((line) => (line.includes('=') ? [pair(line)] : []))))
    .filter((session) => Object.keys(session).length > 0);
}

function pair(line: string): [string, string] {
  const at = line.indexOf('=');
  return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}

/** @param uptimeMs of the monotonic clock, which logind counts in microseconds */
export function judgeSessions(sessions: Session[], uptimeMs: number): { idleMs: number | null; lack: string | null } {
  const here = sessions.filter(isAtTheScreen);
  if (here.length === 0) return { idleMs: uptimeMs, lack: null };
  const idle = here.map((session) => idleOf(session, uptimeMs));
  const known = idle.filter((ms) => ms !== null);
  // one who surely uses it is enough
  if (known.some((ms) => ms === 0)) return { idleMs: 0, lack: null };
  if (known.length < here.length) return { idleMs: null, lack: 'The desktop has not told the system yet whether somebody uses it.' };
  return { idleMs: Math.min(...known), lack: null };
}

function isAtTheScreen(session: Session): boolean {
  return session['Class'] === 'user' && session['Remote'] !== 'yes' && session['State'] === 'active';
}

/** null: not known. Time since the hint changed last, in microseconds of the monotonic clock; 0: it never did. */
function idleOf(session: Session, uptimeMs: number): number | null {
  const since = Number(session['IdleSinceHintMonotonic']) / 1000;
  const past = Number.isFinite(since) && since > 0 ? Math.max(0, uptimeMs - since) : null;
  if (session['Type'] === 'tty') return past;
  if (session['LockedHint'] === 'yes') return past ?? uptimeMs;
  if (session['IdleHint'] === 'yes') return past;
  return past === null ? null : 0;
}

/** logind's clock: since the boot, without the time that it slept. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
