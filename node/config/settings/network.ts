import type { SettingSpec } from '../setting.ts';

/** How films travel between the machines of the house. */
export const networkSettings = {
  'network.mbps': {
    scope: 'cluster',
    group: 'network',
    type: 'integer',
    default: 0,
    min: 0,
    max: 100_000,
    unit: 'Mbit/s',
    env: 'CODECSHIFT_MBPS',
    label: 'Most that one machine sends or receives',
    help: 'Films that travel between machines leave room for everything else. 0: no limit. A single machine can have a limit of its own on the Nodes page.',
  },
  'network.fetchAhead': {
    scope: 'cluster',
    group: 'network',
    type: 'boolean',
    default: true,
    env: 'CODECSHIFT_FETCH_AHEAD',
    label: 'Fetch the next film early',
    help: 'A machine without the library mounted fetches its next film while it encodes the present one, so that it never waits for the network.',
  },
} as const satisfies Record<string, SettingSpec>;
