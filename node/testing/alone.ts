import { randomUUID } from 'node:crypto';
import type { CoordinatorParts } from '../coordinator/coordinator.ts';
import { createSettingsStore } from '../coordinator/settings.ts';
import { quietLog } from './database.ts';

type Surroundings = Omit<CoordinatorParts, 'mesh' | 'db' | 'events'>;

/** What surrounds a coordinator that is alone in its house: a test gives it mesh, database and events, and what is special. */
export function alone(): Surroundings {
  return {
    session: randomUUID(),
    // it is never replaced unless a test does it: a machine that stands still for seconds must not make it step down
    ttlSeconds: 60,
    name: 'house',
    url: () => 'http://localhost:1',
    settings: createSettingsStore(),
    network: { connected: () => [], hostOf: () => null, clockOf: () => null },
    peers: () => [],
    onMembers: () => {},
    log: quietLog(),
  };
}
