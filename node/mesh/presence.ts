import { cpus } from 'node:os';
import type { Mesh } from './mesh.ts';

export interface Presence {
  start(): void;
  stop(): void;
}

/** Tells the mesh every ten seconds that this node is here and how busy it is. A hint: only leases decide who is lost. */
export function createPresence(parts: {
  mesh: Mesh;
  name: string;
  slots: () => number;
  busy: () => number;
  freeBytes: () => Promise<number>;
  everyMs?: number;
}): Presence {
  const { mesh } = parts;
  let before = processorTime();
  let timer: NodeJS.Timeout | undefined;
  return {
    start() {
      timer = setInterval(() => void tell().catch(() => {}), parts.everyMs ?? 10_000);
      timer.unref();
    },
    stop: () => clearInterval(timer),
  };

  async function tell(): Promise<void> {
    const now = processorTime();
    const total = now.total - before.total;
    const load = total > 0 ? Math.min(1, Math.max(0, 1 - (now.idle - before.idle) / total)) : 0;
    before = now;
    mesh.publish('presence', {
      node: mesh.self,
      name: parts.name,
      slots: parts.slots(),
      busy: parts.busy(),
      freeBytes: await parts.freeBytes(),
      load,
      at: Date.now(),
    });
  }
}

function processorTime(): { idle: number; total: number } {
  const times = cpus().map((cpu) => cpu.times);
  const sum = (of: (t: (typeof times)[number]) => number): number => times.reduce((n, t) => n + of(t), 0);
  return { idle: sum((t) => t.idle), total: sum((t) => t.user + t.nice + t.sys + t.idle + t.irq) };
}
