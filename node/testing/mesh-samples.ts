import { noWishes } from '../core/node-wishes.ts';
import type { Hello, Welcome } from '../mesh/greeter.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ProtocolRequest, TopicMessage } from '../mesh/messages.ts';
import type { Report } from '../mesh/outbox.ts';

/** Messages as a sound node would send them, for tests that speak for the other side. */

const session = '00000000-0000-4000-8000-000000000000';

export function helloOf(node: string, change: Partial<Hello> = {}): Hello {
  return {
    node,
    session,
    name: node,
    version: '0.1.0',
    platform: 'linux',
    slots: 1,
    classes: [],
    encoders: [],
    hardware: {},
    roots: [],
    attempts: [],
    candidate: true,
    freeBytes: 1e12,
    time: Date.now(),
    utcOffset: 0,
    membersVersion: 0,
    certificate: null,
    ...change,
  };
}

export function welcomeOf(coordinator: string, change: Partial<Welcome> = {}): Welcome {
  return {
    term: 1,
    coordinator,
    certificate: null,
    members: null,
    wishes: noWishes,
    roots: [],
    leaseSeconds: 45,
    stallSeconds: 60,
    slots: 1,
    minFreeBytes: 0,
    drop: [],
    ...change,
  };
}

export function claimOf(node: string): ProtocolRequest<'claim'> {
  return { node, session, classes: [1], freeSlots: 1, freeBytes: 5, ahead: false };
}

export function presenceOf({ id, name }: { id: string; name: string }, busy = 0): TopicMessage<'presence'> {
  return { node: id, name, slots: 1, busy, freeBytes: 1, load: 0, at: 1 };
}

/** Plays the coordinator that takes every report; `next` waits for the one after those already taken. */
export function takeReports(mesh: Mesh): { heard: Report[]; next(): Promise<Report> } {
  const heard: Report[] = [];
  let taken = 0;
  let arrived = (): void => {};
  mesh.handle('report', async (report) => {
    heard.push(report);
    arrived();
    return { accepted: true, why: null };
  });
  return {
    heard,
    async next() {
      while (heard.length <= taken) await new Promise<void>((resolve) => (arrived = resolve));
      return heard[taken++]!;
    },
  };
}

/** The first progress that is as wished. */
export function progressWhen(mesh: Mesh, when: (p: TopicMessage<'progress'>) => boolean): Promise<TopicMessage<'progress'>> {
  return new Promise((resolve) => {
    const off = mesh.subscribe('progress', (p) => {
      if (!when(p)) return;
      off();
      resolve(p);
    });
  });
}
