import { mkdir } from 'node:fs/promises';
import { loadOptions, type RunOptions } from '../config/load.ts';
import { sentence } from '../core/reasons.ts';
import { messageOf } from '../errors.ts';
import { detectEncoders } from '../ffmpeg/detect.ts';
import { locateTools, type Tools } from '../ffmpeg/locate.ts';
import { freeBytes } from '../files/disk.ts';
import { loadRoots } from '../keeper/roots.ts';
import { createLog } from '../log.ts';
import { command, nodeFlags, print } from './arguments.ts';
import { running } from './running.ts';

const help = `codecshift doctor [--data-dir DIR] [--json]

Checks everything this machine needs and says in plain words what is wrong and what helps.
`;

interface Finding {
  check: string;
  ok: boolean;
  /** it works, but a person may want to change it */
  heed: boolean;
  says: string;
}
type Look = () => Promise<string | { heed: string }>;

export function run(args: string[]): Promise<number> {
  return command(args, help, nodeFlags(), async ({ values }) => {
    const options = loadOptions(values);
    const findings = await examine(options);
    print(values['json'] === true, { findings }, () =>
      findings.map((f) => `${!f.ok ? '✗' : f.heed ? '!' : '✓'} ${f.check}: ${f.says}`).join('\n'),
    );
    return findings.every((f) => f.ok) ? 0 : 1;
  });
}

async function examine(options: RunOptions): Promise<Finding[]> {
  const findings: Finding[] = [];
  const check = async (name: string, look: Look): Promise<void> => {
    try {
      const said = await look();
      findings.push({ check: name, ok: true, heed: typeof said !== 'string', says: typeof said === 'string' ? said : said.heed });
    } catch (error) {
      findings.push({ check: name, ok: false, heed: false, says: messageOf(error) });
    }
  };
  let tools: Tools | null = null;
  await check('runtime', async () => `Node.js ${process.version} on ${process.platform} ${process.arch}`);
  await check('ffmpeg', async () => {
    tools = await locateTools({ configured: { ffmpeg: options.ffmpeg ?? undefined, ffprobe: options.ffprobe ?? undefined } });
    return `${tools.ffmpeg.version} (${tools.ffmpeg.from}, ${tools.ffmpeg.path}); ffprobe ${tools.ffprobe.version} (${tools.ffprobe.from})`;
  });
  if (tools) {
    const found: Tools = tools;
    await check('sandbox', async () =>
      found.cage
        ? 'ffmpeg runs without network and sees only its own files'
        : {
            heed: `ffmpeg runs without a cage: ${found.cageProblem ?? 'none on this system'}; files still pass the format and codec lists`,
          },
    );
    await check('encoders', async () => {
      const working = (await detectEncoders({ tools: found })).filter((e) => e.works);
      if (working.length === 0) throw new Error('no HEVC encoder works; "codecshift encoders" shows why');
      return working.map((e) => `${e.name}${e.device ? ` (${e.device})` : ''}`).join(', ');
    });
  }
  await check('data directory', async () => {
    await mkdir(options.dataDir, { recursive: true, mode: 0o700 });
    return `${options.dataDir}, ${(((await freeBytes(options.dataDir)) / 1e9) | 0).toLocaleString('en')} GB free for unfinished encodes`;
  });
  // without its directory the embedded database has nowhere to be, and says so less clearly
  const usable = findings.at(-1)?.ok === true;
  if (usable || options.databaseUrl) await checkDatabase(options, check);
  for (const root of usable ? await (await loadRoots(options.dataDir)).report() : []) {
    await check(`library root ${root.path}`, async () => {
      if (root.problem) throw new Error(sentence({ code: root.problem, params: { path: root.path } }));
      return root.writable ? 'mounted, readable and writable' : { heed: 'mounted, but read-only: nothing can be replaced there' };
    });
  }
  return findings;
}

/** A running program holds the embedded database: then it is asked instead. */
async function checkDatabase(options: RunOptions, check: (name: string, look: Look) => Promise<void>): Promise<void> {
  await check('database', async () => {
    const alive = await running({ 'data-dir': options.dataDir }).then(
      ({ api }) => api('GET', '/status').then(() => true),
      () => false,
    );
    if (alive) return `the running program uses ${options.databaseUrl ? 'PostgreSQL' : 'its own database'}, and it answers`;
    const { connectDatabase } = await import('../db/connect.ts');
    const db = await connectDatabase({
      url: options.databaseUrl,
      dataDir: options.dataDir,
      log: createLog({ level: 'error', pretty: true }),
    });
    try {
      const [row] = await db.query<{ v: string }>('select version() as v');
      return `${db.embedded ? 'embedded' : 'external'}, ${row?.v.split(' on ')[0] ?? 'PostgreSQL'}`;
    } finally {
      await db.close();
    }
  });
}
