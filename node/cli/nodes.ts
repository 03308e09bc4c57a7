import { unsaid, versionNote, type Program, type ProtocolRange } from '../core/compatibility.ts';
import { PlainError } from '../errors.ts';
import { typedToStart } from '../program.ts';
import { command, nodeFlags, print } from './arguments.ts';
import { running } from './running.ts';
import { bytes } from './words.ts';

const actions = {
  approve: 'is a member now',
  reject: 'is rejected',
  later: 'is not asked about for an hour',
  remove: 'is removed',
  pause: 'is paused',
  resume: 'goes on',
  drain: 'begins nothing new',
  undrain: 'takes work again',
  'hand-over': 'is asked to coordinate',
} as const;

const help = `codecshift nodes [--data-dir DIR] [--json]
codecshift nodes <${Object.keys(actions).join('|')}> NAME-OR-ID
codecshift nodes token [--label TEXT] [--uses N] [--hours N]

Lists the machines, acts on one, or makes a token with which machines join without a click (${typedToStart} --join TOKEN).
`;

const flags = { label: { type: 'string' }, uses: { type: 'string' }, hours: { type: 'string' } } as const;

export interface NodeAnswer {
  id: string;
  name: string;
  standing: string;
  version: string;
  speaks?: ProtocolRange;
  platform: string;
  code: string | null;
  address: string | null;
  coordinator: boolean;
  away: boolean;
  paused: boolean;
  /** what it does out of consideration for its house; left out by a program of the version before */
  conduct?: { does: string; reason: { sentence: string } | null };
  draining: boolean;
  slots: number;
  running: number[];
  tempBytes: number | null;
  encoders: { name: string; works: boolean }[];
}

type Api = Awaited<ReturnType<typeof running>>['api'];

export function run(args: string[]): Promise<number> {
  return command(args, help, { ...nodeFlags(['data-dir']), ...flags }, async ({ values, positionals }) => {
    const [action, wanted, ...rest] = positionals;
    const json = values['json'] === true;
    if (action !== undefined && action !== 'token' && !Object.hasOwn(actions, action))
      throw new PlainError(
        `"${action}" is nothing that can be done with a machine. Possible: ${Object.keys(actions).join(', ')}, token. To list them: codecshift nodes`,
      );
    if (rest.length > 0 || (action === 'token' && wanted !== undefined)) throw new PlainError(`Too many words: ${positionals.join(' ')}`);
    const { api } = await running(values);
    if (action === undefined) return list(api, json);
    if (action === 'token') return token(api, values, json);
    if (wanted === undefined)
      throw new PlainError(`Say which machine: codecshift nodes ${action} NAME. "codecshift nodes" shows the names.`);
    const { items } = await api<{ items: NodeAnswer[] }>('GET', '/nodes');
    const node = findNode(items, wanted);
    const answer = await api('POST', `/nodes/${encodeURIComponent(node.id)}/${action}`);
    print(json, answer, () => `${node.name} ${actions[action as keyof typeof actions]}.`);
  });
}

/** The whole id, or a name that only one machine has. @throws PlainError */
export function findNode(nodes: readonly NodeAnswer[], wanted: string): NodeAnswer {
  const exact = nodes.find((n) => n.id === wanted);
  if (exact) return exact;
  const called = nodes.filter((n) => n.name.toLowerCase() === wanted.toLowerCase());
  const here = called.filter((n) => n.standing !== 'revoked');
  // a removed one can be approved again, but never stands in the way of one that took its name
  const named = here.length > 0 ? here : called;
  if (named.length === 1) return named[0]!;
  if (named.length === 0)
    throw new PlainError(`There is no machine called ${wanted}. Known: ${nodes.map((n) => n.name).join(', ') || 'none'}.`);
  throw new PlainError(`${named.length} machines are called ${wanted}. Say which by its id: ${named.map((n) => n.id).join(', ')}`);
}

async function list(api: Api, json: boolean): Promise<void> {
  const answer = await api<{ items: NodeAnswer[] }>('GET', '/nodes');
  print(json, answer, () => nodeLines(answer.items));
}

async function token(api: Api, values: Record<string, unknown>, json: boolean): Promise<void> {
  const wish: Record<string, unknown> = {};
  if (typeof values['label'] === 'string') wish['label'] = values['label'];
  for (const name of ['uses', 'hours'] as const) {
    const value = values[name];
    if (value === undefined) continue;
    if (typeof value !== 'string' || !/^\d{1,15}$/.test(value))
      throw new PlainError(`--${name} must be a whole number, not "${String(value)}".`);
    wish[name] = Number(value);
  }
  const answer = await api<{ id: string; token: string }>('POST', '/nodes/tokens', wish);
  print(json, answer, () => `Type this on the new machine; the token is shown only now:\n\n  ${typedToStart} --join ${answer.token}`);
}

/** Those that ask come first, with the code to compare. */
export function nodeLines(nodes: readonly NodeAnswer[]): string {
  const asking = nodes.filter((n) => n.standing === 'pending');
  const members = nodes.filter((n) => n.standing === 'approved');
  const named = (standing: string): string[] => nodes.filter((n) => n.standing === standing).map((n) => n.name);
  return [
    ...asking.map(
      (n) =>
        `? ${n.name} wants to join${n.address ? ` from ${n.address}` : ''}; code ${n.code ?? 'not shown yet'}. codecshift nodes approve ${n.name}`,
    ),
    ...members.map((n) => memberLine(n) + versionLine(n, members.find((m) => m.coordinator) ?? null)),
    ...(named('rejected').length > 0 ? [`Rejected: ${named('rejected').join(', ')}`] : []),
    ...(named('revoked').length > 0 ? [`Removed: ${named('revoked').join(', ')}`] : []),
  ].join('\n');
}

/** Why it stands still or holds back, on a line of its own; '' when it does not. */
export function restraintOf(node: Pick<NodeAnswer, 'away' | 'conduct'>): string {
  const reason = node.away ? null : node.conduct?.reason;
  return reason ? `\n    ${reason.sentence}` : '';
}

function versionLine(node: NodeAnswer, coordinator: NodeAnswer | null): string {
  if (!coordinator || node.coordinator) return '';
  const [theirs, its] = [coordinator, node].map(({ version, speaks = unsaid }) => ({ version, speaks })) as [Program, Program];
  const note = versionNote(theirs, its);
  return note ? `\n    version ${node.version}: ${note}` : '';
}

function memberLine(node: NodeAnswer): string {
  const state = node.away
    ? 'away'
    : node.paused || node.conduct?.does === 'pause'
      ? 'paused'
      : node.draining
        ? 'draining'
        : node.running.length > 0
          ? 'working'
          : 'idle';
  const works = node.encoders.filter((e) => e.works).map((e) => e.name);
  return (
    [
      `${node.away ? '-' : '*'} ${node.name}${node.coordinator ? ' (coordinator)' : ''}: ${state}`,
      // what it fetched ahead has no slot yet
      `${Math.min(node.running.length, node.slots)} of ${node.slots} busy`,
      works.length > 0 ? works.join(' ') : 'no encoder works',
      ...(node.tempBytes === null ? [] : [`${bytes(node.tempBytes)} free`]),
      node.version,
    ].join(', ') + restraintOf(node)
  );
}
