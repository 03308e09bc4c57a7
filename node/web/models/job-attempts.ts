import { triesAnother } from '../../core/fallback.ts';
import { label as reasonLabel, sentence } from '../../core/reasons.ts';
import type { Attempt } from '../../db/attempts.ts';
import { duration, encoder } from '../format.ts';
import { commandLine } from './job.ts';

/** One try of a job, as its page lists it. */
export interface AttemptLine {
  number: number;
  where: string;
  word: string;
  tone: string;
  at: Date;
  took: string | null;
  why: string | null;
  instead: string;
}

export function attemptLine(a: Attempt, all: readonly Attempt[], names: ReadonlyMap<string, string>): AttemptLine {
  const [word, tone] = attemptWords[a.state] ?? [a.state, ''];
  return {
    number: a.number,
    where: [names.get(a.nodeId) ?? a.nodeId, a.encoder ? encoder(a.encoder) : ''].filter(Boolean).join(' · '),
    word,
    tone,
    at: a.startedAt,
    took: a.endedAt ? duration(a.endedAt.getTime() - a.startedAt.getTime()) : null,
    why: a.reason ? sentence(a.reason) : a.verdict && !a.verdict.accepted ? reasonLabel(a.verdict.reason) : null,
    instead: insteadOf(a, all),
  };
}

/** Another encoder than usual, because the usual one failed with this film on this machine; '' when that is not so. */
export function insteadOf(a: Attempt, all: readonly Attempt[]): string {
  const failed = all.filter(
    (b) => b.number < a.number && b.nodeId === a.nodeId && b.encoder !== null && b.reason !== null && triesAnother(b.reason.code),
  );
  if (!a.encoder || failed.length === 0 || failed.some((b) => b.encoder === a.encoder)) return '';
  const names = [...new Set(failed.map((b) => encoder(b.encoder!)))].join(' and ');
  return `With ${encoder(a.encoder)}, because ${names} failed before.`;
}

/** What was run, so that a person can run it too; null: nothing was. */
export function commandOf({ command }: Attempt): string | null {
  const first = command?.[0];
  if (!command || first === undefined) return null;
  return first.includes('ffmpeg') ? commandLine(first, command.slice(1)) : commandLine('ffmpeg', command);
}

export function lastLines(text: string, lines: number): string {
  return text
    .replaceAll('\r\n', '\n')
    .split(/[\n\r]/)
    .filter((line) => line.trim() !== '')
    .slice(-lines)
    .join('\n');
}

const attemptWords: Record<string, [string, string]> = {
  running: ['encoding', ''],
  delivering: ['delivering', ''],
  verifying: ['checking', ''],
  replacing: ['replacing', ''],
  succeeded: ['succeeded', 'won'],
  failed: ['failed', 'bad'],
  lost: ['lost', 'warn'],
  rejected: ['not good enough', 'warn'],
  cancelled: ['cancelled', ''],
};
