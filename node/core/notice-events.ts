/**
 * Everything that people can be told about when they do not look at the page, once: words, whether a new target hears of
 * it unless somebody unticks it, how facts of it gather, and whether it may wake somebody up.
 *
 * `gatherMinutes`: at most one message in so many minutes, with the count. `delaySeconds`: how long more of it is waited for
 * before the first one. `urgent`: quiet hours do not hold it back.
 */
export interface NoticeEventEntry {
  label: string;
  help: string;
  level: NoticeLevel;
  on: boolean;
  urgent: boolean;
  gatherMinutes: number;
  delaySeconds: number;
}

/** How bad it is: the colour at Discord, the priority at ntfy, the type at Apprise. */
export type NoticeLevel = 'good' | 'note' | 'warning' | 'problem';

export const noticeEvents = {
  'job.failed': {
    label: 'Files failed',
    help: 'A file could not be converted and is not tried again by itself. Its original is untouched.',
    level: 'problem',
    on: true,
    urgent: false,
    gatherMinutes: 15,
    delaySeconds: 60,
  },
  'replace.blocked': {
    label: 'A copy was refused',
    help: 'A new file did not pass the checks, or its original could not be exchanged. The original stays.',
    level: 'warning',
    on: false,
    urgent: false,
    gatherMinutes: 15,
    delaySeconds: 60,
  },
  'batch.finished': {
    label: 'The queue is done',
    help: 'Everything that waited is worked off, with what it saved.',
    level: 'good',
    on: false,
    urgent: false,
    gatherMinutes: 15,
    delaySeconds: 0,
  },
  'node.offline': {
    label: 'A machine is away',
    help: 'Nothing was heard of a machine for more than five minutes.',
    level: 'warning',
    on: true,
    urgent: false,
    gatherMinutes: 5,
    delaySeconds: 15,
  },
  'node.back': {
    label: 'A machine is back',
    help: 'A machine that was reported away is heard of again.',
    level: 'good',
    on: false,
    urgent: false,
    gatherMinutes: 5,
    delaySeconds: 15,
  },
  'node.pending': {
    label: 'A machine asks to join',
    help: 'Somebody has to compare the codes and decide. A message comes at night too.',
    level: 'warning',
    on: true,
    urgent: true,
    gatherMinutes: 15,
    delaySeconds: 0,
  },
  'disk.low': {
    label: 'A disk is nearly full',
    help: 'The temporary space of a machine fell below what is to be kept free, or finished files wait for room in their library.',
    level: 'warning',
    on: true,
    urgent: false,
    gatherMinutes: 15,
    delaySeconds: 30,
  },
  'source.failing': {
    label: 'A media server cannot be used',
    help: 'Plex, Jellyfin, Emby, Sonarr or Radarr has not answered as it should for five minutes, or does not show a new file.',
    level: 'warning',
    on: false,
    urgent: false,
    gatherMinutes: 60,
    delaySeconds: 300,
  },
  'backup.failed': {
    label: 'A backup failed',
    help: 'The books could not be copied to a safe place.',
    level: 'problem',
    on: true,
    urgent: false,
    gatherMinutes: 60,
    delaySeconds: 0,
  },
  'security.sign-in': {
    label: 'Security: a sign-in from a new address',
    help: 'Somebody signed in from where this person never signed in before. A message comes at night too.',
    level: 'warning',
    on: true,
    urgent: true,
    gatherMinutes: 5,
    delaySeconds: 0,
  },
  'security.settings': {
    label: 'Security: how people sign in was changed',
    help: 'Also when a place for notifications was added, changed or removed. A message comes at night too.',
    level: 'warning',
    on: true,
    urgent: true,
    gatherMinutes: 1,
    delaySeconds: 10,
  },
  'security.admin': {
    label: 'Security: somebody became an admin',
    help: 'A person was made an admin, an admin’s password was set on the machine itself, or a token that may do everything was made. A message comes at night too.',
    level: 'warning',
    on: true,
    urgent: true,
    gatherMinutes: 5,
    delaySeconds: 0,
  },
  'daily.summary': {
    label: 'A summary once a day',
    help: 'How many files were converted in the last day, what they saved, and what needs a look.',
    level: 'note',
    on: false,
    urgent: false,
    gatherMinutes: 0,
    delaySeconds: 0,
  },
} as const satisfies Record<string, NoticeEventEntry>;

export type NoticeEvent = keyof typeof noticeEvents;
export const noticeEventNames = Object.keys(noticeEvents) as NoticeEvent[];

/** What a new target hears of unless somebody decides otherwise. */
export const defaultEvents: readonly NoticeEvent[] = noticeEventNames.filter((event) => noticeEvents[event].on);

/** Nobody chooses it: a person pressed "send a test". */
export const TEST_EVENT = 'test';

export function isNoticeEvent(name: unknown): name is NoticeEvent {
  return typeof name === 'string' && Object.hasOwn(noticeEvents, name);
}

/** The entry of an event; for one of a newer version something harmless, so that an old row still reads. */
export function noticeEntry(event: string): NoticeEventEntry {
  if (isNoticeEvent(event)) return noticeEvents[event];
  const isTest = event === TEST_EVENT;
  return { label: isTest ? 'A test' : event, help: '', level: 'note', on: false, urgent: isTest, gatherMinutes: 0, delaySeconds: 0 };
}
