import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { inside, insideAs, ip, namespaceName, networkProblem, removeLeftovers, removeNamespaces } from './network-commands.ts';
import { createLines } from './network-lines.ts';
import type { Line } from './network-lines.ts';

/**
 * A house with several machines, made of network namespaces: one per machine, and one that holds the switches, so that
 * the network of the computer that runs the test is never touched.
 *
 *   a ──┐                       lan: one switch for everybody, without a way out (no default route): an isolated LAN.
 *   b ──┼── switch 0            A partition moves cables to further switches. The link stays up, as when a switch
 *   c ──┘   switch 1 … 3        between two rooms fails: nobody is told, packets just do not arrive.
 *
 *   a ──┐                       db: only between a machine and the hub. The machines do not see each other there, so
 *   c ──┴── hub                 mesh and database can be cut apart one by one.
 */
export interface Network {
  machines: readonly string[];
  address(machine: string, where?: Where): string;
  /** the name of the machine's namespace, for `ip netns exec` by hand */
  namespace(machine: string): string;
  /**
   * Starts a program on a machine. It leads a process group of its own, and ends with the bed or the test.
   * `mounts` are shell commands that shape what only this program sees of the disk.
   */
  spawn(machine: string, argv: readonly string[], options?: SpawnOptions & { mounts?: readonly string[] }): ChildProcess;
  /** the same for a user without rights */
  spawnAs(machine: string, user: { uid: number; gid: number } | null, argv: readonly string[], options?: SpawnOptions): ChildProcess;
  /** machines of different groups do not reach each other any more; who is in no group stays with the first */
  partition(...groups: readonly (readonly string[])[]): Promise<void>;
  /** alone from now on, with its link still up */
  cut(machine: string, where?: Where): Promise<void>;
  /** every cable is back, or every one to that network, or that of one machine; bad lines stay bad */
  heal(where?: Where, machine?: string): Promise<void>;
  /** a bad line, in both directions */
  netem(machine: string, line: Line, where?: Where): Promise<void>;
  clear(machine: string, where?: Where): Promise<void>;
  close(): void;
}

export type Where = 'lan' | 'db';
export type { Line };

export interface NetworkOptions {
  machines: readonly string[];
  /** a second network between one of the machines and some of the others */
  database?: { hub: string; machines: readonly string[] };
}

interface Cleanup {
  after(fn: () => Promise<void> | void): void;
}

/** One end of a cable: the interface `port` in the hall, and the switch it is in; null: in none. */
export interface Cable {
  machine: string;
  where: Where;
  port: string;
  /** what the switch sees: the port itself, or the far end of a bad line */
  outlet: string;
  into: string | null;
}

export { networkProblem };

const switches = 4;
let beds = 0;

/** Builds the bed; it is gone with the test, or with the process. @throws Error when `networkProblem()` says why */
export async function createNetwork(t: Cleanup, options: NetworkOptions): Promise<Network> {
  const problem = networkProblem();
  if (problem !== null) throw new Error(problem);
  removeLeftovers();
  const bed = ++beds;
  const hall = namespaceName(bed, 'switches');
  const names = new Map(options.machines.map((machine) => [machine, namespaceName(bed, machine)]));
  const running = new Set<ChildProcess>();
  const close = (): void => {
    for (const child of running) endGroup(child);
    removeNamespaces([...names.values(), hall]);
    process.off('exit', close);
  };
  process.once('exit', close);
  t.after(close);

  const start = (argv: string[], rest: SpawnOptions = {}): ChildProcess => {
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], ...rest, detached: true });
    running.add(child);
    child.once('exit', () => running.delete(child));
    return child;
  };
  const plan = addresses(options, bed);
  await ip([hall, ...names.values()].map((name) => `netns add ${name}`));
  const cables = await lay(options, plan, hall, namespace);
  let turn: Promise<void> = Promise.resolve();
  const lines = createLines({ hall, namespace, connect, start: (argv, rest) => start(insideAs(hall, null, argv), rest) });

  return {
    machines: options.machines,
    address: plan,
    namespace,
    spawn: (machine, argv, { mounts = [], ...rest } = {}) => start(inside(namespace(machine), argv, mounts), rest),
    spawnAs: (machine, user, argv, rest) => start(insideAs(namespace(machine), user, argv), rest),
    async partition(...groups) {
      if (groups.length > switches) throw new Error(`There are only ${switches} switches`);
      const place = (machine: string): number =>
        Math.max(
          0,
          groups.findIndex((group) => group.includes(machine)),
        );
      await inTurn(async () => {
        for (const cable of cables.filter(({ where }) => where === 'lan')) await connect(cable, `lan${place(cable.machine)}`);
      });
    },
    // without a switch behind it the port swallows everything, and the machine still has a link
    cut: (machine, where = 'lan') => inTurn(() => connect(cableOf(machine, where), null)),
    async heal(where, machine) {
      const meant = cables.filter((cable) => (!where || cable.where === where) && (!machine || cable.machine === machine));
      await inTurn(async () => {
        for (const cable of meant) await connect(cable, `${cable.where}0`);
      });
    },
    netem: (machine, line, where = 'lan') => inTurn(() => lines.spoil(cableOf(machine, where), line)),
    clear: (machine, where = 'lan') => inTurn(() => lines.mend(cableOf(machine, where))),
    close,
  };

  /** One change of the cables after the other: an interface that a bad line stands on goes away with it. */
  function inTurn(change: () => Promise<void>): Promise<void> {
    const done = turn.then(change);
    turn = done.catch(() => undefined);
    return done;
  }

  function namespace(machine: string): string {
    const name = names.get(machine);
    if (name === undefined) throw new Error(`No machine of this network is called ${machine}`);
    return name;
  }

  function cableOf(machine: string, where: Where): Cable {
    const cable = cables.find((one) => one.machine === machine && one.where === where);
    if (!cable) throw new Error(`${machine} has no cable to ${where}`);
    return cable;
  }

  /** Isolated ports of a switch reach only those that are not: the hub. Leaving the switch forgets it. */
  async function connect(cable: Cable, into: string | null): Promise<void> {
    const { outlet, where, machine } = cable;
    cable.into = into;
    const isolated = where === 'db' && machine !== options.database?.hub ? [`link set ${outlet} type bridge_slave isolated on`] : [];
    await ip(into === null ? [`link set ${outlet} nomaster`] : [`link set ${outlet} master ${into}`, ...isolated], hall);
  }
}

type AddressOf = (machine: string, where?: Where) => string;

/** Beds are apart in any case; different numbers make their logs readable. */
function addresses({ machines }: NetworkOptions, bed: number): AddressOf {
  const nets = { lan: `10.${(process.pid % 200) + 10}.${bed % 250}`, db: `10.250.${bed % 250}` };
  return (machine, where = 'lan') => {
    const last = machines.indexOf(machine) + 1;
    if (last === 0) throw new Error(`No machine of this network is called ${machine}`);
    return `${nets[where]}.${last}`;
  };
}

/** Switches and cables. */
async function lay(options: NetworkOptions, address: AddressOf, hall: string, namespace: (machine: string) => string): Promise<Cable[]> {
  const { machines, database } = options;
  const bridges = [...Array.from({ length: switches }, (_, index) => `lan${index}`), 'db0'];
  await ip(['link set lo up', ...bridges.flatMap((name) => [`link add ${name} type bridge`, `link set ${name} up`])], hall);
  const cables: Cable[] = [];
  for (const machine of machines) {
    await ip(['link set lo up'], namespace(machine));
    await cable(machine, 'lan', 24, []);
    if (machine === database?.hub) await cable(machine, 'db', 32, database.machines);
    else if (database?.machines.includes(machine)) await cable(machine, 'db', 32, [database.hub]);
  }
  return cables;

  /** On the way to the database a machine has an address for itself alone, and a route to its one neighbour. */
  async function cable(machine: string, where: Where, bits: number, neighbours: readonly string[]): Promise<void> {
    const port = `${where}-${machines.indexOf(machine)}`;
    await ip([`link add ${port} type veth peer name ${where} netns ${namespace(machine)}`], hall);
    const isolated = where === 'db' && machine !== database!.hub ? [`link set ${port} type bridge_slave isolated on`] : [];
    await ip([`link set ${port} master ${where}0`, ...isolated, `link set ${port} up`], hall);
    const routes = neighbours.map((other) => `route add ${address(other, 'db')}/32 dev db`);
    await ip([`addr add ${address(machine, where)}/${bits} dev ${where}`, `link set ${where} up`, ...routes], namespace(machine));
    cables.push({ machine, where, port, outlet: port, into: `${where}0` });
  }
}

/** The program and what it started, also when it stands still. */
export function endGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // ended meanwhile
  }
}
