import { globSync, existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Probe } from '../node/core/media.ts';
import { isPicture } from '../node/core/media.ts';
import type { Profile } from '../node/core/profile.ts';
import { sentence } from '../node/core/reasons.ts';
import { recipes } from '../node/testing/clips.ts';
import { decodesCleanly, differences } from '../node/testing/compare.ts';
import { convert, drop, likeness, type Converted } from '../node/testing/convert.ts';
import { everyFfmpeg } from '../node/testing/ffmpeg-tools.ts';
import { hardClip } from '../node/testing/hard-clips.ts';
import { hardClips } from '../node/testing/hard-recipes.ts';
import { clip, clipNames } from '../node/testing/media.ts';
import { sharedMediaFolder } from '../node/testing/tools.ts';

const help = `node scripts/node.cjs scripts/matrix.ts [options] [words]

Converts every kind of file that the tests know and every file of the shared collection, one after the other: probe, plan,
encode with libx265, measure, judge. Prints a table, and below it what a second opinion (testing/compare.ts) found different
in outputs that were accepted. Ends with 1 when a file did not meet its known fate, or an accepted output lost something.

  words            only files whose name contains one of them
  --bundled        with the bundled ffmpeg instead of the one that CodecShift would choose
  --reasons        the sentence of each reason below the table
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { bundled: { type: 'boolean' }, reasons: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
});

interface Case {
  name: string;
  file: (folder: string) => Promise<string>;
  /** null: whatever comes out */
  fate: string | null;
  wishes: Partial<Profile>;
}

interface Row {
  one: Case;
  found: Converted;
  seconds: number;
  sizes: [number, number | null];
  score: number | null;
  /** what the second opinion found beside the codec, in words */
  lost: string[];
}

/** Right differences: what the house does on purpose, or what no other container can say. */
const right = [
  /^film\.codec:/,
  /^container:/,
  /^film\.(fieldOrder): (tt|bb|tb|bt) -> progressive/,
  // grey becomes 4:2:0 without colour
  /^film\.chroma: gray/,
  // Matroska cannot hold MP4's text subtitles; the words are compared all the same
  /^subtitle\d+\.codec: mov_text -> subrip/,
  // a timecode track becomes a tag, or is made anew
  /^data\.count:/,
  /^(film|data\d+)\.tags?\.?timecode:|^tags\.timecode:/,
  // names of the file and of the program that made it
  /^(tags|film|audio\d+|subtitle\d+|picture\d+)\.(software|encoding_tool|isft|handler_name|mimetype|filename):/,
  // only said where it was only implied
  /^film\.(space|transfer|primaries|sideData): (null|) ?->/,
];

process.exitCode = await main();

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const all = await everyFfmpeg();
  const chosen = values.bundled ? (all.at(-1) ?? all[0]!) : all[0]!;
  process.stdout.write(`ffmpeg: ${chosen.name}\n\n`);
  const folder = await mkdtemp(join(tmpdir(), 'codecshift-matrix-'));
  const cases = [...hardCases(), ...sharedCases(), ...clipCases()].filter(
    ({ name }) => positionals.length === 0 || positionals.some((word) => name.includes(word)),
  );
  const rows: Row[] = [];
  try {
    process.stdout.write('| file | streams before | after | fate | size | SSIM | seconds |\n|---|---|---|---|---|---|---|\n');
    for (const one of cases) {
      const row = await convertOne(one, chosen.tools, folder);
      rows.push(row);
      process.stdout.write(line(row));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return conclude(rows);
}

function clipCases(): Case[] {
  return clipNames.map((name) => ({
    name: recipes[name].file,
    file: () => clip(name),
    // the rule about bits per pixel is off here
    fate: recipes[name].fate === 'already-efficient' ? null : recipes[name].fate,
    wishes: {},
  }));
}

function hardCases(): Case[] {
  return Object.entries(hardClips).map(([name, { fate, profile }]) => ({
    name,
    file: (folder) => hardClip(name, folder),
    fate,
    wishes: profile ?? {},
  }));
}

function sharedCases(): Case[] {
  if (!existsSync(sharedMediaFolder)) return [];
  const files = globSync('*/*.*', { cwd: sharedMediaFolder }).filter((name) => !/LICENSE/.test(name));
  return files.toSorted().map((name) => ({ name, file: async () => join(sharedMediaFolder, name), fate: null, wishes: {} }));
}

async function convertOne(one: Case, tools: Parameters<typeof convert>[0], folder: string): Promise<Row> {
  const began = performance.now();
  await mkdir(join(folder, 'clips'), { recursive: true });
  const path = await one.file(join(folder, 'clips'));
  const found = await convert(tools, path, folder, one.wishes);
  const sizes: Row['sizes'] = [(await stat(path)).size, found.output ? (await stat(found.output)).size : null];
  const row: Row = { one, found, seconds: 0, sizes, score: null, lost: [] };
  if (found.output) {
    row.score = found.plan?.action === 'transcode' ? await likeness(path, found.output) : null;
    if (found.verdict?.accepted) {
      const words = (await differences(path, found.output)).map((d) => `${d.what}: ${d.original} -> ${d.output}`);
      row.lost = words.filter((word) => !right.some((pattern) => pattern.test(word)));
      if (!(await decodesCleanly(found.output))) row.lost.push('it does not decode cleanly');
    }
  }
  await drop(found);
  return { ...row, seconds: (performance.now() - began) / 1000 };
}

function line({ one, found, sizes, score, seconds }: Row): string {
  const missed = one.fate !== null && one.fate !== found.fate ? ` **expected ${one.fate}**` : '';
  const [before, after] = sizes;
  const size = after === null ? kilo(before) : `${kilo(before)} → ${kilo(after)} (${Math.round((after / before) * 100)} %)`;
  const score4 = score === null ? '' : score.toFixed(4);
  const cells = [one.name, inventory(found.probe), inventory(found.outputProbe), found.fate + missed, size, score4, seconds.toFixed(1)];
  return `| ${cells.join(' | ')} |\n`;
}

function kilo(bytes: number): string {
  return `${Math.round(bytes / 1000)} kB`;
}

/** Streams by kind and codec, in file order, then the chapters. */
function inventory(probe: Probe | null): string {
  if (!probe) return '';
  const words = probe.streams.map((s) =>
    isPicture(s) ? `picture(${s.codec})` : s.kind === 'data' ? `data(${s.codecTag ?? s.codec})` : s.codec,
  );
  return `${probe.container}: ${words.join(' ')}${probe.chapters.length > 0 ? ` +${probe.chapters.length} chapters` : ''}`;
}

function conclude(rows: Row[]): number {
  const count = new Map<string, number>();
  for (const { found } of rows) count.set(found.fate, (count.get(found.fate) ?? 0) + 1);
  const sums = [...count].toSorted((a, b) => b[1] - a[1]).map(([fate, n]) => `${n} ${fate}`);
  process.stdout.write(`\n${rows.length} files: ${sums.join(', ')}\n`);
  if (values.reasons)
    for (const { one, found } of rows) if (found.reason) process.stdout.write(`  ${one.name}: ${sentence(found.reason)}\n`);
  const unmet = rows.filter(({ one, found }) => one.fate !== null && one.fate !== found.fate);
  const lossy = rows.filter(({ lost }) => lost.length > 0);
  for (const { one, found } of unmet) {
    process.stdout.write(
      `\nNOT AS EXPECTED ${one.name}: ${found.fate} instead of ${one.fate}: ${found.reason ? sentence(found.reason) : ''}\n`,
    );
    for (const check of found.verdict?.checks.filter(({ passed }) => !passed) ?? [])
      process.stdout.write(`  ${check.name}: ${check.original} | ${check.output}\n`);
  }
  for (const { one, lost } of lossy) process.stdout.write(`\nDIFFERENT ${one.name}:\n  ${lost.join('\n  ')}\n`);
  return unmet.length + lossy.length > 0 ? 1 : 0;
}
