import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from '../../node/testing/cluster.ts';
import type { Faults } from './faults.ts';
import type { Library } from './library.ts';
import type { Watch } from './watch.ts';

/**
 * What goes on beside the faults: new films come in, a service manager starts programs that ended by themselves, and a
 * person presses "try again" where a file had too much bad luck.
 */
export interface Keepers {
  stopAdding(): Promise<void>;
  stop(): Promise<void>;
  ends: SelfEnd[];
  /** how often "try again" was pressed */
  byHand(): number;
}

/** A program that ended although nobody told it to. */
export interface SelfEnd {
  machine: string;
  /** the last lines it printed */
  said: string;
  /** not a plain refusal to start, but a crash */
  crash: boolean;
}

export interface KeeperParts {
  cluster: Cluster;
  library: Library;
  faults: Faults;
  watch: Watch;
  /** most films */
  films: number;
  say: (line: string) => void;
}

export function createKeepers(parts: KeeperParts): Keepers {
  const { cluster, library, faults, watch, say } = parts;
  const ends: SelfEnd[] = [];
  let adding = true;
  let over = false;
  let pressed = 0;
  const adder = repeat(2500, () => adding, addFilm);
  const rest = [repeat(500, () => !over, restart), repeat(5000, () => !over, watch.hurry), repeat(3000, () => !over, pressAgain)];

  return {
    ends,
    byHand: () => pressed,
    async stopAdding() {
      adding = false;
      await adder;
    },
    async stop() {
      adding = false;
      over = true;
      await Promise.all([adder, ...rest]);
    },
  };

  async function addFilm(): Promise<void> {
    if (library.films.length >= parts.films) return;
    await library.add();
    for (const machine of cluster.machines)
      if (
        await machine.api('/scan', {}).then(
          () => true,
          () => false,
        )
      )
        return;
  }

  async function restart(): Promise<void> {
    for (const machine of cluster.machines) {
      if (machine.running || !faults.wanted(machine)) continue;
      const said = machine.output().split('\n').slice(-12).join('\n');
      const crash = !/--- ended with [01]\n/.test(said) || /\n\s+at |unexpected/i.test(said);
      ends.push({ machine: machine.name, said, crash });
      say(`${machine.name} ended by itself${crash ? ' (a crash)' : ''}: ${said.split('\n').slice(-4).join(' / ').slice(0, 300)}`);
      machine.launch();
    }
  }

  async function pressAgain(): Promise<void> {
    const open = await watch.ask<{ id: number }>(
      `select id from jobs j where state in ('failed', 'held') and not exists (select 1 from jobs k where k.file_id = j.file_id and k.id > j.id) limit 5`,
    );
    for (const { id } of open ?? []) {
      const machine = cluster.machines.find((one) => one.running && !one.frozen);
      const done = await machine?.api(`/jobs/${id}/retry`, {}).then(
        () => true,
        () => false,
      );
      if (done) pressed++;
    }
  }

  async function repeat(everyMs: number, going: () => boolean, work: () => Promise<void>): Promise<void> {
    while (going()) {
      // a full disk, or nobody who answers: the next turn comes
      await work().catch((error: unknown) => say(`beside the faults: ${String(error).slice(0, 200)}`));
      for (let waited = 0; waited < everyMs && going(); waited += 250) await pause(250);
    }
  }
}
