import type { SourceKind } from '../core/commands.ts';
import type { Outgoing } from '../outgoing.ts';
import type { Learnt, Source } from './source.ts';

export interface SourceParts {
  kind: SourceKind;
  /** as people call it, for sentences */
  name: string;
  /** http(s)://host[:port][/base] */
  url: string;
  /** token or API key; goes into a header and nowhere else */
  credential: string;
  /** who must answer there; null while a new server is tried */
  identity: string | null;
  outgoing: Outgoing;
  /** X-Plex-Client-Identifier and device id: one per cluster, made once */
  clientId: string;
  learnt?: Learnt;
  /** milliseconds; Date.now */
  now?: () => number;
}

/** One adapter for each kind of program. Nothing is asked yet. */
export function openSource(_parts: SourceParts): Source {
  throw new Error('not yet');
}
