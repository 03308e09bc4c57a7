import type { RunOptions } from '../config/load.ts';
import type { Events } from '../events.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import type { EncoderReport } from '../core/encoder-choice.ts';
import type { Fault } from '../files/durable.ts';
import type { Workspace } from '../files/workspace.ts';
import type { KeeperRoots } from '../keeper/roots.ts';
import type { Log } from '../log.ts';
import type { SetupToken } from '../web/auth/setup-token.ts';
import { arch, cpus, platform, release, totalmem } from 'node:os';

/** What a node has before it belongs to any cluster, and keeps through all of them. */
export interface House {
  options: RunOptions;
  log: Log;
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
  roots: KeeperRoots;
  workspace: Workspace;
  events: Events;
  encoders: { known(): EncoderReport[]; run(): Promise<void> };
  /** machines that were named: on the command line, and since on the page; whoever holds the list reads it anew */
  peers: string[];
  /** the address of this machine's own dashboard */
  url: () => string;
  /** for crash tests only */
  fault: Fault | null;
}

export function platformWords(): string {
  return `${platform()} ${arch()} ${release()}`.slice(0, 60);
}

export function hardwareFacts(): Record<string, unknown> {
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryBytes: totalmem() };
}
