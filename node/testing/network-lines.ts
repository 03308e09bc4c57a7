import { spawnSync } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Cable } from './network.ts';
import { hasNetem, ip, tc } from './network-commands.ts';

/** Bad lines: by the kernel's netem, and where it was built without, by a program in between (network-line.ts). */
export interface Line {
  /** one way */
  delayMs?: number;
  jitterMs?: number;
  lossPercent?: number;
  mbit?: number;
}

export interface Lines {
  spoil(cable: Cable, line: Line): Promise<void>;
  mend(cable: Cable): Promise<void>;
}

export interface LinesParts {
  /** the namespace of the switches */
  hall: string;
  namespace: (machine: string) => string;
  connect: (cable: Cable, into: string | null) => Promise<void>;
  /** starts a program beside the switches */
  start: (argv: string[], options: SpawnOptions) => ChildProcess;
}

/** Why lines cannot be made bad here, as a sentence; null when they can. */
export function lineProblem(): string | null {
  if (hasNetem()) return null;
  if (!existsSync('/dev/net/tun')) return 'this kernel has no netem, and no TUN device with which a program could stand in for it';
  return spawnSync('perl', ['-e', '1']).status === 0 ? null : 'this kernel has no netem, and no perl is here to open TAP interfaces';
}

export function createLines(parts: LinesParts): Lines {
  return hasNetem() ? byKernel(parts) : byProgram(parts);
}

function byKernel({ hall, namespace }: LinesParts): Lines {
  const ends = (cable: Cable): [string, string][] => [
    [namespace(cable.machine), cable.where],
    [hall, cable.port],
  ];
  return {
    async spoil(cable, line) {
      for (const [where, device] of ends(cable)) await tc(where, ['qdisc', 'replace', 'dev', device, 'root', 'netem', ...words(line)]);
    },
    async mend(cable) {
      for (const [where, device] of ends(cable)) await tc(where, ['qdisc', 'del', 'dev', device, 'root']).catch(() => undefined);
    },
  };
}

function words(line: Line): string[] {
  const delay = line.delayMs ? ['delay', `${line.delayMs}ms`, ...(line.jitterMs ? [`${line.jitterMs}ms`] : [])] : [];
  const loss = line.lossPercent ? ['loss', `${line.lossPercent}%`] : [];
  return ['limit', '10000', ...delay, ...loss, ...(line.mbit ? ['rate', `${line.mbit}mbit`] : [])];
}

/**
 * Node.js cannot attach a file descriptor to a TAP interface, which takes an ioctl. Perl, part of every Debian, opens
 * both and becomes the program. TUNSETIFF with IFF_TAP | IFF_NO_PI, linux/if_tun.h.
 */
const opener = `
  $^F = 9;
  for my $name (splice @ARGV, 0, 2) {
    sysopen(my $tap, '/dev/net/tun', 2) or die "tun: $!";
    ioctl($tap, 0x400454ca, my $wish = pack('a16 s x22', $name, 0x1002)) or die "TUNSETIFF: $!";
    push @kept, $tap;
    die 'descriptors 3 and 4 are taken' unless fileno($tap) == 2 + @kept;
  }
  exec @ARGV or die "exec: $!";
`;

function byProgram({ hall, connect, start }: LinesParts): Lines {
  const programs = new Map<Cable, ChildProcess>();
  return {
    async spoil(cable, line) {
      const program = programs.get(cable) ?? (await insert(cable));
      const { delayMs = 0, jitterMs = 0, lossPercent = 0, mbit = 0 } = line;
      program.stdin!.write(`${JSON.stringify({ delayMs, jitterMs, lossPercent, rate: mbit * 1e6 })}\n`);
    },
    async mend(cable) {
      const program = programs.get(cable);
      if (!program) return;
      programs.delete(cable);
      const gone = new Promise((resolve) => program.once('exit', resolve));
      program.kill('SIGKILL'); // its interfaces go with it
      await gone;
      cable.outlet = cable.port;
      await connect(cable, cable.into);
      await ip([`link del in-${cable.port}`], hall);
    },
  };

  async function insert(cable: Cable): Promise<ChildProcess> {
    const [bridge, near, far] = [`in-${cable.port}`, `n-${cable.port}`, `f-${cable.port}`];
    const argv = ['perl', '-e', opener, near, far, process.execPath, join(import.meta.dirname, 'network-line.ts')];
    const program = start(argv, { stdio: ['pipe', 'pipe', 'inherit'] });
    program.stdin!.on('error', () => undefined);
    await new Promise((resolve, reject) => {
      program.stdout!.once('data', resolve);
      program.once('exit', (code) => reject(new Error(`The program that makes a line bad ended with ${code}`)));
    });
    programs.set(cable, program);
    await ip([`link add ${bridge} type bridge`, ...[bridge, near, far].map((name) => `link set ${name} up`)], hall);
    await ip([`link set ${near} master ${bridge}`, `link set ${cable.port} master ${bridge}`], hall);
    cable.outlet = far;
    await connect(cable, cable.into);
    return program;
  }
}
