import os from 'node:os';
import { buffer } from 'node:stream/consumers';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { createExamination } from '../cli/doctor-examination.ts';
import { examineMachine } from '../cli/doctor-machine.ts';
import { clusterKeys, nodeKeys, specOf, type SettingKey } from '../config/schema.ts';
import { ffmpegsInWords } from '../core/ffmpeg-words.ts';
import { sentence } from '../core/reasons.ts';
import type { Standing, Surroundings } from '../core/standing.ts';
import { listActivity, type Activity } from '../db/activity.ts';
import type { Database } from '../db/connect.ts';
import { listLibraries } from '../db/libraries.ts';
import { listNodes } from '../db/nodes.ts';
import { listTargets } from '../db/notice-targets.ts';
import { listSources } from '../db/sources.ts';
import { countByReason, databaseFacts, lastFailures } from '../db/support.ts';
import { listUsers } from '../db/users.ts';
import { messageOf } from '../errors.ts';
import { inExecutable } from '../program.ts';
import { version } from '../version.ts';
import type { House } from './house.ts';
import { createPseudonyms, type Kind, type Pseudonyms } from './pseudonyms.ts';

/**
 * One file for whoever helps. It is made of what this machine knows; where it holds the database, of the books too. Nothing in
 * it opens anything (redact.ts), and names are exchanged for stand-ins unless a person wants them kept (pseudonyms.ts).
 */
export interface BundleParts {
  house: House;
  db: Database | null;
  /** effective settings of the cluster; null where they are not known */
  settings: (() => Record<string, unknown>) | null;
  standing: Standing;
  surroundings: Surroundings | null;
}

interface Part {
  file: string;
  says: string;
  /** null: not on this machine */
  collect: (() => Promise<unknown>) | null;
}

/** A part that takes longer is left out, and the manifest says so. */
const PART_MS = 45_000;
const MOST_BYTES = 6 * 1024 * 1024;

/** @throws the signal's reason when a person gave it up */
export async function makeSupportBundle(parts: BundleParts, wish: { names: boolean }, signal: AbortSignal): Promise<Uint8Array> {
  const pseudonyms = createPseudonyms(parts.house.secret, wish);
  // a database that does not answer is a reason to ask for help: nothing of it is waited for by the others
  await within(learnNames(parts, pseudonyms), signal).catch(() => signal.throwIfAborted());
  const collected = await Promise.all(
    bundleParts(parts).map(async (part) => ({ file: part.file, says: part.says, text: await textOf(part, pseudonyms, signal) })),
  );
  signal.throwIfAborted();
  // only now every name is learnt, also those that the last part told
  const files = collected.map(({ file, says, text }) => ({ file, says, text: pseudonyms.text(text) }));
  return packed([{ file: 'MANIFEST.txt', text: manifest(files, wish) }, ...files]);
}

function bundleParts({ house, db, settings, standing, surroundings }: BundleParts): Part[] {
  const { options, book } = house;
  const lines = (level: 'debug' | 'info', limit: number): string =>
    book
      .lines({ level, limit })
      .filter((line) => level === 'info' || line.level === 'debug')
      .reverse()
      .map(({ seq: _seq, ...line }) => JSON.stringify(line))
      .join('\n');
  const ofBooks = <T>(read: (q: Database) => Promise<T>): (() => Promise<T>) | null => (db ? () => read(db) : null);
  return [
    { file: 'program.json', says: 'version, system, runtime, how long it runs', collect: async () => programFacts() },
    {
      file: 'options.json',
      says: 'how this machine was started; of a secret only whether it is set',
      collect: async () => optionsOf(options),
    },
    {
      file: 'settings.json',
      says: 'settings of the cluster; of a secret only whether it is set',
      collect: settings && (async () => settingsOf(settings())),
    },
    {
      file: 'standing.json',
      says: 'which cluster it belongs to, what it sees of the others',
      collect: async () => ({ standing, surroundings }),
    },
    {
      file: 'doctor.json',
      says: 'what the doctor says of this machine',
      collect: () => doctor(house, standing, surroundings),
    },
    { file: 'ffmpeg.json', says: 'every ffmpeg of this machine and what each can do', collect: async () => ffmpegFacts(house) },
    { file: 'encoders.json', says: 'its encoders, each by a real test encode', collect: async () => house.encoders.known() },
    { file: 'nodes.json', says: 'the machines of the cluster and what they say of themselves', collect: ofBooks((q) => listNodes(q)) },
    {
      file: 'database.json',
      says: 'kind, version and size of the database, and the migrations in it',
      collect: ofBooks(async (q) => ({ embedded: q.embedded, ...(await databaseFacts(q)) })),
    },
    { file: 'counts.json', says: 'how many jobs and files are in which state, and why', collect: ofBooks(countByReason) },
    {
      file: 'failures.json',
      says: 'the last runs that failed, with the command and the last words of ffmpeg',
      collect: ofBooks(failuresOf),
    },
    { file: 'activity.json', says: 'what happened lately', collect: ofBooks(lately) },
    { file: 'log.jsonl', says: 'the newest lines of the log', collect: async () => lines('info', 5000) },
    { file: 'log-details.jsonl', says: 'the details of the last moments', collect: async () => lines('debug', 5000) },
  ];
}

/** Whatever a person called something is taken out of messages too, not only out of its own field. */
async function learnNames({ house, db, settings }: BundleParts, pseudonyms: Pseudonyms): Promise<void> {
  pseudonyms.learn('host', os.hostname());
  for (const host of namedHosts(house.options, settings?.() ?? {})) pseudonyms.learn('host', host);
  pseudonyms.learn('person', userName());
  if (os.homedir().split(/[\\/]/).length > 2) pseudonyms.learn('folder', os.homedir());
  pseudonyms.learn('machine', house.options.name);
  for (const { path } of await house.roots.report()) pseudonyms.learn('folder', path);
  if (db) await learnNamesOfBooks(db, pseudonyms);
}

/** What is told last is what a name that two things have counts as. */
async function learnNamesOfBooks(db: Database, pseudonyms: Pseudonyms): Promise<void> {
  // who was removed lately is still in the story
  for (const { kind, params } of await lately(db)) {
    const told = namesInStory.find(([kinds]) => kinds.test(kind));
    if (told && typeof params['name'] === 'string') pseudonyms.learn(told[1], params['name']);
  }
  for (const { name, place, fields } of await listTargets(db)) {
    for (const host of [fields['host'], hostOf(place)]) if (isHostName(host)) pseudonyms.learn('host', host);
    pseudonyms.learn('place', name);
  }
  for (const { name, url, connections } of await listSources(db)) {
    for (const host of [url, ...connections].map(hostOf)) if (isHostName(host)) pseudonyms.learn('host', host);
    pseudonyms.learn('server', name);
  }
  for (const library of await listLibraries(db)) pseudonyms.learn('library', library.name);
  for (const node of await listNodes(db)) pseudonyms.learn('machine', node.name);
  for (const user of await listUsers(db)) for (const name of [user.name, user.displayName]) pseudonyms.learn('person', name);
}

/** Whose name a line of the activity has in its field `name`. */
const namesInStory: readonly [RegExp, Kind][] = [
  [/^library-/, 'library'],
  [/^node-/, 'machine'],
  [/^notices-/, 'place'],
];

async function lately(db: Database): Promise<Activity[]> {
  return (await listActivity(db, {}, { size: 100 })).rows;
}

/** Names of computers that a person typed; of an address in numbers half is left anyway. */
function namedHosts({ peers, databaseUrl }: House['options'], current: Record<string, unknown>): string[] {
  const pages = typeof current['web.hosts'] === 'string' ? current['web.hosts'].split(/[\s,]+/) : [];
  return [...peers.map((peer) => peer.replace(/:\d+$/, '')), ...pages, hostOf(databaseUrl ?? '')].filter(isHostName);
}

/** '' where there is none. */
function hostOf(address: string): string {
  return URL.parse(address.includes('://') ? address : `http://${address}`)?.hostname ?? '';
}

function isHostName(host: string | undefined): host is string {
  return host !== undefined && host !== 'localhost' && !/^[\d.]*$|:/.test(host);
}

/** Of the system; unknown to some containers. */
function userName(): string | null {
  try {
    const { username } = os.userInfo();
    return username === 'root' ? null : username;
  } catch {
    return null;
  }
}

async function textOf({ collect }: Part, pseudonyms: Pseudonyms, signal: AbortSignal): Promise<string> {
  if (!collect) return 'Not on this machine: it does not hold the database.\n';
  try {
    const found = await within(collect(), signal);
    if (typeof found === 'string')
      return (
        pseudonyms.value(
          found
            .split('\n')
            .filter(Boolean)
            .map((line) => JSON.parse(line) as unknown),
        ) as unknown[]
      )
        .map((line) => JSON.stringify(line))
        .join('\n')
        .slice(-MOST_BYTES);
    return `${JSON.stringify(pseudonyms.value(found), null, 1).slice(0, MOST_BYTES)}\n`;
  } catch (error) {
    return `It could not be collected: ${messageOf(error)}\n`;
  }
}

async function within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  // whatever becomes of it after nobody waits any more is no error of the program
  work.catch(() => {});
  signal.throwIfAborted();
  const limit = AbortSignal.any([signal, AbortSignal.timeout(PART_MS)]);
  const late = Promise.withResolvers<never>();
  const stop = (): void => late.reject(new Error('it took too long'));
  limit.addEventListener('abort', stop, { once: true });
  return Promise.race([work, late.promise]).finally(() => limit.removeEventListener('abort', stop));
}

function programFacts(): object {
  return {
    version,
    runtime: process.version,
    executable: inExecutable,
    system: `${os.platform()} ${os.arch()} ${os.release()}`,
    processors: `${os.cpus().length} × ${os.cpus()[0]?.model ?? 'unknown'}`,
    memoryBytes: os.totalmem(),
    freeMemoryBytes: os.freemem(),
    usedMemoryBytes: process.memoryUsage.rss(),
    runningSeconds: Math.round(process.uptime()),
    now: new Date().toISOString(),
    utcOffsetMinutes: -new Date().getTimezoneOffset(),
  };
}

function optionsOf(options: House['options']): object {
  return nodeKeys.map((key) => optionOf(key, options[key]));
}

function settingsOf(current: Record<string, unknown>): object {
  return clusterKeys.map((key) => optionOf(key, current[key]));
}

/** As pairs: a field that is called like a secret would be blotted out, and what it says with it. */
function optionOf(key: SettingKey, value: unknown): object {
  const { env, secret, group } = specOf(key);
  const kind = key === 'name' ? 'name' : pathKeys.has(key) ? 'path' : 'value';
  return { setting: key, env, group, [kind]: shown(secret === true, value) };
}

const pathKeys: ReadonlySet<string> = new Set(['libraries', 'dataDir', 'ffmpeg', 'ffprobe', 'tlsCert', 'tlsKey', 'secretKeyFile']);

function shown(secret: boolean, value: unknown): unknown {
  if (!secret) return value ?? null;
  return value === null || value === undefined || value === '' ? 'not set' : 'set';
}

async function doctor({ id, options, encoders }: House, standing: Standing, around: Surroundings | null): Promise<unknown> {
  const examination = createExamination();
  const surroundings = around ?? { listening: [], interfaces: [], sightings: [] };
  const here = { node: { id, name: options.name, version }, standing, surroundings, reached: true };
  await examineMachine(examination, options, { state: 'here', here }, encoders.known());
  return examination.findings;
}

function ffmpegFacts({ ffmpeg, options }: House): object {
  const builds = ffmpeg.builds();
  return { builds, inWords: ffmpegsInWords({ builds, used: ffmpeg.choice().used, allowed: options.allowVulnerableFfmpeg }) };
}

async function failuresOf(db: Database): Promise<object[]> {
  const runs = await lastFailures(db, 50);
  return runs.map((run) => ({ ...run, says: run.reason ? sentence(run.reason as Parameters<typeof sentence>[0]) : null }));
}

function manifest(files: readonly { file: string; says: string; text: string }[], wish: { names: boolean }): string {
  const width = Math.max(...files.map(({ file }) => file.length)) + 2;
  return [
    `Support bundle of CodecShift ${version}, made ${new Date().toISOString()}.`,
    '',
    'It is for whoever helps you with a problem. Open the files and read them before you send it: they are plain text.',
    '',
    ...files.map(({ file, says, text }) => `  ${file.padEnd(width)}${says} (${Math.ceil(text.length / 1024)} KB)`),
    '',
    'Left out: passwords, tokens, keys and everything else that opens something; of settings that are secret it only says',
    'whether they are set. Of addresses the first half is left, so that one can see which machines are in one network.',
    wish.names
      ? 'The names of films, folders, libraries, people and machines ARE in it, as you wished.'
      : 'Films, folders, libraries, people, machines, servers and places that are told things have stand-ins like film-3fa2c1.mkv.\nThe same one has the same stand-in everywhere, also in the next bundle of this machine. Nobody can find the name from it.\nA name that is an ordinary word ("films", "in") only has one where it stands by itself.',
    '',
  ].join('\n');
}

async function packed(files: readonly { file: string; text: string }[]): Promise<Uint8Array> {
  const tar = pack();
  const whole = buffer(tar.pipe(createGzip()));
  for (const { file, text } of files)
    await new Promise<void>((resolve, reject) =>
      tar.entry({ name: `codecshift-support/${file}`, mode: 0o600, mtime: new Date() }, text, (error) =>
        error ? reject(error) : resolve(),
      ),
    );
  tar.finalize();
  return whole;
}
