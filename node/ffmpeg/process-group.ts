import { spawn } from 'node:child_process';

/**
 * The process group of one run, as long as it lives. Once it has ended its number may belong to somebody else, so from
 * then on nothing is sent to it.
 *
 * A run must not outlive us. A clean exit kills every group by an 'exit' listener. When we are killed with SIGKILL
 * nobody runs that listener, and ffmpeg itself does not notice: it ignores SIGPIPE and goes on for hours with nobody
 * reading its progress. So each long run has a guard, a shell of five words of our own (no argument of ffmpeg's reaches
 * it) that waits for the end of a pipe which we hold: however we die, the kernel closes the pipe and the guard kills
 * the group. On Windows libuv puts children that are not detached into a job object that ends with us.
 */
export class ProcessGroup {
  #pid: number | null;
  #dismissGuard: (() => void) | null;
  #timer: NodeJS.Timeout | null = null;

  /** @param pid of the group's leader; null: nothing was started */
  constructor(pid: number | null, options: { guarded: boolean }) {
    this.#pid = pid;
    this.#dismissGuard = pid !== null && options.guarded ? startGuard(pid) : null;
    if (pid !== null) groups.add(this);
  }

  /** false where the platform cannot, or nobody is there to hear it */
  signal(name: NodeJS.Signals): boolean {
    if (this.#pid === null || (!posix && name !== 'SIGTERM' && name !== 'SIGKILL')) return false;
    try {
      return process.kill(posix ? -this.#pid : this.#pid, name);
    } catch {
      return false;
    }
  }

  /** A stopped process hears SIGTERM only after SIGCONT. */
  end(): void {
    this.signal('SIGTERM');
    this.signal('SIGCONT');
    this.#timer ??= setTimeout(() => this.kill(), KILL_AFTER_MS);
  }

  kill(): void {
    this.signal('SIGKILL');
  }

  ended(): void {
    this.#pid = null;
    this.#dismissGuard?.();
    if (this.#timer) clearTimeout(this.#timer);
    groups.delete(this);
  }
}

const posix = process.platform !== 'win32';
const KILL_AFTER_MS = 10_000;

const groups = new Set<ProcessGroup>();
process.on('exit', () => {
  for (const group of groups) group.kill();
});

/** Kills the group when this process is gone. Returns what dismisses it. */
function startGuard(pid: number): (() => void) | null {
  if (!posix) return null;
  const guard = spawn('/bin/sh', ['-c', 'read -r _; kill -s KILL -- "-$1"', 'codecshift-guard', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
    env: {},
  });
  guard.on('error', () => {}); // no shell here: the run is only less well guarded
  guard.stdin.on('error', () => {});
  guard.unref();
  return () => void guard.kill('SIGKILL');
}
