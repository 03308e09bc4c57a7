import { isReasonCode, label, sentence, type Reason } from '../../core/reasons.ts';
import type { Activity } from '../../db/activity.ts';
import { saving, size } from '../format.ts';
import { url } from '../routes.ts';

export interface ActivityLine {
  text: string;
  href: string | null;
  severity: 0 | 1 | 2;
  at: Date;
  by: string | null;
}

export interface ActivityList {
  activity: ActivityLine[];
  now: Date;
}

export function activityLine(event: Activity, linked = true): ActivityLine {
  return { text: activityText(event), href: linked ? hrefOf(event) : null, severity: event.severity, at: event.at, by: event.by };
}

/**
 * What happened, in words. A kind that this version does not know, from a newer coordinator, still reads as words:
 * its own name, and the reason it carries.
 */
export function activityText(event: Pick<Activity, 'kind' | 'params'>): string {
  const p = event.params ?? {};
  const what = words[event.kind]?.(p) ?? plainWords(event.kind);
  const why = reasonWords(p['reason']);
  return why ? `${what}: ${why}` : what;
}

const words: Record<string, (p: Record<string, unknown>) => string> = {
  replaced: (p) => `${name(p, 'A file')} was replaced${sizes(p)}`,
  kept: (p) => `${name(p, 'The file')} keeps its original`,
  restored: (p) => `${name(p, 'An original')} was put back`,
  failed: (p) => `${name(p, 'A file')} failed`,
  'scan-failed': (p) => `${text(p['library']) || 'A library'} could not be scanned`,
};

function sizes(p: Record<string, unknown>): string {
  const { before, after } = p;
  return typeof before === 'number' && typeof after === 'number' ? `: ${size(before)} became ${size(after)}, ${saving(before, after)}` : '';
}

function name(p: Record<string, unknown>, otherwise: string): string {
  const title = text(p['title']);
  return title ? `“${title}”` : otherwise;
}

function plainWords(kind: string): string {
  const plain = kind.replace(/[^a-z0-9]+/gi, ' ').trim();
  return plain ? plain[0]!.toUpperCase() + plain.slice(1) : 'Something happened';
}

/** A reason is stored as a whole or as its code alone; a code without its values has only its label. */
function reasonWords(value: unknown): string {
  if (typeof value === 'string') return isReasonCode(value) ? label({ code: value }).toLowerCase() : '';
  if (value !== null && typeof value === 'object' && typeof (value as Reason).code === 'string') return sentence(value as Reason);
  return '';
}

function text(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 300) : '';
}

function hrefOf(event: Activity): string | null {
  if (event.jobId !== null) return url.job(event.jobId);
  if (event.fileId !== null) return url.file(event.fileId);
  return event.libraryId !== null ? url.library(event.libraryId) : null;
}
