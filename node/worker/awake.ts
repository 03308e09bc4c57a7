import { spawn, type ChildProcess } from 'node:child_process';

/**
 * Keeps the machine from falling asleep by itself while it encodes. On every platform a small program of the system
 * holds the wish as long as it lives, and it lives only as long as we do: it waits for the end of a pipe that we hold,
 * or for our process, so that the machine may sleep again however we end.
 *
 *   released ──hold──▶ starting ──▶ held ──release──▶ still held, `lingerMs` ──▶ released
 *                          └─ ended by itself ─▶ the next, lesser wish ─▶ none left: `problem`, tried anew with the next hold
 */
export interface Awake {
  hold(): void;
  /** lets go a while later, so that a short pause between two films is none */
  release(): void;
  stop(): void;
  /** a sentence once it turned out that it cannot be done here; null as long as nothing is wrong */
  problem(): string | null;
  /** the process that holds the wish now; for tests */
  pid(): number | null;
}

export interface AwakeWish {
  file: string;
  args: string[];
}

/** A transfer of the finished film follows an encode. */
const LINGER_MS = 120_000;

/** @param wishes the best first: the next one is tried when one ends by itself */
export function createAwake(wishes: AwakeWish[] = wishesFor(process.platform, process.pid), lingerMs = LINGER_MS): Awake {
  let child: ChildProcess | null = null;
  let problem: string | null = wishes.length === 0 ? 'On this system the machine cannot be kept awake while it encodes.' : null;
  let wanted = false;
  let next = 0;
  let timer: NodeJS.Timeout | undefined;

  return {
    hold() {
      clearTimeout(timer);
      if (wanted) return;
      wanted = true;
      if (!child) begin(0);
    },
    release() {
      if (!wanted) return;
      wanted = false;
      timer = setTimeout(end, lingerMs);
      timer.unref();
    },
    stop() {
      clearTimeout(timer);
      wanted = false;
      end();
    },
    problem: () => problem,
    pid: () => child?.pid ?? null,
  };

  function begin(at: number): void {
    const wish = wishes[at];
    if (!wish) return;
    next = at + 1;
    const started = spawn(wish.file, wish.args, { stdio: ['pipe', 'ignore', 'ignore'], windowsHide: true });
    child = started;
    let over = false;
    // a program that is missing says 'error', one that was refused ends
    const gone = (): void => {
      if (over) return;
      over = true;
      if (child !== started) return;
      child = null;
      if (!wanted) return;
      if (next < wishes.length) begin(next);
      else problem = `This machine may fall asleep while it encodes: ${wish.file} could not prevent it.`;
    };
    started.on('error', gone);
    started.on('exit', gone);
    started.stdin.on('error', () => {}); // it ended before us
    started.unref();
    (started.stdin as unknown as { unref?: () => void }).unref?.();
  }

  function end(): void {
    const ending = child;
    child = null;
    ending?.stdin?.end();
    ending?.kill();
  }
}

/**
 * systemd-inhibit(1): `sleep` also holds off a desktop that would suspend by its own clock, but is refused to services,
 * which may only hold off `idle`. A lid that is closed, and root, still put the machine to sleep. caffeinate(8).
 * SetThreadExecutionState holds as long as its thread lives.
 */
export function wishesFor(platform: NodeJS.Platform, pid: number): AwakeWish[] {
  if (platform === 'linux') return ['idle:sleep', 'idle'].map(inhibit);
  if (platform === 'darwin') return [{ file: '/usr/bin/caffeinate', args: ['-i', '-w', String(pid)] }];
  if (platform === 'win32') return [{ file: 'powershell.exe', args: ['-NoProfile', '-NonInteractive', '-Command', execution] }];
  return [];
}

function inhibit(what: string): AwakeWish {
  return { file: 'systemd-inhibit', args: [`--what=${what}`, '--who=CodecShift', '--why=Encoding films', '--mode=block', 'cat'] };
}

const execution = [
  `Add-Type -Namespace CodecShift -Name Power -MemberDefinition '[DllImport("kernel32.dll")] public static extern uint SetThreadExecutionState(uint flags);'`,
  `if ([CodecShift.Power]::SetThreadExecutionState([uint32]2147483649) -eq 0) { exit 1 }`,
  `[void][Console]::In.ReadLine()`,
].join('; ');
