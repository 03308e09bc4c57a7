import { visibleName } from '../core/visible-name.ts';
import { PlainError } from '../errors.ts';
import { print } from './arguments.ts';
import type { running } from './running.ts';

export interface RuleAnswer {
  prefix: string;
  root: string;
  folder: string;
}

export interface ProofAnswer extends RuleAnswer {
  proved: boolean;
  nodes: { name: string; found: number; otherSize: number; of: number; problem: string | null }[];
}

export interface RootAnswer {
  name: string;
  root: string;
}

type Api = Awaited<ReturnType<typeof running>>['api'];

/** Which folder here each of a server's folders is: said, proved on sample files, and saved where a person asks for it. */
export async function pathsCommand(
  api: Api,
  source: { id: number; name: string },
  values: Record<string, unknown>,
  json: boolean,
): Promise<void> {
  const at = `/sources/${source.id}/paths`;
  const libraries = (await api<{ items: RootAnswer[] }>('GET', '/libraries')).items;
  const typed = (Array.isArray(values['map']) ? (values['map'] as string[]) : []).map((word) => readMap(word, libraries));
  const rules = typed.length > 0 ? typed : await known(api, at);
  if (rules.length === 0)
    throw new PlainError(
      `Nothing is known and nothing could be guessed. Say it: codecshift sources paths ${source.name} --map /data/movies=LIBRARY`,
    );
  const { items } = await api<{ items: ProofAnswer[] }>('POST', `${at}/prove`, { rules });
  const save = values['save'] === true;
  if (save) await api('POST', at, { rules, anyway: values['anyway'] === true });
  print(json, { items, saved: save }, () => [proofLines(items, libraries), save ? 'Saved.' : 'Nothing was saved; --save does.'].join('\n'));
}

/** What is saved, and what the server's other folders are guessed to be. */
async function known(api: Api, at: string): Promise<RuleAnswer[]> {
  const only = ({ prefix, root, folder }: RuleAnswer): RuleAnswer => ({ prefix, root, folder });
  const saved = (await api<{ items: RuleAnswer[] }>('GET', at)).items.map(only);
  const guessed = (await api<{ items: RuleAnswer[] }>('POST', `${at}/propose`, {})).items.map(only);
  return [...saved, ...guessed.filter((g) => !saved.some((s) => s.prefix === g.prefix))];
}

/** `PREFIX=LIBRARY` or `PREFIX=LIBRARY:FOLDER`; the prefix may hold a colon (Windows), so the last "=" parts them. @throws PlainError */
export function readMap(word: string, libraries: readonly RootAnswer[]): RuleAnswer {
  const at = word.lastIndexOf('=');
  const prefix = word.slice(0, Math.max(0, at));
  const [name = '', ...folder] = word.slice(at + 1).split(':');
  if (!prefix || !name) throw new PlainError(`--map ${visibleName(word, 100)}: it has to be PREFIX=LIBRARY or PREFIX=LIBRARY:FOLDER.`);
  const library = libraries.find((l) => l.root === name) ?? libraries.find((l) => l.name.toLowerCase() === name.toLowerCase());
  if (!library)
    throw new PlainError(
      `There is no library called ${visibleName(name, 80)}. Known: ${libraries.map((l) => visibleName(l.name, 80)).join(', ') || 'none'}.`,
    );
  return { prefix, root: library.root, folder: folder.join(':') };
}

export function proofLines(proofs: readonly ProofAnswer[], libraries: readonly RootAnswer[]): string {
  return proofs
    .flatMap((p) => {
      const names = libraries.filter((l) => l.root === p.root).map((l) => visibleName(l.name, 80));
      const place = `root of ${names.join(', ') || p.root}${p.folder ? `, folder ${visibleName(p.folder, 200)}` : ''}`;
      const nodes = p.nodes.map(
        (n) =>
          `      ${n.name}: ${n.problem ?? `${n.found} of ${n.of} sample files found${n.otherSize > 0 ? `, ${n.otherSize} with another size` : ''}`}`,
      );
      return [`${p.proved ? '*' : '?'} ${visibleName(p.prefix, 200)} = ${place}${p.proved ? '' : ' (not proved)'}`, ...nodes];
    })
    .join('\n');
}
