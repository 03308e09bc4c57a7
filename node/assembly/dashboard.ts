import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { requestOver, type BulkAddress } from '../mesh/bulk-client.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { Tunnel } from '../web/front/parts.ts';
import { deadline } from '../web/front/deadline.ts';

/** The way from this node's front to the dashboard of whichever node coordinates. */
export interface DashboardWay {
  start(): void;
  stop(): void;
  tunnel(): Tunnel | null;
  /** somebody else coordinates, or the way broke: looked for anew */
  look(): void;
}

export interface DashboardWayParts {
  mesh: Mesh;
  coordinator: () => string | null;
  hostOf: (node: string) => string | null;
  onChange: () => void;
  log: Log;
  /** for tests: how often is looked, and after how long without use the way is tried */
  everyMs?: number;
  keepMs?: number;
}

/** The coordinator forgets a key that nobody used for five minutes: then whoever opens the page next would find no way. */
const KEEP_MS = 60_000;
const TRY_MS = 5000;

/**
 * Keeps the address of the coordinator's dashboard: asked for over the authenticated mesh, used over the data plane. A
 * request that fails throws the address away, and a second later a new one is asked for. While nobody uses it, it is tried
 * now and then, so that it still is one when somebody does.
 */
export function dashboardWay(parts: DashboardWayParts): DashboardWay {
  const { mesh, log } = parts;
  /** `usedAt`: milliseconds since 1970, because other clocks stand still while a machine sleeps */
  let known: { node: string; address: BulkAddress; usedAt: number } | null = null;
  let asking = false;
  let timer: NodeJS.Timeout | undefined;

  return {
    start() {
      timer = setInterval(look, parts.everyMs ?? 1000);
      timer.unref();
      look();
    },
    stop: () => clearInterval(timer),
    look,
    tunnel() {
      const way = known;
      if (!way || way.node !== parts.coordinator()) return null;
      return (options) => {
        way.usedAt = Date.now();
        return requestOver(way.address, options).once('error', () => forget(way));
      };
    },
  };

  function keep(way: NonNullable<typeof known>): void {
    if (Math.abs(Date.now() - way.usedAt) < (parts.keepMs ?? KEEP_MS)) return;
    way.usedAt = Date.now();
    const request = requestOver(way.address, { method: 'GET', path: '/healthz', headers: { host: 'localhost' } });
    deadline(request, TRY_MS);
    request.once('response', (answer) => answer.resume());
    request.once('error', () => (forget(way), look()));
    request.end();
  }

  function forget(way: NonNullable<typeof known>): void {
    if (known === way) known = null;
  }

  function look(): void {
    const node = parts.coordinator();
    if (known && known.node !== node) known = null;
    if (known) return keep(known);
    if (asking || !node || node === mesh.self || !parts.hostOf(node)) return;
    asking = true;
    void ask(node)
      .catch((error: unknown) => log.debug({ node, why: messageOf(error) }, 'the dashboard of the coordinator could not be reached'))
      .finally(() => (asking = false));
  }

  async function ask(node: string): Promise<void> {
    const answer = await mesh.request(node, 'bulk', { op: 'dashboard' }, { signal: AbortSignal.timeout(8000) });
    const host = parts.hostOf(node);
    if (answer.op !== 'open' || !host) return;
    known = { node, address: { host, port: answer.port, identity: answer.identity, key: answer.key }, usedAt: Date.now() };
    parts.onChange();
  }
}
