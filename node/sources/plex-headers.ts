import { version } from '../version.ts';

/**
 * What every request to a Plex server and to plex.tv says about us; the identifier ties tokens to this cluster.
 * No X-Plex-Pms-Api-Version: without it servers of all ages answer as those that were recorded.
 */
export function plexHeaders(clientId: string): Record<string, string> {
  return {
    accept: 'application/json',
    'x-plex-client-identifier': clientId,
    'x-plex-product': 'CodecShift',
    'x-plex-version': version,
    'x-plex-platform': 'Node.js',
    'x-plex-device-name': 'CodecShift',
  };
}
