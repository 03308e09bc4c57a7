import type { Standing } from '../../core/standing.ts';
import { messageOf } from '../../errors.ts';
import { deadline } from './deadline.ts';
import type { FrontParts, LocalApp, Tunnel } from './parts.ts';

/**
 * Which way a request goes now, and what is remembered when there is none.
 *
 *   local ◀──▶ tunnel to X ──failed──▶ nowhere, X is asked once a second ──answered──▶ tunnel to X
 *     └────────────┴──── nobody coordinates ────▶ nowhere
 */
export type Way = { kind: 'local'; app: LocalApp } | { kind: 'tunnel'; open: Tunnel } | { kind: 'nowhere' };

export interface Reach {
  way(): Way;
  /** differs whenever requests go somewhere else than before */
  key(): string;
  /** the coordinator did not answer a request */
  failed(error: Error): void;
  /** who coordinated last, and since when nobody is reached; null while somebody is, or was never known */
  away(): { since: Date | null; last: { node: string; name: string } | null };
  /** looks again; true when `key` changed */
  look(): boolean;
  stop(): void;
}

const PROBE_MS = 1000;
const PROBE_TIMEOUT_MS = 3000;

export function createReach(parts: Pick<FrontParts, 'local' | 'tunnel' | 'standing' | 'log'>, onChange: () => void): Reach {
  let fault: { node: string } | null = null;
  let timer: NodeJS.Timeout | null = null;
  let seen = '';
  let last: { node: string; name: string } | null = null;
  let since: Date | null = new Date();

  return {
    way,
    key,
    failed(error) {
      const node = coordinatorOf(parts.standing())?.node ?? '';
      if (fault?.node === node) return;
      parts.log.warn({ coordinator: node, why: messageOf(error) }, 'the coordinator does not answer; it is asked again every second');
      fault = { node };
      plan();
    },
    away: () => ({ since, last }),
    look,
    stop() {
      if (timer) clearTimeout(timer);
      timer = null;
    },
  };

  function way(): Way {
    const app = parts.local();
    if (app) return { kind: 'local', app };
    const open = parts.tunnel();
    // a coordinator of which nothing is heard any more is not waited for, although nobody has hung up yet
    if (!open || isFaulty() || !coordinatorOf(parts.standing())) return { kind: 'nowhere' };
    return { kind: 'tunnel', open };
  }

  function key(): string {
    const { kind } = way();
    return kind === 'tunnel' ? `tunnel ${coordinatorOf(parts.standing())?.node ?? ''}` : kind;
  }

  function isFaulty(): boolean {
    // what one coordinator did not answer says nothing about the next
    return fault !== null && fault.node === (coordinatorOf(parts.standing())?.node ?? '');
  }

  function look(): boolean {
    const coordinator = coordinatorOf(parts.standing());
    if (coordinator) last = coordinator;
    const now = key();
    if (now === seen) return false;
    if (now === 'nowhere') since ??= new Date();
    else since = null;
    seen = now;
    return true;
  }

  function plan(): void {
    timer ??= setTimeout(() => {
      timer = null;
      probe();
    }, PROBE_MS).unref();
  }

  function probe(): void {
    const open = parts.tunnel();
    if (!isFaulty()) fault = null;
    if (!fault) return onChange();
    if (!open) return plan();
    try {
      const request = open({ method: 'GET', path: '/healthz', headers: { host: 'localhost' } });
      deadline(request, PROBE_TIMEOUT_MS);
      request.once('response', (answer) => {
        answer.resume();
        if (answer.statusCode === 200) fault = null;
        request.destroy();
      });
      request.on('error', () => {});
      request.once('close', () => (fault ? plan() : onChange()));
      request.end();
    } catch {
      plan();
    }
  }
}

export function coordinatorOf(standing: Standing): { node: string; name: string } | null {
  return standing.state === 'member' ? standing.coordinator : null;
}
