/** Why another machine is not spoken to, as far as this one can tell, or that all is well. */
export type Trouble =
  | { state: 'connected' }
  | { state: 'connecting' }
  | { state: 'unreachable'; tried: { address: string; why: string }[] }
  /** noticed by multicast, at our door, at an address we were given, or it hung up on us */
  | { state: 'not-approved'; how: 'mdns' | 'inbound' | 'outbound' | 'hung-up' }
  | { state: 'other-cluster' }
  /** `why`: the whole sentence, where both could say what they speak */
  | { state: 'other-version'; theirs: string | null; ours: string; why?: string }
  | { state: 'clock'; clockMs: number }
  /** another machine shows the key of this very one */
  | { state: 'twin' };

/** Clocks further apart than this are told to a person: schedules and the times on the page would mislead. */
export const CLOCK_LIMIT_MS = 120_000;

/** A whole sentence: what is wrong with `who` and what helps; empty when all is well. */
export function describeTrouble(who: string, trouble: Trouble): string {
  switch (trouble.state) {
    case 'connected':
    case 'connecting':
      return '';
    case 'unreachable':
      return unreachable(who, trouble.tried);
    case 'not-approved':
      return notApproved(who, trouble.how);
    case 'other-cluster':
      return `${who} belongs to another cluster now. Let it leave that one and join this one, or remove it here.`;
    case 'other-version':
      return (
        trouble.why ??
        `${who} runs ${trouble.theirs ?? 'another version'}, which this one (${trouble.ours}) cannot talk to. Install the same version of CodecShift on both.`
      );
    case 'twin':
      return `Another machine runs with the identity of ${who}: its data folder was copied there. Only one of the two is heard. Stop CodecShift on the copy, delete its data folder and start it again: it then asks to join as a machine of its own.`;
    case 'clock':
      return `The clock of ${who} is ${span(trouble.clockMs)} ${trouble.clockMs < 0 ? 'behind' : 'ahead of'} this machine's. They work together, but hours and times will not fit: set both clocks by the network (NTP).`;
  }
}

function unreachable(who: string, tried: { address: string; why: string }[]): string {
  if (tried.length === 0) {
    return `Nothing was heard of ${who}: it is off, or multicast does not reach it. If it runs, name its address with --peer.`;
  }
  const attempts = tried.slice(0, 3).map(({ address, why }) => `${address} (${why})`);
  const more = tried.length > 3 ? ` and ${tried.length - 3} more` : '';
  return `${who} cannot be reached at ${attempts.join(', ')}${more}. Check that it runs and that a firewall lets its port through; this machine keeps trying.`;
}

function notApproved(who: string, how: 'mdns' | 'inbound' | 'outbound' | 'hung-up'): string {
  if (how === 'hung-up')
    return `${who} hangs up on this machine: it does not count it as a member of its cluster, or its list of members is older.`;
  return `${who} is not a member here. It is not approved in this cluster yet, or belongs to another one.`;
}

function span(ms: number): string {
  const minutes = Math.round(Math.abs(ms) / 60_000);
  return minutes < 120
    ? `${minutes} minutes`
    : minutes < 48 * 60
      ? `${Math.round(minutes / 60)} hours`
      : `${Math.round(minutes / 1440)} days`;
}
