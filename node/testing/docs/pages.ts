import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { repository } from '../tools.ts';

/** One page of the documentation, as a reader and a test need it. */
export interface Page {
  /** below the repository: "docs/plex.md" */
  file: string;
  text: string;
  /** anchors that a link can lead to, as GitHub makes them */
  anchors: Set<string>;
  links: { text: string; to: string }[];
  /** what stands in code, blocks line by line */
  code: string[];
}

/** Every page that a person reads. */
export function readPages(): Page[] {
  return ['README.md', 'ARCHITECTURE.md', ...globSync('docs/**/*.md', { cwd: repository })].map((file) => page(file.replaceAll('\\', '/')));
}

function page(file: string): Page {
  const text = readFileSync(join(repository, file), 'utf8');
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/^ +```[\s\S]*?^ +```/gm, '');
  const blocks = [...text.matchAll(/^ *```\w*\n([\s\S]*?)^ *```/gm)].flatMap(([, block]) => block!.split('\n').map((line) => line.trim()));
  return {
    file,
    text,
    anchors: new Set([...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => slug(heading!))),
    links: [...prose.replaceAll(/`[^`\n]*`/g, '').matchAll(/!?\[([^\]]*)\]\(([^)\s]+)\)/g)].map(([, label, to]) => ({
      text: label!,
      to: to!,
    })),
    code: [...blocks, ...[...prose.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!)],
  };
}

export function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

/** Why a link of a page leads nowhere, or null. Addresses of other places are not visited. */
export function deadLink(from: Page, to: string, pages: readonly Page[]): string | null {
  if (/^[a-z]+:/.test(to)) return null;
  const [path, anchor] = to.split('#');
  const file = path === '' ? from.file : posix.join(posix.dirname(from.file), path!);
  if (!existsSync(join(repository, file))) return `${from.file} leads to ${file}, which is not there`;
  const target = pages.find((each) => each.file === file);
  if (anchor && target && !target.anchors.has(anchor)) return `${from.file} leads to “${anchor}” in ${file}, where no heading is called so`;
  return null;
}

/** Pages that a reader gets to from one, by links alone. */
export function reachable(from: string, pages: readonly Page[]): Set<string> {
  const seen = new Set<string>();
  const next = [from];
  for (let file = next.pop(); file !== undefined; file = next.pop()) {
    const at = pages.find((each) => each.file === file);
    if (!at || seen.has(file)) continue;
    seen.add(file);
    next.push(...at.links.filter(({ to }) => !/^[a-z]+:/.test(to)).map(({ to }) => posix.join(posix.dirname(at.file), to.split('#')[0]!)));
  }
  return seen;
}

/** What a page quotes of the program: lines that begin with ">", and the first cells of tables headed "It says". */
export function quotes(text: string): string[] {
  const lines = [...text.matchAll(/^> (.+)$/gm)].map(([, quote]) => quote!);
  const cells = [...text.matchAll(/^\| It says \|.*\n\|[-| ]+\n((?:\|.*\n)+)/gm)].flatMap(([, rows]) =>
    [...rows!.matchAll(/^\| \*(.+?)\* \|/gm)].map(([, cell]) => cell!),
  );
  return [...lines, ...cells];
}

/**
 * Buttons, fields and pages that a page names: what stands in italics and begins with a capital, "Settings → Log" part by part.
 * What leads through the menus of another program is left out.
 */
export function labels({ text }: Page): string[] {
  const plain = text
    .replaceAll(/^ *```[\s\S]*?^ *```/gm, '')
    .replaceAll(/`[^`\n]*`/g, '')
    .replaceAll('**', '');
  const said = new Set(quotes(text));
  return [...plain.matchAll(/(?<!\*)\*([^*\n]+)\*(?!\*)/g)]
    .filter(([, name]) => !said.has(name!))
    .map(([, name]) => name!.split(/ → |: /).map((part) => part.trim()))
    .filter(([first, second]) => second === undefined || ourSections.has(first!))
    .flat()
    .filter((part) => /^\p{Lu}/u.test(part));
}
const ourSections = new Set(['Overview', 'Queue', 'Library', 'Nodes', 'History', 'Settings', 'Account', 'Media servers', 'Encoder']);

/** Does it stand on a page just so: as the whole text of a button, a heading or a field? */
export function isLabel(label: string, sources: string): boolean {
  const exact = label.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(/['’]/g, "['’]");
  return new RegExp(String.raw`[>'"\x60]\s*${exact}\s*[<'"\x60]`, 'u').test(sources);
}

/** Everything that the program can say: its sources without tests. */
export function allSources(): string {
  const files = globSync(['node/**/*.ts', 'views/**/*.eta'], { cwd: repository }).filter(
    (file) => !/\.test\.ts$|^node\/testing\//.test(file),
  );
  return files
    .map((file) => readFileSync(join(repository, file), 'utf8'))
    .join('\n')
    .replaceAll("\\'", "'")
    .replaceAll(/'\s*\+\s*'|`\s*\+\s*`/g, '');
}

/** Is a sentence with "…" for what differs said somewhere? Every fixed part has to stand in one line of the sources, in order. */
export function isSaid(quote: string, sources: string): boolean {
  const parts = quote
    .split('…')
    .map((part) => part.trim())
    .filter((part) => part.length > 1)
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(' ', '[ \\[]+'));
  return new RegExp(parts.join('[^\\n]*?'), 'u').test(sources);
}

/** The words of a call of the program in a line of code, or null: "sudo npm run codecshift -- status --json" → status --json */
export function callIn(code: string): string[] | null {
  const plain = /(?:^|[\s\\/.])codecshift(?:\.exe)? (?!-- )([a-z][\w-]*.*)$/.exec(code) ?? /npm run codecshift -- ([a-z].*)$/.exec(code);
  const rest = plain?.[1] ?? (/npm start -- (-.*)$/.exec(code) ? `run ${/npm start -- (-.*)$/.exec(code)![1]}` : null);
  const inside = /node\/main\.ts ([a-z].*)$/.exec(code)?.[1];
  return (
    (rest ?? inside)
      ?.replace(/\s+#.*$/, '')
      .split(/\s+/)
      .filter(Boolean) ?? null
  );
}
