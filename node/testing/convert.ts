import { execFile } from 'node:child_process';
import { rm, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Probe } from '../core/media.ts';
import { makePlan, plannedCodec, type Plan } from '../core/plan.ts';
import { defaultProfile, type Profile } from '../core/profile.ts';
import type { Reason } from '../core/reasons.ts';
import { judge, type Verdict } from '../core/verdict.ts';
import { PlainError } from '../errors.ts';
import { gatherEvidence } from '../ffmpeg/evidence.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { probeFile } from '../ffmpeg/probe.ts';
import { transcode } from '../ffmpeg/transcode.ts';
import { requireTool } from './tools.ts';

/** The whole way of one file without a cluster around it: probe, plan, encode, evidence, verdict. */
export interface Converted {
  /** 'replaced' when the output may take over, else the code of the reason for which the original stays */
  fate: string;
  reason: Reason | null;
  probe: Probe | null;
  plan: Plan | null;
  verdict: Verdict | null;
  outputProbe: Probe | null;
  /** absolute path; there as long as the folder is */
  output: string | null;
}

let count = 0;

/** Quick, willing, and without the rules about what is worth it. */
export const eager: Profile = { ...defaultProfile, speed: 'fast', quality: 28, minBitsPerPixel: 0, minSavingPercent: 0 };

/** @throws only what is no reason in words: that would be a bug */
export async function convert(tools: Tools, path: string, folder: string, wishes: Partial<Profile> = {}): Promise<Converted> {
  const profile = { ...eager, ...wishes };
  const found: Converted = { fate: '', reason: null, probe: null, plan: null, verdict: null, outputProbe: null, output: null };
  try {
    const { size } = await stat(path);
    found.probe = await probeFile({ tools, path });
    const fingerprint = { sizeBytes: size, mtimeMs: 0, inode: '1', links: 1, hash: '' };
    const plan = makePlan(found.probe, { path, fingerprint, madeByUs: false, readOnly: false }, profile);
    found.plan = plan;
    if (plan.action === 'skip') return ended(found, plan.reason);
    const output = join(folder, `output-${process.pid}-${++count}${plan.extension || extname(path)}`);
    const encoder =
      plan.action === 'transcode' ? ({ name: plannedCodec(plan) === 'av1' ? 'libsvtav1' : 'libx265', device: null } as const) : null;
    await transcode({ tools, plan, profile, probe: found.probe, encoder, input: path, output, stallMs: 60_000 });
    found.output = output;
    const evidence = await gatherEvidence({ tools, original: path, output, plan, profile, originalProbe: found.probe });
    found.outputProbe = evidence.output;
    found.verdict = judge(evidence);
    return ended(found, found.verdict.accepted ? null : found.verdict.reason);
  } catch (error) {
    if (!(error instanceof PlainError) || !error.reason) throw error;
    return ended(found, error.reason);
  }
}

function ended(found: Converted, reason: Reason | null): Converted {
  return { ...found, reason, fate: reason?.code ?? 'replaced' };
}

export async function drop({ output }: Converted): Promise<void> {
  if (output) await rm(output, { force: true });
}

/** How alike the pictures are, 0…1, or null when ffmpeg cannot say; fields and sizes are brought together first. */
export async function likeness(original: string, output: string): Promise<number | null> {
  const filter = '[0:v:0]settb=AVTB,setpts=N,format=yuv420p[a];[1:v:0]settb=AVTB,setpts=N,format=yuv420p[b];[a][b]ssim';
  const args = ['-hide_banner', '-nostdin', '-noautorotate', '-i', `file:${output}`, '-noautorotate', '-i', `file:${original}`];
  try {
    const { stderr } = await promisify(execFile)(requireTool('ffmpeg'), [...args, '-lavfi', filter, '-f', 'null', '-'], {
      maxBuffer: 1 << 26,
    });
    return Number(/SSIM.*All:([\d.]+)/.exec(stderr)?.[1] ?? Number.NaN) || null;
  } catch {
    return null;
  }
}
