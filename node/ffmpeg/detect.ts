import { readdir } from 'node:fs/promises';
import {
  codecOf,
  encoderNames,
  sameChip,
  type EncoderChoice,
  type EncoderName,
  type EncoderRef,
  type EncoderReport,
} from '../core/encoder-choice.ts';
import { deviceFacts, type Refusal } from './encoder-words.ts';
import { encoderRows } from './encoders.ts';
import type { Tools } from './locate.ts';
import { nvidiaDriver } from './machine-look.ts';
import { run } from './process.ts';
import { holdMany } from './sessions.ts';
import { testFolder } from './test-folder.ts';
import { carriesHdr10, testEncode, type Proving } from './test-encode.ts';

/**
 * Proves each encoder on each device of this machine. `-encoders` says only what was compiled in, so pictures are really
 * encoded, with the options of a real job and in the same cage, and compared with what went in:
 *
 *   compiled? ─▶ 8 bit ─▶ 10 bit ─▶ HDR10's values ─▶ B-frames (where chips differ) ─▶ how many at once (hardware)
 *                  └─ no: why, in words
 */
export interface DetectRequest {
  tools: Tools;
  /** a folder of ours that may be made and emptied, where the system's place for temporary files has no room */
  own?: string;
  signal?: AbortSignal | undefined;
  onResult?: (report: EncoderReport) => void;
  /** what encodes films now is not tested: it would take the sessions of films, and it proves itself */
  inUse?: EncoderRef[];
  /** what was found before; stands for what is in use */
  known?: EncoderReport[];
  /** what software encoders proved before this start with the very same program (kept-proofs.ts); not tested again */
  kept?: readonly EncoderReport[] | undefined;
  /** for tests: only these families, fewer encodes at once, a shorter time until a driver counts as hanging */
  names?: readonly EncoderName[];
  mostAtOnce?: number;
  hardwareLimitMs?: number;
}

/**
 * libx265 first. One report per encoder and device; for a family without any working device, one report with the first
 * reason.
 */
export async function detectEncoders(asked: DetectRequest): Promise<EncoderReport[]> {
  // the pictures are our own: a known hole of this ffmpeg matters to no test
  const request = { ...asked, tools: { ...asked.tools, refused: null } };
  const { path: folder, remove } = await testFolder(asked.own ?? null);
  try {
    const compiled = await compiledEncoders(request);
    const nodes = await renderNodes();
    const reports: EncoderReport[] = [];
    for (const name of request.names ?? encoderNames) {
      if (!encoderRows[name].platforms.includes(process.platform)) continue;
      for (const report of await testFamily({ ...request, folder }, name, compiled.has(name), nodes)) {
        reports.push(report);
        request.onResult?.(report);
      }
    }
    return reports;
  } finally {
    await remove();
  }
}

async function compiledEncoders({ tools, signal }: DetectRequest): Promise<Set<string>> {
  const { stdout } = await run({
    command: [tools.ffmpeg.path, '-hide_banner', '-encoders'],
    what: 'list its encoders',
    signal,
    timeoutMs: 20_000,
    maxStdoutBytes: 4 * 1024 * 1024,
  });
  return new Set([...stdout.matchAll(/^ V\S{5} (\S+)/gm)].map((m) => m[1]!));
}

/** Every graphics card has a render node; VAAPI and QSV are asked for by it. */
async function renderNodes(): Promise<string[]> {
  const names = await readdir('/dev/dri').catch(() => []);
  return names
    .filter((n) => /^renderD\d{1,4}$/.test(n))
    .toSorted()
    .map((n) => `/dev/dri/${n}`);
}

type Here = DetectRequest & Proving;

async function testFamily(here: Here, name: EncoderName, compiled: boolean, nodes: string[]): Promise<EncoderReport[]> {
  const failed = (words: string): EncoderReport[] => [failure(here, { name, device: null }, { words, hopeless: true })];
  if (!compiled) return failed('this ffmpeg was built without it');
  const devices = encoderRows[name].devices(nodes);
  if (devices.length === 0) return failed('there is no graphics device here (/dev/dri)');
  const reports: EncoderReport[] = [];
  for (const device of devices) {
    const choice: EncoderChoice = { name, device };
    const found = standing(here, choice) ?? keptProof(here, choice) ?? (await testDevice(here, choice));
    reports.push('report' in found ? found.report : failure(here, choice, found.refusal));
    if ('refusal' in found && found.refusal.hopeless) break;
  }
  const working = reports.filter((r) => r.works);
  return working.length > 0 ? working : reports.slice(0, 1);
}

type Found = { report: EncoderReport } | { refusal: Refusal };

/** What is in use now, as it was known before. */
function standing({ inUse = [], known = [] }: Here, choice: EncoderChoice): Found | null {
  if (!encoderRows[choice.name].hardware || !inUse.some((run) => sameChip(run, choice))) return null;
  const report = known.find((r) => r.name === choice.name && r.device === choice.device);
  return report ? { report } : null;
}

function keptProof({ kept = [] }: Here, choice: EncoderChoice): Found | null {
  const report = kept.find((r) => r.name === choice.name && r.device === choice.device && !encoderRows[choice.name].hardware);
  return report ? { report } : null;
}

async function testDevice(here: Here, choice: EncoderChoice): Promise<Found> {
  const row = encoderRows[choice.name];
  const eight = await testEncode(here, choice, 8);
  if (eight) return { refusal: eight };
  const ten = await testEncode(here, choice, 10);
  const tenBit = ten === null;
  const bFrames = row.bFrames && (await testEncode(here, { ...choice, bFrames: true }, tenBit ? 10 : 8)) === null;
  const held = row.hardware ? await holdMany(here, choice, here.mostAtOnce) : null;
  const facts = held ? deviceFacts(held.said, choice.device) : null;
  const driver = facts ? (facts.driver ?? (choice.name.endsWith('_nvenc') ? await nvidiaDriver() : null)) : null;
  const report: EncoderReport = {
    ...choice,
    works: true,
    tenBit,
    hardware: row.hardware,
    reason: ten && `10 bit: ${ten.words}`,
    testedAt: new Date().toISOString(),
    codec: row.codec,
    hdr10: tenBit && (await carriesHdr10(here, choice)),
    ...(bFrames === undefined ? {} : { bFrames }),
    ...(held ? { atOnce: held.atOnce, deviceName: facts!.deviceName, driver } : {}),
    build: buildOf(here, driver),
  };
  return { report };
}

function failure(here: Here, { name, device }: EncoderChoice, { words }: Refusal): EncoderReport {
  return {
    name,
    device,
    works: false,
    tenBit: false,
    hardware: encoderRows[name].hardware,
    reason: words,
    testedAt: new Date().toISOString(),
    codec: codecOf(name),
    build: buildOf(here, null),
  };
}

function buildOf({ tools }: Here, driver: string | null): string {
  return [`ffmpeg ${tools.ffmpeg.version}`, driver].filter(Boolean).join(', ').slice(0, 200);
}
