import { mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Mesh } from './mesh.ts';
import type { ProtocolRequest } from './messages.ts';

export type Report = ProtocolRequest<'report'>;

export interface Outbox {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves once the report is safe on disk; it is delivered from then on until a coordinator acknowledged it. */
  post(report: Report): Promise<void>;
  /** attempts with a report not yet acknowledged */
  waiting(): number[];
  /** tries now instead of at the next tick: a coordinator was just heard of */
  kick(): void;
}

/**
 * What this node has to tell the coordinator and must not forget: results of hours of work. One file per report,
 * written before anything else happens, removed when acknowledged. Delivery is repeated, so receivers are idempotent.
 */
export function createOutbox(options: {
  directory: string;
  mesh: Mesh;
  coordinator: () => string | null;
  log: Log;
  retryMs?: number;
}): Outbox {
  const { directory, mesh, log } = options;
  const queue: { file: string; report: Report }[] = [];
  let sequence = 0;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | null = null;
  let stopped = false;

  return {
    async start() {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const found = (await readdir(directory)).toSorted();
      // what a killed process was still writing was posted by nobody
      for (const file of found.filter((f) => f.endsWith('.json.tmp'))) await unlink(path.join(directory, file)).catch(() => {});
      for (const file of found.filter((f) => f.endsWith('.json'))) await load(file);
      timer = setInterval(kick, options.retryMs ?? 2000);
      timer.unref();
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      await running;
    },
    async post(report) {
      const file = `${Date.now().toString().padStart(15, '0')}-${String(sequence++).padStart(6, '0')}.json`;
      // a full disk must not cost the result: then it lives as long as this process, which is long enough to deliver it
      await writeDurably(path.join(directory, file), JSON.stringify(report)).catch((error: unknown) =>
        log.warn({ event: report.event, attempt: report.attempt, why: messageOf(error) }, 'a report could not be written down'),
      );
      queue.push({ file, report });
      kick();
    },
    waiting: () => queue.map((item) => item.report.attempt),
    kick,
  };

  async function load(file: string): Promise<void> {
    try {
      queue.push({ file, report: JSON.parse(await readFile(path.join(directory, file), 'utf8')) as Report });
    } catch (error) {
      log.warn({ err: error, file }, 'an unreadable report of an earlier run was left aside');
    }
  }

  function kick(): void {
    if (stopped || running) return;
    running = deliverAll().finally(() => (running = null));
  }

  /** In order for each attempt ("encoded" before what follows from it); one that cannot be delivered holds up no other. */
  async function deliverAll(): Promise<void> {
    const blocked = new Set<number>();
    for (let i = 0; i < queue.length && !stopped;) {
      const item = queue[i]!;
      if (!blocked.has(item.report.attempt) && (await deliver(item.report))) {
        queue.splice(i, 1);
        await unlink(path.join(directory, item.file)).catch(() => {});
      } else {
        blocked.add(item.report.attempt);
        i++;
      }
    }
  }

  async function deliver(report: Report): Promise<boolean> {
    const to = options.coordinator();
    if (!to) return false;
    const { event, attempt } = report;
    try {
      const answer = await mesh.request(to, 'report', report, { signal: AbortSignal.timeout(30_000) });
      if (!answer.accepted) log.info({ event, attempt, why: answer.why }, 'a report was not wanted any more');
      return true;
    } catch (error) {
      log.debug({ event, attempt, why: messageOf(error) }, 'a report could not be delivered yet');
      return false;
    }
  }
}

async function writeDurably(file: string, text: string): Promise<void> {
  const temporary = `${file}.tmp`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
}
