import { setTimeout as pause } from 'node:timers/promises';
import { visibleName } from '../core/visible-name.ts';
import { PlainError } from '../errors.ts';
import { command, nodeFlags, print } from './arguments.ts';
import { running } from './running.ts';
import { bytes } from './words.ts';

const help = `codecshift cleanup [--root LIBRARY-OR-ROOT] [--delete] [--data-dir DIR] [--json]

Lists the .lock and .tmp_ files that killed programs left in the libraries, and why each is there. Nothing is deleted.
With --delete, those go that are provably of CodecShift's own and over. About all others a person decides on the page
(Settings, Clean-up); files in use are never touched.
`;

const flags = { root: { type: 'string' }, delete: { type: 'boolean' } } as const;
/** So many names are printed of each kind; --json and the page have them all. */
const SHOWN = 100;

interface RootAnswer {
  root: string;
  libraries: { id: number; name: string }[];
  cleanup: CleanupAnswer | null;
}

interface CleanupAnswer {
  id: number;
  root: string;
  state: string;
  looked: number;
  dead: number;
  deadBytes: number;
  ask: number;
  askBytes: number;
  live: number;
  more: boolean;
  deleted: number;
  deletedBytes: number;
  kept: number;
  reason: { sentence: string } | null;
}

interface FileAnswer {
  n: number;
  path: string;
  sizeBytes: number;
  standing: 'dead' | 'ask' | 'live';
  why: string;
  state: string;
  note: string | null;
}

type Api = Awaited<ReturnType<typeof running>>['api'];

export function run(args: string[]): Promise<number> {
  return command(args, help, { ...nodeFlags(['data-dir']), ...flags }, async ({ values, positionals }) => {
    if (positionals.length > 0) throw new PlainError(`Too many words: ${positionals.join(' ')}`);
    const { api } = await running(values);
    const { items } = await api<{ items: RootAnswer[] }>('GET', '/cleanups');
    const chosen = typeof values['root'] === 'string' ? [findRoot(items, values['root'])] : items.filter((r) => r.libraries.length > 0);
    if (chosen.length === 0) throw new PlainError('There is no library yet.');
    const told: Awaited<ReturnType<typeof cleanUp>>[] = [];
    for (const root of chosen) told.push(await cleanUp(api, root, values['delete'] === true, values['json'] === true));
    print(values['json'] === true, { items: told.map(({ lines: _lines, ...rest }) => rest) }, () =>
      told.map((t) => t.lines.join('\n')).join('\n\n'),
    );
    return told.some((t) => t.cleanup.state === 'failed') ? 1 : 0;
  });
}

/** The id of a root, or the name of a library in it. @throws PlainError */
export function findRoot(roots: readonly RootAnswer[], wanted: string): RootAnswer {
  const found = roots.filter((r) => r.root === wanted || r.libraries.some((l) => l.name.toLowerCase() === wanted.toLowerCase()));
  if (found.length === 1) return found[0]!;
  const known = roots.flatMap((r) => r.libraries.map((l) => visibleName(l.name, 80))).join(', ');
  throw new PlainError(`There is no library called ${visibleName(wanted, 80)}. Known: ${known || 'none'}.`);
}

async function cleanUp(
  api: Api,
  root: RootAnswer,
  remove: boolean,
  everything: boolean,
): Promise<{ cleanup: CleanupAnswer; files: FileAnswer[]; lines: string[] }> {
  const name = root.libraries.map((l) => visibleName(l.name, 80)).join(', ') || root.root;
  const { started } = await api<{ started: number[] }>('POST', '/cleanups', { root: root.root });
  const id = started[0];
  if (id === undefined) throw new PlainError(`A clean-up of ${name} is at work already; see the page.`);
  let cleanup = await ended(api, id, ['listing']);
  const files = await filesOf(api, id, everything);
  const lines = [listHead(name, cleanup), ...fileLines(files, cleanup)];
  if (!remove || cleanup.state !== 'listed') return { cleanup, files, lines };
  if (cleanup.dead === 0) return { cleanup, files, lines: [...lines, 'There is nothing that --delete may delete.'] };
  await api('POST', `/cleanups/${id}/delete`, { asked: 0 });
  cleanup = await ended(api, id, ['listing', 'listed', 'deleting']);
  const after = await filesOf(api, id, everything);
  return { cleanup, files: after, lines: [...lines, ...resultLines(cleanup, after)] };
}

/** Waits until it is in none of these states any more. */
async function ended(api: Api, id: number, states: readonly string[]): Promise<CleanupAnswer> {
  for (;;) {
    const cleanup = await api<CleanupAnswer>('GET', `/cleanups/${id}`);
    if (!states.includes(cleanup.state)) return cleanup;
    await pause(300);
  }
}

async function filesOf(api: Api, id: number, everything: boolean): Promise<FileAnswer[]> {
  const files: FileAnswer[] = [];
  for (const standing of ['dead', 'ask', 'live'] as const)
    for (let after: string | null = ''; after !== null;) {
      const query = new URLSearchParams({ standing, limit: '200', ...(after ? { after } : {}) });
      const page: { items: FileAnswer[]; after: string | null } = await api('GET', `/cleanups/${id}/files?${query}`);
      files.push(...page.items);
      after = everything ? page.after : null;
    }
  return files;
}

function listHead(name: string, cleanup: CleanupAnswer): string {
  if (cleanup.state === 'failed' || cleanup.state === 'cancelled') return `${name}: ${cleanup.reason?.sentence ?? 'the look was stopped.'}`;
  if (cleanup.dead + cleanup.ask + cleanup.live === 0) return `${name}: nothing was left lying about (${cleanup.looked} names looked at).`;
  return `${name}: ${cleanup.dead} of ours and over (${bytes(cleanup.deadBytes)}), ${cleanup.ask} not provably ours (${bytes(cleanup.askBytes)}), ${cleanup.live} in use${cleanup.more ? '; there is more on the disk' : ''}.`;
}

const marks = { dead: '-', ask: '?', live: '=' } as const;

function fileLines(files: readonly FileAnswer[], cleanup: CleanupAnswer): string[] {
  return (['dead', 'ask', 'live'] as const).flatMap((standing) => {
    const those = files.filter((file) => file.standing === standing);
    const shown = those
      .slice(0, SHOWN)
      .map((f) => `  ${marks[standing]} ${visibleName(f.path, 200)}  ${bytes(f.sizeBytes)}\n      ${f.why}`);
    return cleanup[standing] > shown.length ? [...shown, `  ${marks[standing]} … and ${cleanup[standing] - shown.length} more`] : shown;
  });
}

function resultLines(cleanup: CleanupAnswer, files: readonly FileAnswer[]): string[] {
  const stayed = files.filter((f) => f.state === 'kept').slice(0, SHOWN);
  return [
    `Deleted ${cleanup.deleted}, ${bytes(cleanup.deletedBytes)}${cleanup.kept > 0 ? `; ${cleanup.kept} stayed` : ''}.`,
    ...stayed.map((f) => `  ! ${visibleName(f.path, 200)}\n      ${f.note ?? ''}`),
    ...(cleanup.reason ? [cleanup.reason.sentence] : []),
  ];
}
