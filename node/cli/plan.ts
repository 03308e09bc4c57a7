import { existsSync } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import path from 'node:path';
import { loadOptions } from '../config/load.ts';
import { makePlan, type Plan } from '../core/plan.ts';
import type { Probe } from '../core/media.ts';
import { defaultProfile } from '../core/profile.ts';
import { sentence } from '../core/reasons.ts';
import { targetPath } from '../core/target.ts';
import { codeOf, PlainError } from '../errors.ts';
import { fingerprint } from '../files/fingerprint.ts';
import { ffmpegWish } from '../assembly/house.ts';
import { locateTools } from '../ffmpeg/locate.ts';
import { probeFile } from '../ffmpeg/probe.ts';
import { command, nodeFlags, noMoreWords, print } from './arguments.ts';
import { planLibrary } from './plan-library.ts';
import { running } from './running.ts';

const help = `codecshift plan FILE [--ffmpeg FILE] [--ffprobe FILE] [--allow-vulnerable-ffmpeg] [--json]
codecshift plan --library NAME [--data-dir DIR] [--json]

Says what CodecShift would do with one file under the default profile, and why; or what it would do with every file of a
library under its rules, what would come back and how long it would take. --json prints a line for each file.
Nothing is changed.
`;

interface Answer {
  file: string;
  plan: Plan;
  sentence: string;
  probe: Probe | null;
}

export function run(args: string[]): Promise<number> {
  const flags = { ...nodeFlags(['ffmpeg', 'ffprobe', 'data-dir', 'allow-vulnerable-ffmpeg']), library: { type: 'string' } } as const;
  return command(args, help, flags, async ({ values, positionals }) => {
    noMoreWords(positionals, typeof values['library'] === 'string' ? 0 : 1);
    if (typeof values['library'] === 'string') {
      const { library, ...rest } = values;
      return planLibrary((await running(rest)).api, library as string, values['json'] === true);
    }
    const file = positionals[0];
    if (!file) throw new PlainError(`Name a file: codecshift plan FILE, or a library: codecshift plan --library NAME`);
    const answer = await planFile(path.resolve(file), values);
    print(values['json'] === true, answer, () => words(answer));
  });
}

async function planFile(file: string, values: Record<string, unknown>): Promise<Answer> {
  const found = await stat(file).catch((error: unknown) => {
    throw new PlainError(codeOf(error) === 'EACCES' ? `This user may not look at ${file}.` : `${file} is not there.`, { cause: error });
  });
  if (!found.isFile()) throw new PlainError(`${file} is not a file.`);
  const options = loadOptions(values);
  const tools = await locateTools(ffmpegWish(options));
  try {
    const print_ = await fingerprint(file);
    const probe = await probeFile({ tools, path: file });
    const readOnly = await access(path.dirname(file), constants.W_OK).then(
      () => false,
      () => true,
    );
    const target = targetPath(path.basename(file), '.mkv');
    const taken = target !== path.basename(file) && existsSync(path.join(path.dirname(file), target));
    const facts = { path: path.basename(file), fingerprint: print_, madeByUs: false, readOnly, inTheWay: taken ? target : null };
    const plan = makePlan(probe, facts, defaultProfile);
    return { file, plan, sentence: sentence(plan.reason), probe };
  } catch (error) {
    if (!(error instanceof PlainError) || !error.reason) throw error;
    return { file, plan: { action: 'skip', reason: error.reason }, sentence: sentence(error.reason), probe: null };
  }
}

function words({ plan, sentence: why, file }: Answer): string {
  const head = `${path.basename(file)}: ${plan.action === 'skip' ? 'left alone' : plan.action}\n  ${why}`;
  if (plan.action === 'skip') return head;
  const streams = plan.streams.map(
    (s) =>
      `  stream ${s.index} ${s.kind}: ${s.action === 'encode' ? `encode to ${s.codec}` : s.action === 'convert' ? `convert to ${s.codec}` : `keep (${s.codec})`}${s.note ? ` — ${sentence(s.note)}` : ''}`,
  );
  const dropped = plan.dropped.map((d) => `  stream ${d.index}: not carried over — ${sentence(d.reason)}`);
  return [
    head,
    `  container: ${plan.container} (${plan.extension})`,
    ...streams,
    ...dropped,
    `  expected size: about ${(plan.expectedBytes / 1e6).toFixed(1)} MB`,
  ].join('\n');
}
