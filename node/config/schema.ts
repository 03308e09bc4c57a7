/**
 * Every setting of CodecShift, once: type, default, unit, limits, words. The form on the Settings page, its validation,
 * the table in the README, the command line's flags and the environment override all follow from this list.
 *
 * scope 'cluster': stored in PostgreSQL, changed on the page, applied at once; an environment variable on the
 *                  coordinator overrides it and is shown read-only.
 * scope 'node':    belongs to one machine; given by flag or environment when the program starts.
 */

export interface SettingSpec {
  scope: 'cluster' | 'node';
  group: SettingGroup;
  type: 'integer' | 'number' | 'boolean' | 'choice' | 'text' | 'list';
  default: number | boolean | string | readonly string[] | null;
  min?: number;
  max?: number;
  choices?: readonly { value: string; label: string }[];
  unit?: string;
  label: string;
  help: string;
  env: string;
  /** the command line's flag, for scope 'node' */
  flag?: string;
  secret?: boolean;
  /** changed by a button, not shown in the form */
  hidden?: boolean;
}

export const settingGroups = {
  general: 'General',
  video: 'Video for new libraries',
  scan: 'Scanning',
  jobs: 'Jobs',
  network: 'Network',
  access: 'Signing in',
  safety: 'Safety',
  node: 'This machine',
} as const;
export type SettingGroup = keyof typeof settingGroups;

export const settings = {
  'queue.paused': {
    scope: 'cluster',
    group: 'general',
    type: 'boolean',
    default: false,
    hidden: true,
    env: 'CODECSHIFT_PAUSED',
    label: 'Paused',
    help: 'No new file is begun while this is on; running files finish.',
  },
  'queue.order': {
    scope: 'cluster',
    group: 'general',
    type: 'choice',
    default: 'saving',
    env: 'CODECSHIFT_QUEUE_ORDER',
    choices: [
      { value: 'saving', label: 'Biggest saving first' },
      { value: 'oldest', label: 'Longest in the library first' },
      { value: 'smallest', label: 'Smallest file first' },
    ],
    label: 'Order of the queue',
    help: 'Which file comes next inside one priority. Files you moved to the top or the end keep their place.',
  },
  'web.hosts': {
    scope: 'cluster',
    group: 'general',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_HOSTS',
    label: 'Names of the dashboard',
    help: 'Other names by which people open this page, separated by commas, for example media.example.org. Addresses in numbers, localhost, *.local and the machine’s own name always work.',
  },
  'profile.quality': {
    scope: 'cluster',
    group: 'video',
    type: 'integer',
    default: 22,
    min: 14,
    max: 34,
    env: 'CODECSHIFT_QUALITY',
    label: 'Quality',
    help: 'Lower is better and bigger: 18 is hard to tell from the original, 22 is very good, 28 is small. Every encoder is set to look about the same.',
  },
  'profile.speed': {
    scope: 'cluster',
    group: 'video',
    type: 'choice',
    default: 'medium',
    env: 'CODECSHIFT_SPEED',
    choices: [
      { value: 'fast', label: 'Fast' },
      { value: 'medium', label: 'Medium' },
      { value: 'slow', label: 'Slow, smaller files' },
    ],
    label: 'Speed',
    help: 'How much time is spent on every frame. Slower makes smaller files of the same quality.',
  },
  'profile.tenBit': {
    scope: 'cluster',
    group: 'video',
    type: 'boolean',
    default: true,
    env: 'CODECSHIFT_TEN_BIT',
    label: 'Encode in 10 bit',
    help: 'Fewer bands in dark scenes and a little smaller. Some players from before 2016 only play 8 bit.',
  },
  'profile.minSavingPercent': {
    scope: 'cluster',
    group: 'video',
    type: 'integer',
    default: 10,
    min: 0,
    max: 90,
    unit: '%',
    env: 'CODECSHIFT_MIN_SAVING',
    label: 'Smallest worthwhile saving',
    help: 'When the HEVC file is not at least this much smaller, the original stays.',
  },
  'scan.everyMinutes': {
    scope: 'cluster',
    group: 'scan',
    type: 'integer',
    default: 60,
    min: 0,
    max: 10080,
    unit: 'minutes',
    env: 'CODECSHIFT_SCAN_EVERY',
    label: 'Look for new files every',
    help: '0 means only when you ask for it.',
  },
  'scan.settleSeconds': {
    scope: 'cluster',
    group: 'scan',
    type: 'integer',
    default: 120,
    min: 0,
    max: 86400,
    unit: 'seconds',
    env: 'CODECSHIFT_SETTLE',
    label: 'Leave new files alone for',
    help: 'A file that changed more recently than this may still be written, and is looked at again later.',
  },
  'jobs.atOnce': {
    scope: 'cluster',
    group: 'jobs',
    type: 'integer',
    default: 1,
    min: 1,
    max: 16,
    env: 'CODECSHIFT_AT_ONCE',
    label: 'Files at once on one machine',
    help: 'One file uses a whole processor well; graphics cards can take two or three.',
  },
  'jobs.leaseSeconds': {
    scope: 'cluster',
    group: 'jobs',
    type: 'integer',
    default: 45,
    min: 10,
    max: 600,
    unit: 'seconds',
    env: 'CODECSHIFT_LEASE',
    label: 'A machine counts as lost after',
    help: 'When nothing is heard of a running file for this long, it goes back into the queue.',
  },
  'jobs.stallMinutes': {
    scope: 'cluster',
    group: 'jobs',
    type: 'number',
    default: 10,
    min: 0.1,
    max: 240,
    unit: 'minutes',
    env: 'CODECSHIFT_STALL',
    label: 'An encode counts as stuck after',
    help: 'When an encode makes no progress for this long it is stopped and tried again.',
  },
  'jobs.maxFailures': {
    scope: 'cluster',
    group: 'jobs',
    type: 'integer',
    default: 3,
    min: 1,
    max: 10,
    env: 'CODECSHIFT_MAX_FAILURES',
    label: 'Tries per file',
    help: 'After so many failures a file is left alone until you ask for it again.',
  },
  'jobs.minFreeGb': {
    scope: 'cluster',
    group: 'jobs',
    type: 'number',
    default: 2,
    min: 0,
    max: 10000,
    unit: 'GB',
    env: 'CODECSHIFT_MIN_FREE',
    label: 'Keep free for others',
    help: 'No file is begun on a machine whose temporary space would fall below this.',
  },
  'verify.timeoutMinutes': {
    scope: 'cluster',
    group: 'safety',
    type: 'integer',
    default: 240,
    min: 1,
    max: 2880,
    unit: 'minutes',
    env: 'CODECSHIFT_VERIFY_TIMEOUT',
    label: 'Longest check of one file',
    help: 'Checking decodes the whole new file. When it takes longer than this, the original stays and the file is tried again.',
  },
  'pictures.take': {
    scope: 'cluster',
    group: 'safety',
    type: 'boolean',
    default: true,
    env: 'CODECSHIFT_PICTURES',
    label: 'Pictures to look at',
    help: 'Five frames of original and new file to compare on the page of each file, and the colours of a film in its bar. They take some seconds a file, and go when the original leaves the trash.',
  },
  'trash.keepDays': {
    scope: 'cluster',
    group: 'safety',
    type: 'number',
    default: 14,
    min: 0,
    max: 3650,
    unit: 'days',
    env: 'CODECSHIFT_KEEP_ORIGINALS',
    label: 'Keep originals for',
    help: 'A replaced original waits this long in .codecshift/trash on its own disk, and can be put back with one click. Its space is free only afterwards.',
  },
  'sources.restMinutes': {
    scope: 'cluster',
    group: 'safety',
    type: 'integer',
    default: 5,
    min: 0,
    max: 1440,
    unit: 'minutes',
    env: 'CODECSHIFT_SOURCES_REST',
    label: 'Leave a watched film alone for',
    help: 'A film that somebody played on a media server is replaced only so long after nobody plays it any more: people pause and come back.',
  },
  'history.keepDays': {
    scope: 'cluster',
    group: 'general',
    type: 'integer',
    default: 365,
    min: 1,
    max: 3650,
    unit: 'days',
    env: 'CODECSHIFT_KEEP_HISTORY',
    label: 'Keep the activity log for',
    help: 'Results and statistics of files are kept for good; only the log of small events is shortened.',
  },
  'network.mbps': {
    scope: 'cluster',
    group: 'network',
    type: 'integer',
    default: 0,
    min: 0,
    max: 100_000,
    unit: 'Mbit/s',
    env: 'CODECSHIFT_MBPS',
    label: 'Most that one machine sends or receives',
    help: 'Films that travel between machines leave room for everything else. 0: no limit. A single machine can have a limit of its own on the Nodes page.',
  },
  'network.fetchAhead': {
    scope: 'cluster',
    group: 'network',
    type: 'boolean',
    default: true,
    env: 'CODECSHIFT_FETCH_AHEAD',
    label: 'Fetch the next film early',
    help: 'A machine without the library mounted fetches its next film while it encodes the present one, so that it never waits for the network.',
  },
  'web.url': {
    scope: 'cluster',
    group: 'access',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_URL',
    label: 'Address of the dashboard from outside',
    help: 'Where people open this page through a proxy or a name of its own, for example https://codecshift.example.org. With https, cookies are sent over https only. The return address for a provider follows from it.',
  },
  'access.idleHours': {
    scope: 'cluster',
    group: 'access',
    type: 'integer',
    default: 24,
    min: 1,
    max: 720,
    unit: 'hours',
    env: 'CODECSHIFT_SESSION_IDLE',
    label: 'Sign out after nobody did anything for',
    help: 'A page that only stands open does not count: it is signed out too.',
  },
  'access.sessionDays': {
    scope: 'cluster',
    group: 'access',
    type: 'integer',
    default: 30,
    min: 1,
    max: 365,
    unit: 'days',
    env: 'CODECSHIFT_SESSION_DAYS',
    label: 'Sign in again at the latest after',
    help: 'However often the page is used. Who signs in through a provider is asked again after one day, because the provider may have changed its mind.',
  },
  libraries: {
    scope: 'node',
    group: 'node',
    type: 'list',
    default: [],
    env: 'CODECSHIFT_LIBRARIES',
    flag: 'library',
    label: 'Libraries',
    help: 'A folder to watch; may be given several times (in the environment: separated like PATH).',
  },
  dataDir: {
    scope: 'node',
    group: 'node',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_DATA_DIR',
    flag: 'data-dir',
    label: 'Data directory',
    help: 'Where this machine keeps its key, database and unfinished encodes. Default: the usual place of the system.',
  },
  host: {
    scope: 'node',
    group: 'node',
    type: 'text',
    default: '127.0.0.1',
    env: 'CODECSHIFT_HOST',
    flag: 'host',
    label: 'Address of the dashboard',
    help: 'The address the dashboard listens on: 127.0.0.1 is this machine alone, 0.0.0.0 the whole network.',
  },
  port: {
    scope: 'node',
    group: 'node',
    type: 'integer',
    default: 8265,
    min: 0,
    max: 65535,
    env: 'CODECSHIFT_PORT',
    flag: 'port',
    label: 'Port of the dashboard',
    help: '0 takes any free port.',
  },
  name: {
    scope: 'node',
    group: 'node',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_NAME',
    flag: 'name',
    label: 'Name of this machine',
    help: 'How it is called on the page. Default: its host name.',
  },
  databaseUrl: {
    scope: 'node',
    group: 'node',
    type: 'text',
    default: null,
    env: 'DATABASE_URL',
    flag: 'database-url',
    secret: true,
    label: 'PostgreSQL',
    help: 'postgres://user:password@host/database, version 15 or newer. Without it a database inside the data directory is used.',
  },
  auth: {
    scope: 'node',
    group: 'node',
    type: 'choice',
    default: 'page',
    env: 'CODECSHIFT_AUTH',
    flag: 'auth',
    choices: [
      { value: 'page', label: 'page' },
      { value: 'none', label: 'none' },
    ],
    label: 'Who may open the dashboard',
    help: 'page: decided at the first visit, with the set-up token that the console shows. none: everybody who reaches it may change everything.',
  },
  setupToken: {
    scope: 'node',
    group: 'node',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_SETUP_TOKEN',
    secret: true,
    label: 'Set-up token',
    help: 'Asked for at the first visit, 20 characters or more. Default: a new one at each start, on the console and in the file setup-token of the data directory.',
  },
  adminUser: {
    scope: 'node',
    group: 'node',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_ADMIN_USER',
    label: 'First admin',
    help: 'Made at the first start when nobody is there yet, together with the password. Later starts change nothing.',
  },
  adminPassword: {
    scope: 'node',
    group: 'node',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_ADMIN_PASSWORD',
    secret: true,
    label: 'Password of the first admin',
    help: 'Better as a file: CODECSHIFT_ADMIN_PASSWORD_FILE.',
  },
  meshPort: {
    scope: 'node',
    group: 'node',
    type: 'integer',
    default: 8266,
    min: 0,
    max: 65533,
    env: 'CODECSHIFT_MESH_PORT',
    flag: 'mesh-port',
    label: 'Port of the mesh',
    help: 'Other machines reach this one at this port and the two after it (asking to join, film data). 0 takes any free ones.',
  },
  discovery: {
    scope: 'node',
    group: 'node',
    type: 'choice',
    default: 'lan',
    env: 'CODECSHIFT_DISCOVERY',
    flag: 'discovery',
    choices: [
      { value: 'lan', label: 'lan' },
      { value: 'off', label: 'off' },
    ],
    label: 'Finding other machines',
    help: 'lan: by multicast (mDNS) on every network interface. off: only machines named with --peer.',
  },
  peers: {
    scope: 'node',
    group: 'node',
    type: 'list',
    default: [],
    env: 'CODECSHIFT_PEERS',
    flag: 'peer',
    label: 'Other machines',
    help: 'host:port of another machine’s mesh, where multicast does not reach; may be given several times (in the environment: separated like PATH, with hosts in brackets).',
  },
  cluster: {
    scope: 'node',
    group: 'node',
    type: 'choice',
    default: 'auto',
    env: 'CODECSHIFT_CLUSTER',
    flag: 'cluster',
    choices: [
      { value: 'auto', label: 'auto' },
      { value: 'new', label: 'new' },
      { value: 'join', label: 'join' },
    ],
    label: 'A machine that belongs to no cluster yet',
    help: 'auto: asks to join a cluster that it finds, else starts one. new: starts one at once. join: never starts one.',
  },
  join: {
    scope: 'node',
    group: 'node',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_JOIN',
    flag: 'join',
    secret: true,
    label: 'Join token',
    help: 'A token from the Nodes page: this machine joins that cluster at once, without a click.',
  },
  secretKeyFile: {
    scope: 'node',
    group: 'node',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_SECRET_KEY_FILE',
    flag: 'secret-key-file',
    label: 'Key for stored sign-ins',
    help: 'A file with 32 random bytes (or 64 hexadecimal digits) that seals the sign-ins of media servers in the database. Default: secret.key in the data directory, made when it is first needed.',
  },
  ffmpeg: {
    scope: 'node',
    group: 'node',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_FFMPEG',
    flag: 'ffmpeg',
    label: 'ffmpeg',
    help: 'Path of the ffmpeg to use. Default: the one of the system, else the bundled one.',
  },
  ffprobe: {
    scope: 'node',
    group: 'node',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_FFPROBE',
    flag: 'ffprobe',
    label: 'ffprobe',
    help: 'Path of the ffprobe to use. Default: the one beside ffmpeg.',
  },
  stop: {
    scope: 'node',
    group: 'node',
    type: 'choice',
    default: 'cancel',
    env: 'CODECSHIFT_STOP',
    flag: 'stop',
    choices: [
      { value: 'cancel', label: 'cancel' },
      { value: 'finish', label: 'finish' },
    ],
    label: 'When the program is stopped',
    help: 'cancel: running encodes are given back and begin anew later. finish: they are finished first; a second Ctrl-C cancels them.',
  },
  logLevel: {
    scope: 'node',
    group: 'node',
    type: 'choice',
    default: 'info',
    env: 'CODECSHIFT_LOG_LEVEL',
    flag: 'log-level',
    choices: [
      { value: 'debug', label: 'debug' },
      { value: 'info', label: 'info' },
      { value: 'warn', label: 'warn' },
      { value: 'error', label: 'error' },
    ],
    label: 'Log',
    help: 'How much is written to the log.',
  },
} as const satisfies Record<string, SettingSpec>;

type Specs = typeof settings;
export type SettingKey = keyof Specs;
type Scoped<S extends 'cluster' | 'node'> = { [K in SettingKey]: Specs[K]['scope'] extends S ? K : never }[SettingKey];
export type ClusterKey = Scoped<'cluster'>;
export type NodeKey = Scoped<'node'>;

type Value<S extends SettingSpec> = S['type'] extends 'integer' | 'number'
  ? number
  : S['type'] extends 'boolean'
    ? boolean
    : S['type'] extends 'list'
      ? string[]
      : S extends { choices: readonly { value: infer V }[] }
        ? V
        : S['default'] extends null
          ? string | null
          : string;

export type ClusterSettings = { readonly [K in ClusterKey]: Value<Specs[K]> };
export type NodeOptions = { readonly [K in NodeKey]: Value<Specs[K]> };

export const clusterKeys = (Object.keys(settings) as SettingKey[]).filter((k): k is ClusterKey => settings[k].scope === 'cluster');
export const nodeKeys = (Object.keys(settings) as SettingKey[]).filter((k): k is NodeKey => settings[k].scope === 'node');

export function specOf(key: SettingKey): SettingSpec {
  return settings[key];
}

export function isClusterKey(key: string): key is ClusterKey {
  return (clusterKeys as string[]).includes(key);
}
