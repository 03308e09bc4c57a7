import { isReasonCode, label, sentence, type Reason } from '../../core/reasons.ts';
import type { Activity } from '../../db/activity.ts';
import { encoder, plural, saving, size } from '../format.ts';
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

/** One sentence for each kind that the coordinator writes; the one who did it stands beside it. */
const words: Record<string, (p: Record<string, unknown>) => string> = {
  replaced: (p) => `${name(p, 'A file')} was replaced${sizes(p)}`,
  kept: (p) => `${name(p, 'The file')} keeps its original`,
  restored: (p) => `The original of ${name(p, 'a file')} was put back`,
  'not-restored': (p) => `The original of ${name(p, 'a file')} could not be put back`,
  failed: (p) => `${name(p, 'A file')} could not be converted`,
  'encoder-failed': (p) =>
    `${name(p, 'A file')} failed with ${text(p['encoder']) ? encoder(text(p['encoder'])) : 'an encoder'}; the next try uses another one where the library’s rules allow it`,
  'encoder-benched': (p) =>
    `An encoder is not used for now${typeof p['count'] === 'number' && p['count'] > 0 ? `, and ${plural(p['count'], 'earlier copy', 'earlier copies')} of it ${p['count'] === 1 ? 'is' : 'are'} looked at again` : ''}`,
  'bench-lifted': (p) =>
    `${text(p['encoder']) || 'An encoder'} of ${quoted(p['node']) || 'a machine'} is used again${text(p['build']) ? ', as it is another build now' : ''}`,
  'copy-bad': (p) => `The new file of ${name(p, 'a film')} was looked at again and found bad; its original stays in the trash`,
  'copy-accepted': (p) => `The new file of ${name(p, 'a film')} is kept as it is`,
  'scan-failed': (p) => `${quoted(p['library']) || 'A library'} could not be scanned`,
  'source-added': (p) => `${quoted(p['source']) || 'A media server'} was added`,
  'source-changed': (p) => `${quoted(p['source']) || 'A media server'} was changed`,
  'source-removed': (p) => `${quoted(p['source']) || 'A media server'} was forgotten; its libraries are plain folders now`,
  'source-problem': (p) => `${quoted(p['source']) || 'A media server'} cannot be used at present`,
  'source-recovered': (p) => `${quoted(p['source']) || 'A media server'} can be used again`,
  'source-paths': (p) => `The folders of ${quoted(p['source']) || 'a media server'} were matched with ours`,
  'source-watched': (p) => `The watched libraries of ${quoted(p['source']) || 'a media server'} were changed`,
  'source-hook': (p) => `${quoted(p['source']) || 'A media server'} got a new address for its webhook`,
  'source-unconfirmed': (p) => `${quoted(p['source']) || 'A media server'} does not show the new file of ${name(p, 'a film')} yet`,
  'source-entry': (p) => `${quoted(p['source']) || 'A media server'} shows ${name(p, 'a film')} differently than before`,
  'library-added': (p) => `The library ${quoted(p['name'])} was added`,
  'library-changed': (p) => `The library ${quoted(p['library'])} ${changeOf(p)}`,
  'library-removed': (p) => `The library ${quoted(p['name'])} was removed; no file was touched`,
  'coordinator-changed': (p) => `A coordinator took up its work${typeof p['term'] === 'number' ? ` (term ${p['term']})` : ''}`,
  'node-asks': (p) => `${quoted(p['name']) || 'A machine'} asks to join`,
  'node-approved': (p) => `${quoted(p['name']) || 'A machine'} became a member`,
  'node-declined': (p) => `${quoted(p['name']) || 'A machine'} was refused`,
  'node-removed': (p) => `${quoted(p['name']) || 'A machine'} was removed from the cluster`,
  'node-changed': (p) => `What ${quoted(p['name']) || 'a machine'} may do was changed`,
  'root-located': (p) => `${quoted(p['name']) || 'A machine'} was told where it has a library`,
  'role-handed-over': (p) => `The coordinator’s role was handed to ${quoted(p['name']) || 'another machine'}`,
  'token-created': () => 'A join token was made',
  'token-revoked': () => 'A join token was revoked',
  'cluster-renamed': (p) => `The cluster is called ${quoted(p['name'])} now`,
  'notices-added': (p) => `Notifications go to ${quoted(p['name']) || 'a new place'} from now on`,
  'notices-changed': (p) => `Where notifications go was changed: ${quoted(p['name']) || 'a place'}`,
  'notices-removed': (p) => `Notifications do not go to ${quoted(p['name']) || 'a place'} any more`,
  'backup-made': (p) => `A backup was made${sizeOf(p)}`,
  'backup-failed': (p) => `A backup failed${text(p['what']) ? `: ${text(p['what'])}` : ''}. ${text(p['why'])}`.trim(),
  'backup-verified': () => 'A backup was read and found good',
  'backup-uploaded': () => 'A backup was sent here',
  'backup-removed': () => 'A backup was deleted',
  'backup-restored': (p) =>
    `A backup was put back${text(p['takenAt']) ? `, from ${text(p['takenAt']).slice(0, 16).replace('T', ' ')} UTC` : ''}; what happened after it is forgotten`,
  paused: () => 'All work was paused',
  resumed: () => 'Work went on',
  'job-cancelled': (p) => `${name(p, 'A file')} was taken out of the queue or stopped`,
  'job-retried': (p) => `${name(p, 'A file')} was asked for again`,
  'job-paused': (p) => `${name(p, 'A running file')} was paused`,
  'job-resumed': (p) => `${name(p, 'A paused file')} went on`,
  'file-excluded': (p) => `${name(p, 'A file')} is left alone from now on`,
  'file-included': (p) => `${name(p, 'A file')} may be converted again`,
  'moved-top': (p) => `${files(p)} moved to the top of the queue`,
  'moved-end': (p) => `${files(p)} moved to the end of the queue`,
  'priority-high': (p) => `${files(p)} got high priority`,
  'priority-normal': (p) => `${files(p)} got normal priority`,
  'priority-low': (p) => `${files(p)} got low priority`,
  removed: (p) => `${files(p)} left the queue`,
  'cleanup-deleted': (p) =>
    `Leftovers of ${text(p['libraries']) || 'a library'} were cleaned up: ${files(p)} deleted${bytesOf(p)}${keptOf(p)}`,
  'cleanup-failed': (p) => `The clean-up of ${text(p['libraries']) || 'a library'} stopped`,
  'trash-emptied': (p) => `The trash of ${text(p['libraries']) || 'a library'} was emptied: ${files(p)}${bytesOf(p)}`,
  'trash-found': (p) =>
    `${typeof p['count'] === 'number' ? plural(p['count'], 'original') : 'Originals'} lay in the trash of ${text(p['libraries']) || 'a library'} without being in the books${bytesOf(p)}; ${p['count'] === 1 ? 'it' : 'they'} can be put back from the clean-up page`,
  'trash-gone': (p) =>
    `${typeof p['count'] === 'number' ? plural(p['count'], 'original') : 'Originals'} that should be in the trash ${p['count'] === 1 ? 'is' : 'are'} not there any more; somebody else took ${p['count'] === 1 ? 'it' : 'them'} away`,
  'queue-cleared': (p) => `The queue was cleared: ${files(p)} left it`,
};

/** A library's change holds only what a person changed. */
function changeOf(p: Record<string, unknown>): string {
  const parts: string[] = [];
  if (p['enabled'] !== undefined) parts.push(p['enabled'] === true ? 'was switched on' : 'was switched off');
  if (text(p['name'])) parts.push(`is called ${quoted(p['name'])} now`);
  if (text(p['priority'])) parts.push(`has ${text(p['priority'])} priority`);
  if (p['profile'] !== undefined) parts.push('has new rules');
  if (p['schedule'] !== undefined) parts.push('is looked through at other times');
  if (p['watch'] !== undefined) parts.push(p['watch'] === true ? 'is watched for changes' : 'is not watched for changes any more');
  return parts.length > 1 ? `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}` : (parts[0] ?? 'was saved without a change');
}

function files(p: Record<string, unknown>): string {
  return typeof p['count'] === 'number' ? plural(p['count'], 'file') : 'Files';
}

function bytesOf(p: Record<string, unknown>): string {
  return typeof p['bytes'] === 'number' ? `, ${size(p['bytes'])}` : '';
}

function keptOf(p: Record<string, unknown>): string {
  return typeof p['kept'] === 'number' && p['kept'] > 0 ? `; ${plural(p['kept'], 'file')} stayed` : '';
}

function quoted(value: unknown): string {
  return text(value) && `“${text(value)}”`;
}

function sizes(p: Record<string, unknown>): string {
  const { before, after } = p;
  return typeof before === 'number' && typeof after === 'number' ? `: ${size(before)} became ${size(after)}, ${saving(before, after)}` : '';
}

function name(p: Record<string, unknown>, otherwise: string): string {
  return quoted(p['title']) || otherwise;
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

function sizeOf(p: Record<string, unknown>): string {
  return typeof p['bytes'] === 'number' ? ` (${size(p['bytes'])})` : '';
}
