import type { Standing } from '../../core/standing.ts';
import { ago, exact, time } from '../format.ts';
import type { NeighbourNode } from '../front/parts.ts';
import { url } from '../routes.ts';

/** Where this machine stands, in words a person understands, and what he can do about it. */
export interface StandingView {
  tone: 'wait' | 'ask' | 'bad' | 'well';
  title: string;
  /** sentences, one paragraph each */
  says: string[];
  /** the six characters to compare; null when there is nothing to compare */
  code: string | null;
  facts: { label: string; value: string; title: string }[];
  offers: Offer[];
}

/** One button: what it is called, what it sends, what is asked before. */
export interface Offer {
  label: string;
  action: string;
  cluster: string | null;
  confirm: string;
  primary: boolean;
}

export interface StandingFacts {
  standing: Standing;
  node: { id: string; name: string };
  /** does the dashboard answer, here or through the coordinator? */
  reached: boolean;
  away: { since: Date | null; last: { node: string; name: string } | null };
  neighbours: readonly NeighbourNode[];
  now: Date;
}

type Words = Partial<StandingView> & Pick<StandingView, 'tone' | 'title' | 'says'>;
const goesOn = 'Films that are being encoded go on, and what they become is kept until somebody coordinates again. Nothing is lost.';

export function standingView(facts: StandingFacts): StandingView {
  return { code: null, facts: [], offers: [], ...words(facts) };
}

function words(facts: StandingFacts): Words {
  const { standing, node } = facts;
  switch (standing.state) {
    case 'starting':
      return {
        tone: 'wait',
        title: 'Starting',
        says: [standing.doing ?? 'This machine is starting.', 'The page appears by itself in a moment.'],
      };
    case 'listening':
      return {
        tone: 'wait',
        title: 'Looking for a cluster',
        says: [
          'This machine looks around for other machines with CodecShift. If there is a cluster, it asks to join; if nobody answers for a while, it starts a cluster of its own.',
        ],
        offers: [own('Start a cluster of its own now', 'Start a cluster of its own, without looking any longer?')],
      };
    case 'founding':
      return {
        tone: 'wait',
        title: 'Starting a cluster',
        says: ['This machine starts a cluster of its own. The page appears by itself in a moment.'],
      };
    case 'restoring': {
      const share = standing.done !== null && standing.of ? ` ${Math.floor((100 * standing.done) / standing.of)} % of it is done.` : '';
      return {
        tone: 'wait',
        title: 'Putting a backup back',
        says: [
          `${standing.says}${share}`,
          'All work rests meanwhile, and no film is touched. The page comes back by itself when it is over; if it fails, everything is as it was before.',
        ],
      };
    }
    case 'asking':
      return {
        tone: standing.problem === null ? 'wait' : 'ask',
        title: standing.cluster ? `Asking to join ${standing.cluster.name}` : 'Asking to join a cluster',
        says: [standing.problem ?? 'It has not answered yet. This machine goes on asking.'],
        offers: choices(facts, standing.cluster?.id ?? null),
      };
    case 'pending':
      return {
        tone: 'ask',
        title: `Waiting to be let into ${standing.cluster.name}`,
        says: [
          `Open the dashboard at any machine of ${standing.cluster.name}, choose Nodes, and approve ${node.name} there.`,
          'Approve it only if that page shows this very code: then nobody has come between the two.',
        ],
        code: standing.code,
        facts: [moment('Asked', new Date(standing.sinceMs), facts.now)],
        offers: choices(facts, standing.cluster.id),
      };
    case 'rejected':
      return {
        tone: 'bad',
        title: `${standing.cluster.name} said no`,
        says: [standing.why, 'This machine holds no file and no secret of that cluster. It can ask again, or go its own way.'],
        offers: [ask(standing.cluster, 'Ask again', true), ...choices(facts, standing.cluster.id)],
      };
    case 'revoked':
      return {
        tone: 'bad',
        title: `Removed from ${standing.cluster.name}`,
        says: [
          `Somebody took this machine out of ${standing.cluster.name}. It works for nobody now, and its films stay as they are.`,
          'It can ask to come back, or go its own way.',
        ],
        offers: [ask(standing.cluster, 'Ask to come back', true), ...choices(facts, standing.cluster.id)],
      };
    case 'member':
      return memberWords(facts, standing);
  }
}

function memberWords({ node, reached, away, now }: StandingFacts, standing: Extract<Standing, { state: 'member' }>): Words {
  const { cluster, coordinator, hosts, version } = standing;
  const since = away.since ? [moment('Since', away.since, now)] : [];
  const last = away.last
    ? [{ label: 'Coordinated last', value: away.last.node === node.id ? `${away.last.name}, this machine` : away.last.name, title: '' }]
    : [];
  if (coordinator && version?.state === 'apart')
    return { tone: 'bad', title: 'Two versions that cannot work together', says: [version.says] };
  if (coordinator && reached) {
    const who = coordinator.node === node.id ? 'This machine coordinates it.' : `${coordinator.name} coordinates it, and answers.`;
    return { tone: version ? 'ask' : 'well', title: `Part of ${cluster.name}`, says: version ? [who, version.says] : [who] };
  }
  if (coordinator && coordinator.node !== node.id)
    return {
      tone: 'ask',
      title: `${coordinator.name} does not answer`,
      says: [
        `${coordinator.name} coordinates ${cluster.name}, but this machine does not reach it right now. It tries again every second; if ${coordinator.name} is off, another machine with the database takes over.`,
        goesOn,
      ],
      facts: since,
    };
  if (coordinator)
    return {
      tone: 'wait',
      title: `Opening the books of ${cluster.name}`,
      says: ['This machine has just begun to coordinate. The page appears by itself in a moment.'],
    };
  return {
    tone: 'ask',
    title: `Nobody coordinates ${cluster.name} right now`,
    says: [version?.says ?? '', nextCoordinator(hosts, away.last, node), goesOn].filter(Boolean),
    facts: [...since, ...last],
  };
}

function nextCoordinator(hosts: 'embedded' | 'postgres' | null, last: { node: string; name: string } | null, node: { id: string }): string {
  if (hosts === 'embedded')
    return 'This machine holds the database of the cluster and takes over by itself, usually within ten seconds. If it stays like this, the log of this machine says why.';
  if (hosts === 'postgres')
    return 'One of the machines with a connection to PostgreSQL, this one among them, takes over, usually within ten seconds. If it stays like this, PostgreSQL does not answer.';
  const whom = last && last.node !== node.id ? ` Is ${last.name} switched on and on the network?` : '';
  return `This machine has no database, so another one has to take over. That is a matter of seconds, unless every machine with the database is off or out of reach.${whom}`;
}

/** Other clusters to ask instead, and always the way alone. */
function choices(facts: StandingFacts, but: string | null): Offer[] {
  return [
    ...clustersAround(facts.neighbours, but).map((c) => ask(c, `Ask ${c.name} instead`, false)),
    own('Start a cluster of its own instead', 'Start a cluster of its own? It can leave it later to join another one.'),
  ];
}

function ask(cluster: { id: string; name: string }, label: string, primary: boolean): Offer {
  return { label, action: url.machineAction('ask'), cluster: cluster.id, confirm: '', primary };
}

function own(label: string, confirm: string): Offer {
  return { label, action: url.machineAction('own'), cluster: null, confirm, primary: false };
}

/** Each cluster once, however many of its machines are heard. */
export function clustersAround(
  neighbours: readonly NeighbourNode[],
  but: string | null,
): { id: string; name: string; nodes: number; established: boolean; by: string[] }[] {
  const found = new Map<string, { id: string; name: string; nodes: number; established: boolean; by: string[] }>();
  for (const { name, cluster } of neighbours) {
    if (!cluster || cluster.id === but) continue;
    const known = found.get(cluster.id);
    if (known) known.by.push(name);
    else found.set(cluster.id, { ...cluster, by: [name] });
  }
  return [...found.values()].sort((a, b) => a.name.localeCompare(b.name, 'en') || (a.id < b.id ? -1 : 1));
}

function moment(label: string, at: Date, now: Date): StandingView['facts'][number] {
  return { label, value: `${time(at)}, ${ago(at, now)}`, title: exact(at) };
}
