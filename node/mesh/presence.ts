import { cpus } from 'node:os';
import type { Mesh } from './mesh.ts';
import type { ConductReport } from './messages.ts';

/** of processor time, all processors together */
const LEAST_MS = 500;

export interface Presence {
  start(): void;
  stop(): void;
  /** something about it changed that a person looks at: now instead of at its time */
  tell(): void;
}

/** Tells the mesh every ten seconds that this node is here, how busy it is and what it does out of consideration. A hint: only leases decide who is lost. */
export function createPresence(parts: {
  mesh: Mesh;
  name: string;
  slots: () => number;
  busy: () => number;
  freeBytes: () => Promise<number>;
  conduct?: () => ConductReport;
  everyMs?: number;
}): Presence {
  const { mesh } = parts;
  let before = processorTime();
  let load = 0;
  let timer: NodeJS.Timeout | undefined;
  return {
    start() {
      timer = setInterval(() => told(), parts.everyMs ?? 10_000);
      timer.unref();
    },
    stop: () => clearInterval(timer),
    tell: told,
  };

  function told(): void {
    void tell().catch(() => {});
  }

  async function tell(): Promise<void> {
    const now = processorTime();
    const total = now.total - before.total;
    // over less than some moments it says nothing
    if (total > LEAST_MS) {
      load = Math.min(1, Math.max(0, 1 - (now.idle - before.idle) / total));
      before = now;
    }
    mesh.publish('presence', {
      node: mesh.self,
      name: parts.name,
      slots: parts.slots(),
      busy: parts.busy(),
      freeBytes: await parts.freeBytes(),
      load,
      at: Date.now(),
      ...(parts.conduct ? { conduct: parts.conduct() } : {}),
    });
  }
}

function processorTime(): { idle: number; total: number } {
  const times = cpus().map((cpu) => cpu.times);
  const sum = (of: (t: (typeof times)[number]) => number): number => times.reduce((n, t) => n + of(t), 0);
  return { idle: sum((t) => t.idle), total: sum((t) => t.user + t.nice + t.sys + t.idle + t.irq) };
}
