import type { BackupEnd, BackupLine, BackupWork } from '../../core/backups.ts';
import { size } from '../format.ts';
import type { SettingsPage } from './settings.ts';

/** The page "Backup": what there is, what is being done, and the settings of the nightly one. */
export interface BackupPage extends SettingsPage, BackupList {
  folder: string;
  nightlyEncrypted: boolean;
  clusterName: string;
}

export interface BackupList {
  backups: BackupRow[];
  work: WorkView | null;
  last: BackupEnd | null;
  /** a folder whose backups are not in the list, and why */
  trouble: string | null;
  now: Date;
}

export interface BackupRow {
  name: string;
  takenAt: Date;
  /** why it was made, in words */
  why: string;
  size: string;
  encrypted: boolean;
  keys: boolean | null;
  rows: string | null;
  verifiedAt: Date | null;
}

export interface WorkView {
  title: string;
  says: string;
  /** 0…100; null where the end is not known */
  percent: number | null;
  count: string | null;
  since: Date;
}

/** One question before something is done with a backup. */
export interface BackupQuestion {
  what: 'restore' | 'remove' | 'download' | 'verify';
  name: string;
  takenAt: Date;
  encrypted: boolean;
  keys: boolean | null;
  clusterName: string;
  problem: string;
}

export function backupRow(line: BackupLine): BackupRow {
  return {
    name: line.name,
    takenAt: line.takenAt,
    why: whyWords(line.label),
    size: size(line.bytes),
    encrypted: line.encrypted,
    keys: line.keys,
    rows: line.rows === null ? null : line.rows.toLocaleString('en'),
    verifiedAt: line.verifiedAt,
  };
}

function whyWords(label: string): string {
  if (label === 'nightly') return 'every night';
  if (label === 'manual') return 'made by a person';
  if (label === 'uploaded') return 'sent here by a person';
  if (label.startsWith('before-upgrade')) return 'before an upgrade';
  if (label === 'before-restore') return 'before a restore';
  if (label === 'before-move') return 'before a move';
  return label;
}

const titles = { backup: 'Backing up', verify: 'Reading a backup', upload: 'Taking a backup' } as const;

export function workView(work: BackupWork): WorkView {
  const { done, of } = work;
  // rows are counted while a database is copied, bytes while a file is read
  const isBytes = work.what !== 'backup' || of !== null;
  return {
    title: titles[work.what],
    says: work.says,
    percent: done !== null && of ? Math.min(100, Math.floor((100 * done) / of)) : null,
    count: done === null ? null : isBytes ? size(done) : `${done.toLocaleString('en')} rows`,
    since: work.since,
  };
}
