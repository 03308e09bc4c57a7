import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from '../../node/testing/cluster.ts';
import type { Machine } from '../../node/testing/cluster-machine.ts';
import { lineProblem } from '../../node/testing/network-lines.ts';
import type { Fault, FaultKind } from './plan.ts';

/** A fault as it came about. */
export interface Happened {
  number: number;
  kind: FaultKind;
  /** a machine, 'db', or who is on the other side of a partition */
  target: string;
  /** milliseconds since 1970 */
  at: number;
  until: number | null;
  /** the term of the one who coordinated, when the fault struck it */
  term: number | null;
}

export interface Faults {
  /** Makes it happen; resolves when it has begun. Its end comes by itself. */
  begin(fault: Fault): Promise<void>;
  /** Everything is whole again, and every program was told to run. */
  mend(): Promise<void>;
  /** programs that shall run now */
  wanted(machine: Machine): boolean;
  happened: Happened[];
  /** planned ones for which everything they could strike was struck already */
  passedOver: Fault[];
}

export interface FaultParts {
  cluster: Cluster;
  /** who coordinates now, as the database says */
  coordinator: () => { name: string; term: number } | null;
  log: (line: string) => void;
}

interface Struck {
  target: string;
  undo: () => Promise<void> | void;
}

export function createFaults({ cluster, coordinator, log }: FaultParts): Faults {
  const { network, database } = cluster;
  /** what is struck already: a second fault of the same thing would end with the first */
  const taken = new Set<string>();
  const open = new Map<Happened, { end: () => Promise<void>; timer: NodeJS.Timeout }>();
  const down = new Set<string>();
  const happened: Happened[] = [];
  const passedOver: Fault[] = [];

  return { begin, mend, wanted: ({ name }) => !down.has(name), happened, passedOver };

  async function begin(fault: Fault): Promise<void> {
    const leader = coordinator();
    const wish = fault.target === 'coordinator' ? (leader?.name ?? fault.others[0]!) : fault.target;
    const found = candidatesFor(fault, wish).find((one) => one.keys.every((key) => !taken.has(key)));
    if (!found || (fault.kind === 'bad-line' && lineProblem() !== null)) return void passedOver.push(fault);
    for (const key of found.keys) taken.add(key);
    const struck = await found.strike();
    const term = leader && (struck.target === leader.name || struck.target.startsWith('db')) ? leader.term : null;
    const one: Happened = { number: fault.number, kind: fault.kind, target: struck.target, at: Date.now(), until: null, term };
    happened.push(one);
    log(
      `#${fault.number} ${fault.kind} ${struck.target}${struck.target === leader?.name ? ' (coordinates)' : ''}, ${fault.lastsMs / 1000} s`,
    );
    const end = async (): Promise<void> => {
      if (!open.delete(one)) return;
      clearTimeout(timer);
      await struck.undo();
      one.until = Date.now();
      for (const key of found.keys) taken.delete(key);
      log(`#${fault.number} ${fault.kind} ${struck.target} is over`);
    };
    const timer = setTimeout(
      () => void end().catch((error: unknown) => log(`#${fault.number} did not end: ${String(error)}`)),
      fault.lastsMs,
    );
    open.set(one, { end, timer });
  }

  async function mend(): Promise<void> {
    for (const { end } of [...open.values()]) await end();
    await network.heal();
    await database?.start();
    for (const machine of cluster.machines) {
      machine.setClock(0);
      if (!machine.running) machine.launch();
    }
    down.clear();
  }

  interface Way {
    /** what it takes hold of */
    keys: string[];
    strike: () => Promise<Struck>;
  }

  /** The wished target first, then every other one that the kind could strike instead. */
  function candidatesFor(fault: Fault, wish: string): Way[] {
    const names = [wish, ...cluster.machines.map(({ name }) => name).filter((name) => name !== wish)];
    const machines = names.map((name) => cluster.machine(name));
    switch (fault.kind) {
      case 'kill':
      case 'power':
      case 'stop':
        return machines.map((machine) => ({ keys: [`program ${machine.name}`], strike: () => end(machine, fault.kind) }));
      case 'freeze':
        return machines.map((machine) => ({ keys: [`program ${machine.name}`], strike: () => freeze(machine) }));
      case 'partition':
        return [{ keys: ['lan'], strike: () => partition(fault.others) }];
      case 'cut-mesh':
        return [{ keys: ['lan'], strike: () => cut(wish, 'lan') }];
      case 'cut-database':
        return names.filter(onDatabase).map((name) => ({ keys: [`cable ${name}`], strike: () => cut(name, 'db') }));
      case 'cut-all':
        return names.map((name) => ({ keys: ['lan', `cable ${name}`], strike: () => cutAll(name) }));
      case 'bad-line':
        return names.map((name) => ({ keys: [`line ${name}`], strike: () => spoil(name, fault.amount) }));
      case 'database-fast':
      case 'database-crash':
      case 'database-outage':
        return database ? [{ keys: ['database'], strike: () => stopDatabase(fault.kind) }] : [];
      case 'database-freeze':
        return database ? [{ keys: ['database'], strike: freezeDatabase }] : [];
      case 'full-workspace':
        return machines.filter(({ workspace }) => workspace).map((m) => ({ keys: [`workspace ${m.name}`], strike: () => fill(m) }));
      case 'full-library':
        return [{ keys: ['share'], strike: fillShare }];
      case 'clock':
        return machines.map((machine) => ({ keys: [`clock ${machine.name}`], strike: () => step(machine, fault.amount) }));
    }
  }

  async function end(machine: Machine, how: FaultKind): Promise<Struck> {
    down.add(machine.name);
    if (how === 'stop') await Promise.race([machine.stop(), pause(8000)]);
    else await machine.kill(how === 'power' ? 'power' : 'program');
    const undo = async (): Promise<void> => {
      if (machine.running) await machine.kill();
      machine.launch();
      down.delete(machine.name);
    };
    return { target: machine.name, undo };
  }

  async function freeze(machine: Machine): Promise<Struck> {
    machine.freeze();
    return { target: machine.name, undo: () => machine.thaw() };
  }

  async function partition(others: string[]): Promise<Struck> {
    await network.partition([], others);
    return { target: others.join('+'), undo: () => network.heal('lan') };
  }

  async function cut(name: string, where: 'lan' | 'db'): Promise<Struck> {
    await network.cut(name, where);
    return { target: name, undo: () => network.heal(where, where === 'db' ? name : undefined) };
  }

  async function cutAll(name: string): Promise<Struck> {
    await network.cut(name, 'lan');
    if (onDatabase(name)) await network.cut(name, 'db');
    const undo = async (): Promise<void> => {
      await network.heal('lan');
      if (onDatabase(name)) await network.heal('db', name);
    };
    return { target: name, undo };
  }

  async function spoil(name: string, amount: number): Promise<Struck> {
    await network.netem(name, { delayMs: 5 + Math.round(amount * 120), jitterMs: 10, lossPercent: Math.round((1 - amount) * 25) });
    return { target: name, undo: () => network.clear(name) };
  }

  async function stopDatabase(kind: FaultKind): Promise<Struck> {
    await database!.stop(kind === 'database-fast' ? 'fast' : kind === 'database-crash' ? 'immediate' : 'power');
    return { target: 'db', undo: () => database!.start() };
  }

  async function freezeDatabase(): Promise<Struck> {
    database!.pause();
    return { target: 'db', undo: () => database!.resume() };
  }

  async function fill(machine: Machine): Promise<Struck> {
    machine.workspace!.fill();
    return { target: machine.name, undo: () => machine.workspace!.free() };
  }

  async function fillShare(): Promise<Struck> {
    cluster.share.fill();
    return { target: 'share', undo: () => cluster.share.free() };
  }

  async function step(machine: Machine, amount: number): Promise<Struck> {
    // most steps are of seconds and minutes, some of days
    const size = Math.round(1000 * 3 ** (Math.abs(amount - 0.5) * 22));
    machine.setClock(amount < 0.5 ? -size : size);
    return { target: `${machine.name} ${amount < 0.5 ? '-' : '+'}${Math.round(size / 1000)} s`, undo: () => machine.setClock(0) };
  }

  function onDatabase(name: string): boolean {
    return cluster.candidates.includes(name);
  }
}
