import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { repository } from './tools.ts';

/**
 * A real systemd as process 1 of a computer of its own: namespaces over a copy-on-write view of this machine's disk, so
 * that what is installed there is gone afterwards. The repository lies in /opt/codecshift, Node.js in /opt/node.
 */
export interface Computer {
  /** runs a program there as root */
  run(...command: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  /** the program of this repository, as root; an environment stands before it */
  codecshift(env: Record<string, string>, ...words: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  /** power off, without a word to anybody, and on again */
  powerCut(): Promise<void>;
}

interface Cleanup {
  after(fn: () => Promise<void> | void): void;
}

/** Why there can be none here; null when there can. */
export function systemdProblem(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'this needs root on Linux';
  try {
    readFileSync(systemd);
    execFileSync('unshare', [...namespaces, 'true'], { stdio: 'ignore' });
    execFileSync('nsenter', ['--version'], { stdio: 'ignore' });
    return null;
  } catch {
    return 'this needs systemd, and the right to make namespaces';
  }
}

const systemd = '/lib/systemd/systemd';
const namespaces = ['--mount', '--pid', '--uts', '--ipc', '--cgroup', '--net', '--fork', '--propagation', 'private'];
const enter = ['--mount', '--pid', '--uts', '--ipc', '--cgroup', '--net', '--root', '--wd'];

/** @param folders of this machine, each under the path where it shall be there */
export async function startComputer(t: Cleanup, folders: Record<string, string>): Promise<Computer> {
  const disk = mkdtempSync(join(tmpdir(), 'codecshift-computer-'));
  // an overlay's upper layer cannot lie on another overlay, which the disk of a container is
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', disk]);
  for (const name of ['up', 'work', 'root']) mkdirSync(join(disk, name));
  const binds = { '/opt/codecshift': repository, '/opt/node': dirname(process.execPath), ...folders };
  let [launcher, init] = await boot(disk, binds);
  t.after(async () => {
    await off(launcher, init);
    execFileSync('umount', ['--lazy', disk]);
    rmSync(disk, { recursive: true });
  });
  const run: Computer['run'] = (...command) => inside(init, command);
  return {
    run,
    codecshift: (env, ...words) =>
      run(
        'env',
        ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
        '/opt/node/node',
        '/opt/codecshift/node/main.ts',
        ...words,
      ),
    async powerCut() {
      await off(launcher, init);
      [launcher, init] = await boot(disk, binds);
    },
  };
}

async function boot(disk: string, binds: Record<string, string>): Promise<[ChildProcess, number]> {
  const launcher = spawn('unshare', [...namespaces, 'bash', '-ec', script, 'boot', disk, ...Object.entries(binds).flat()], {
    stdio: 'ignore',
  });
  const deadline = performance.now() + 240_000;
  for (;;) {
    const init = Number(childrenOf(launcher.pid!)[0]);
    if (init && readFileSync(`/proc/${init}/cmdline`, 'utf8').startsWith(systemd)) {
      const { stdout } = await inside(init, ['systemctl', 'is-system-running']);
      if (/^(running|degraded)/.test(stdout)) return [launcher, init];
    }
    if (performance.now() > deadline || launcher.exitCode !== null) throw new Error('systemd did not come up');
    await pause(100);
  }
}

function childrenOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  } catch {
    return [];
  }
}

/** With process 1 everything in there ends. */
async function off(launcher: ChildProcess, init: number): Promise<void> {
  const ended = launcher.exitCode === null ? new Promise((resolve) => launcher.once('exit', resolve)) : null;
  try {
    process.kill(init, 'SIGKILL');
  } catch {
    // gone by itself
  }
  await ended;
}

function inside(init: number, command: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', HOME: '/root' };
    execFile('nsenter', ['--target', String(init), ...enter, '--', ...command], { env, timeout: 240_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}

/** Makes the computer in its namespaces, and becomes its process 1. No device of this machine is seen there. */
const script = `
disk=$1; shift; root=$disk/root
mount -t overlay overlay -o lowerdir=/,upperdir=$disk/up,workdir=$disk/work $root
while [ $# -gt 0 ]; do mkdir -p "$root$1"; mount --bind "$2" "$root$1"; shift 2; done
mount -t proc proc $root/proc
mount -t sysfs sys $root/sys -o ro
if grep -q cgroup2 /proc/self/mounts && ! grep -q ' cgroup ' /proc/self/mounts; then mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
else
  mount -t tmpfs tmpfs $root/sys/fs/cgroup
  mkdir $root/sys/fs/cgroup/unified $root/sys/fs/cgroup/systemd
  mount -t cgroup2 cgroup2 $root/sys/fs/cgroup/unified
  mount -t cgroup -o none,name=systemd,xattr cgroup $root/sys/fs/cgroup/systemd
fi
mount -t tmpfs tmpfs $root/dev
for each in null zero full random urandom tty; do touch $root/dev/$each; mount --bind /dev/$each $root/dev/$each; done
mkdir $root/dev/pts $root/dev/shm
mount -t devpts devpts $root/dev/pts -o newinstance,ptmxmode=0666
mount -t tmpfs tmpfs $root/dev/shm
ln -s pts/ptmx $root/dev/ptmx
ln -s /proc/self/fd $root/dev/fd
mount -t tmpfs tmpfs $root/run
mount -t tmpfs tmpfs $root/tmp
ip link set lo up
cd $root
mkdir -p old
pivot_root . old
umount --lazy /old
mount --make-rshared /
if [ ! -e /etc/this-is-a-test ]; then
  touch /etc/this-is-a-test
  # nothing of what this machine starts by itself
  rm -rf /etc/systemd/system/*.wants /etc/systemd/system/*.requires
  for unit in systemd-udevd systemd-networkd systemd-resolved systemd-timesyncd systemd-modules-load systemd-firstboot getty@tty1 console-getty; do
    ln -sf /dev/null /etc/systemd/system/$unit.service
  done
  ln -sf /lib/systemd/system/multi-user.target /etc/systemd/system/default.target
fi
export container=other
exec ${systemd} --system
`;
