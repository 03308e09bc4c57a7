import { parseSchedule, type ScanSchedule } from '../../core/scan-schedule.ts';
import { visibleName } from '../../core/visible-name.ts';
import { plural } from '../format.ts';
import { url } from '../routes.ts';
import type { SourceState } from './sources.ts';

/** Which of the pages about libraries this is. */
export interface LibraryPills {
  here: 'library' | 'sources' | 'files';
}

/** Where a watched library of a media server comes from. */
export interface LibraryOrigin {
  sourceId: number;
  source: string;
  kindWord: string;
  /** as the server calls the library */
  title: string;
  state: SourceState;
  listedAt: Date | null;
  /** the server does not list it any more */
  gone: boolean;
}

export interface OriginPart {
  origin: LibraryOrigin | null;
  now: Date;
}

export interface ScanningForm {
  libraryId: number;
  how: 'setting' | 'minutes' | 'hour';
  minutes: string;
  hour: string;
  watch: boolean;
  /** "every 60 minutes" */
  setting: string;
  settingHref: string;
  problem: string;
}

export interface ScanningPart {
  scanning: ScanningForm;
}

export function scanningForm(
  library: { id: number; schedule: ScanSchedule; watch: boolean },
  everyMinutes: unknown,
  problem = '',
): ScanningForm {
  const { schedule } = library;
  const how = 'everyMinutes' in schedule ? 'minutes' : 'atHour' in schedule ? 'hour' : 'setting';
  return {
    libraryId: library.id,
    how,
    minutes: 'everyMinutes' in schedule ? String(schedule.everyMinutes) : '',
    hour: 'atHour' in schedule ? String(schedule.atHour) : '',
    watch: library.watch,
    setting: everyWords(typeof everyMinutes === 'number' ? everyMinutes : 60),
    settingHref: url.settings('scan'),
    problem,
  };
}

/** What a person chose; only the number beside the chosen answer counts. */
export function readScanningForm(form: URLSearchParams): { schedule: ScanSchedule; watch: boolean } | { problem: string } {
  const watch = form.get('watch') === 'on';
  const whole = (name: string): number => (/^\d{1,6}$/.test(form.get(name)?.trim() ?? '') ? Number(form.get(name)) : Number.NaN);
  const how = form.get('how');
  const schedule = parseSchedule(how === 'minutes' ? { everyMinutes: whole('minutes') } : how === 'hour' ? { atHour: whole('hour') } : {});
  if (schedule) return { schedule, watch };
  return { problem: how === 'minutes' ? 'Say how many minutes, from 0 to 10,080.' : 'Say at which hour, from 0 to 23.' };
}

function everyWords(minutes: number): string {
  if (minutes === 0) return 'only when you ask for it';
  return minutes === 1
    ? 'every minute'
    : minutes % 60 === 0 && minutes > 60
      ? `every ${plural(minutes / 60, 'hour')}`
      : `every ${minutes} minutes`;
}

/** The name of a library as its server says it. */
export function originTitle(title: string): string {
  return visibleName(title, 200);
}
