import fs from 'node:fs';
import { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { syncDirectory } from './sync.ts';

/**
 * PGlite as it comes never calls fsync: emscripten's node file system has no such operation, and a power cut loses every
 * acknowledged row (upstream: electric-sql/pglite#1107, open). This file system has it, and counts the calls so that
 * a start can prove that a commit really reaches the disk.
 */
export class DurableNodeFS extends NodeFS {
  syncs = 0;

  override async init(...args: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    const { emscriptenOpts } = await super.init(...args);
    emscriptenOpts.preRun?.push((mod: unknown) => {
      const { NODEFS } = mod as { NODEFS: EmscriptenNodeFs };
      NODEFS.stream_ops = { ...NODEFS.stream_ops, fsync: (stream) => this.sync(NODEFS, stream) };
    });
    return { emscriptenOpts };
  }

  private sync(nodefs: EmscriptenNodeFs, stream: EmscriptenStream): number {
    this.syncs++;
    if (typeof stream.nfd === 'number') fs.fsyncSync(stream.nfd);
    else syncDirectory(nodefs.realPath(stream.node)); // PostgreSQL syncs the directory after it renamed a file in it
    return 0;
  }
}

interface EmscriptenStream {
  nfd?: number | null;
  node: unknown;
}

interface EmscriptenNodeFs {
  stream_ops: Record<string, unknown> & { fsync?: (stream: EmscriptenStream) => number };
  realPath(node: unknown): string;
}

/** `-F` would switch fsync off; fdatasync is an empty stub in emscripten, so the log is synced by fsync. */
export const durableParams: string[] = [
  ...PGlite.defaultStartParams.filter((param) => param !== '-F'),
  '-c',
  'wal_sync_method=fsync',
  '-c',
  'shared_buffers=16MB',
  '-c',
  'work_mem=8MB',
  '-c',
  'maintenance_work_mem=32MB',
];
