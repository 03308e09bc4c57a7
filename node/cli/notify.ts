import { visibleName } from '../core/visible-name.ts';
import { PlainError } from '../errors.ts';
import { command, nodeFlags, print } from './arguments.ts';
import { running } from './running.ts';
import { counted } from './words.ts';

const help = `codecshift notify [--data-dir DIR] [--json]
codecshift notify test NAME
codecshift notify log [NAME] [--limit N]

Lists the places that are told what happens and how they stand, sends a test to one and says what it answered, or shows what was
sent. Places are added on the page: Settings, Notifications.
`;

const actions = ['test', 'log'];

export interface PlaceAnswer {
  id: number;
  kind: string;
  name: string;
  place: string;
  events: string[];
  enabled: boolean;
  failingSince: string | null;
  lastAnswer: string;
  lastSentAt: string | null;
}

export interface SentAnswer {
  target: number;
  title: string;
  state: string;
  answer: string;
  createdAt: string;
}

export function run(args: string[]): Promise<number> {
  return command(args, help, { ...nodeFlags(['data-dir']), limit: { type: 'string' } }, async ({ values, positionals }) => {
    const [action, wanted, ...rest] = positionals;
    const json = values['json'] === true;
    if (action !== undefined && !actions.includes(action))
      throw new PlainError(
        `"${action}" is nothing that can be done with notifications. Possible: test NAME, log. To list the places: codecshift notify`,
      );
    if (rest.length > 0) throw new PlainError(`Too many words: ${positionals.join(' ')}. A name with blanks goes into quotes.`);
    const { api } = await running(values);
    const { items } = await api<{ items: PlaceAnswer[] }>('GET', '/notifications');
    if (action === undefined) return print(json, { items }, () => placeLines(items));
    if (action === 'test') return test(api, findPlace(items, wanted), json);
    const limit = typeof values['limit'] === 'string' ? values['limit'] : '20';
    const query = new URLSearchParams({ limit, ...(wanted === undefined ? {} : { target: String(findPlace(items, wanted).id) }) });
    const answer = await api<{ items: SentAnswer[] }>('GET', `/notifications/log?${query}`);
    print(json, answer, () => sentLines(answer.items, items));
  });
}

async function test(api: Awaited<ReturnType<typeof running>>['api'], place: PlaceAnswer, json: boolean): Promise<number> {
  const answer = await api<{ ok: boolean; says: string }>('POST', `/notifications/${place.id}/test`);
  print(json, answer, () => `${answer.ok ? 'It got through' : 'It did not get through'} to ${visibleName(place.name)}. ${answer.says}`);
  return answer.ok ? 0 : 1;
}

export function findPlace(places: PlaceAnswer[], wanted: string | undefined): PlaceAnswer {
  if (wanted === undefined) throw new PlainError('Say which place: codecshift notify test NAME. "codecshift notify" shows the names.');
  const found = places.find(({ name, id }) => name.toLowerCase() === wanted.toLowerCase() || String(id) === wanted);
  if (found) return found;
  const known = places.map(({ name }) => visibleName(name)).join(', ');
  throw new PlainError(`There is no place called "${visibleName(wanted, 100)}". ${known ? `Known: ${known}.` : 'None was added yet.'}`);
}

export function placeLines(places: PlaceAnswer[]): string {
  if (places.length === 0) return 'Nobody is told anything yet. Add a place on the page: Settings, Notifications.';
  return places
    .flatMap(({ name, kind, place, events, enabled, failingSince, lastAnswer, lastSentAt }) => {
      const how = !enabled
        ? 'switched off'
        : failingSince
          ? `failing since ${failingSince}`
          : lastSentAt
            ? `works, last told ${lastSentAt}`
            : 'nothing was sent yet';
      const line = `${!enabled ? '-' : failingSince ? '!' : '*'} ${visibleName(name)}: ${how}, ${kind}, ${visibleName(place)}, ${counted(events.length, 'kind')} of events`;
      return failingSince && enabled ? [line, `    ${visibleName(lastAnswer)}`] : [line];
    })
    .join('\n');
}

export function sentLines(sent: SentAnswer[], places: PlaceAnswer[]): string {
  if (sent.length === 0) return 'Nothing was sent yet.';
  const names = new Map(places.map(({ id, name }) => [id, visibleName(name)]));
  return sent
    .map(
      ({ createdAt, title, target, state, answer }) =>
        `${createdAt}  ${title} → ${names.get(target) ?? target}: ${state}${answer ? `. ${visibleName(answer)}` : ''}`,
    )
    .join('\n');
}
