import { access } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { makeDataDir, openToEverybody } from '../assembly/data-dir.ts';
import { ffmpegWish } from '../assembly/house.ts';
import type { RunOptions } from '../config/load.ts';
import type { EncoderReport } from '../core/encoder-choice.ts';
import { ffmpegsInWords } from '../core/ffmpeg-words.ts';
import { sentence } from '../core/reasons.ts';
import { detectEncoders } from '../ffmpeg/detect.ts';
import { findFfmpeg, type FoundFfmpeg, type Tools } from '../ffmpeg/locate.ts';
import { refusal } from '../ffmpeg/sandbox.ts';
import { freeBytes } from '../files/disk.ts';
import { loadRoots } from '../keeper/roots.ts';
import { createLog } from '../log.ts';
import type { Examination, Said } from './doctor-examination.ts';
import type { Program } from './doctor-program.ts';
import { createAwake } from '../worker/awake.ts';
import { createFeeler } from '../worker/senses.ts';
import { bytes, duration } from './words.ts';

/** Real work on a busy machine is slower than a look; whoever waits longer than this waits for nothing. */
const ENCODERS_S = 120;
const FFMPEG_S = 20;
const DATABASE_S = 45;

/**
 * What this machine needs for itself: programs, space, database, libraries.
 * @param known what the running program found out of its encoders, which then are not tested once more
 */
export async function examineMachine(
  examination: Examination,
  options: RunOptions,
  program: Program,
  known: readonly EncoderReport[] | null = null,
): Promise<void> {
  const { check } = examination;
  await check('runtime', async () => `Node.js ${process.version} on ${process.platform} ${process.arch}`);
  await examineTools(examination, options, known);
  const usable = await check('data directory', async () => {
    await makeDataDir(options.dataDir);
    const said = `${options.dataDir}, ${bytes(await freeBytes(options.dataDir))} free for unfinished encodes`;
    const open = await openToEverybody(options.dataDir);
    return open === null ? said : { heed: `${said}. ${open}` };
  });
  // without its directory the embedded database has nowhere to be, and says so less clearly
  if (usable || options.databaseUrl) await check('database', (signal) => database(options, program, signal), DATABASE_S);
  await examineSenses(examination);
  if (usable) await examineRoots(examination, options.dataDir);
}

async function examineTools({ check }: Examination, options: RunOptions, known: readonly EncoderReport[] | null): Promise<void> {
  let tools: Tools | null = null;
  const look = async (signal: AbortSignal): Promise<Said> => {
    const ffmpeg = await findFfmpeg({ ...ffmpegWish(options), signal });
    ({ tools } = ffmpeg);
    if (tools.refused) throw refusal(tools.refused);
    const said = `${tools.ffmpeg.version} (${tools.ffmpeg.from}, ${tools.ffmpeg.path}); ffprobe ${tools.ffprobe.version} (${tools.ffprobe.path})`;
    return heedOf(ffmpeg, options, said);
  };
  await check('ffmpeg', look, FFMPEG_S);
  if (!tools) return;
  const found: Tools = tools;
  await check('sandbox', async () =>
    found.cage
      ? 'ffmpeg runs without network and sees only its own files'
      : {
          heed: `ffmpeg runs without a cage: ${found.cageProblem ?? 'none on this system'}; files still pass the format and codec lists`,
        },
  );
  await check(
    'encoders',
    async (signal) => {
      const working = (known ?? (await detectEncoders({ tools: found, signal }))).filter((e) => e.works);
      if (working.length === 0) throw new Error('no HEVC encoder works; "codecshift encoders" shows why');
      return working.map((e) => `${e.name}${e.device ? ` (${e.device})` : ''}`).join(', ');
    },
    ENCODERS_S,
  );
}

/** What a person should know of the ffmpeg that is used: a better one is here, or a film could do harm by a known hole. */
function heedOf(ffmpeg: FoundFfmpeg, options: RunOptions, said: string): Said {
  const words = ffmpegsInWords({ builds: ffmpeg.builds(), used: ffmpeg.choice().used, allowed: options.allowVulnerableFfmpeg });
  const holes = words.all.filter(({ used }) => used).flatMap(({ holes: all }) => all.filter(({ tone }) => tone !== 'calm'));
  const heed = [words.better, ...holes.map(({ id, says }) => `${id}: ${says}`)].filter(Boolean);
  return heed.length > 0 ? { heed: [`${said}.`, ...heed].join(' ') } : said;
}

/** What this machine feels of its house, and so may pause because of. */
async function examineSenses({ check }: Examination): Promise<void> {
  await check('senses', async () => {
    const { senses, lacks } = await createFeeler().feel({ use: true });
    const felt = [
      senses.onBattery === null ? null : senses.onBattery ? `on battery${percent(senses.batteryPercent)}` : 'plugged in',
      senses.celsius === null
        ? null
        : `${Math.round(senses.celsius)} °C${senses.marginCelsius === null ? '' : `, ${Math.round(senses.marginCelsius)} below its limit`}`,
      senses.idleMs === null ? null : senses.idleMs === 0 ? 'somebody uses it' : `not touched for ${duration(senses.idleMs)}`,
    ].filter((each) => each !== null);
    return [...(felt.length > 0 ? [`${felt.join('; ')}.`] : []), ...lacks].join(' ');
  });
  await check('kept awake', async () => {
    const awake = createAwake();
    awake.hold();
    // whoever is refused ends at once
    await setTimeout(1000);
    const problem = awake.problem();
    awake.stop();
    return problem === null ? 'this machine does not fall asleep by itself while it encodes' : { heed: problem };
  });
}

function percent(charge: number | null): string {
  return charge === null ? '' : ` (${charge} %)`;
}

async function database(options: RunOptions, program: Program, signal: AbortSignal): Promise<string> {
  if (program.state === 'here') return inUse(program.here.standing);
  if (program.state === 'silent') throw new Error('The program runs, but does not answer, so its database was not looked at.');
  // opening it would make one, and with that this machine would start a cluster instead of asking to join one
  if (!options.databaseUrl && !(await hasOwn(options.dataDir)))
    return 'none here; this machine makes its own when it starts a cluster, and needs none when it joins one';
  const { connectDatabase } = await import('../db/connect.ts');
  const log = createLog({ level: 'error', pretty: true });
  // it only looks: a running machine of the version before may be leading in there
  const db = await connectDatabase({ url: options.databaseUrl, dataDir: options.dataDir, log, signal, migrations: null });
  try {
    const [row] = await db.query<{ v: string }>('select version() as v');
    return `${db.embedded ? 'embedded' : 'external'}, ${row?.v.split(' on ')[0] ?? 'PostgreSQL'}`;
  } finally {
    await db.close();
  }
}

function inUse(standing: Extract<Program, { state: 'here' }>['here']['standing']): string {
  const hosts = standing.state === 'member' ? standing.hosts : null;
  if (hosts === 'postgres') return 'the running program is connected to PostgreSQL';
  if (hosts === 'embedded') return 'the running program uses its own database';
  return 'none here; this machine works for a cluster whose database is on another one';
}

function hasOwn(dataDir: string): Promise<boolean> {
  return access(path.join(dataDir, 'database')).then(
    () => true,
    () => false,
  );
}

async function examineRoots({ check }: Examination, dataDir: string): Promise<void> {
  const roots: Awaited<ReturnType<Awaited<ReturnType<typeof loadRoots>>['report']>> = [];
  await check(
    'libraries',
    async () => {
      roots.push(...(await (await loadRoots(dataDir)).report()));
      return roots.length === 0 ? 'none of them is on a disk of this machine' : `${roots.length} on disks of this machine`;
    },
    // the disks have a patience of their own, after which they are told one by one
    20,
  );
  for (const root of roots)
    await check(`library root ${root.path}`, async () => {
      if (root.problem) throw new Error(sentence({ code: root.problem, params: { path: root.path } }));
      return root.writable ? 'mounted, readable and writable' : { heed: 'mounted, but read-only: nothing can be replaced there' };
    });
}
