import type { RunOptions } from '../config/load.ts';
import type { Events } from '../events.ts';
import type { FoundFfmpeg, LocateOptions, Tools } from '../ffmpeg/locate.ts';
import type { BackupEnd } from '../core/backups.ts';
import type { EncoderReport } from '../core/encoder-choice.ts';
import type { Fault } from '../files/durable.ts';
import type { Workspace } from '../files/workspace.ts';
import type { KeeperRoots } from '../keeper/roots.ts';
import type { LogBook } from '../log-book.ts';
import type { Log } from '../log.ts';
import type { SetupToken } from '../web/auth/setup-token.ts';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import path from 'node:path';

/** What a node has before it belongs to any cluster, and keeps through all of them. */
export interface House {
  options: RunOptions;
  log: Log;
  /** the newest lines of this process */
  book: LogBook;
  /** the program stops */
  signal: AbortSignal;
  id: string;
  /** libp2p's protobuf of the node's key pair */
  key: Uint8Array;
  /** this machine's own secret: lets its command line in */
  secret: string;
  /** shows that somebody has this machine; null where nobody has to show anything */
  setup: SetupToken | null;
  /** a person has to decide on the page who may come in */
  onClosed: () => void;
  /** one per process */
  session: string;
  tools: Tools;
  /** every ffmpeg of this machine, and why `tools` are of this one */
  ffmpeg: Pick<FoundFfmpeg, 'builds' | 'choice'>;
  roots: KeeperRoots;
  workspace: Workspace;
  events: Events;
  encoders: { known(): EncoderReport[]; run(): Promise<void> };
  /** machines that were named: on the command line, and since on the page; whoever holds the list reads it anew */
  peers: string[];
  /** the address of this machine's own dashboard */
  url: () => string;
  /** how the last restore from the page ended, as long as this process lives */
  restored: BackupEnd | null;
  /** for crash tests only */
  fault: Fault | null;
}

/** How the options of a machine wish its ffmpeg to be found. */
export function ffmpegWish(options: Pick<RunOptions, 'ffmpeg' | 'ffprobe' | 'allowVulnerableFfmpeg' | 'dataDir'>): LocateOptions {
  return {
    configured: { ffmpeg: options.ffmpeg ?? undefined, ffprobe: options.ffprobe ?? undefined },
    toolsDir: path.join(options.dataDir, 'tools'),
    allowVulnerable: options.allowVulnerableFfmpeg,
  };
}

export function platformWords(): string {
  return `${platform()} ${arch()} ${release()}`.slice(0, 60);
}

export function hardwareFacts(): Record<string, unknown> {
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryBytes: totalmem() };
}
