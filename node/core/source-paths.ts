import type { PathProposal, PathRule } from './commands.ts';

/**
 * Paths of a source, in its own view, to files of ours and back.
 *
 *   "O:\Films\Metropolis (1927)\Metropolis.mkv"  ◀─ rule: "O:\Films" is "movies" below root R ─▶  R, "movies/Metropolis (1927)/Metropolis.mkv"
 *
 * The longest prefix wins and ends at a whole folder name ("/database" is not below "/data"). Windows paths, with a drive
 * or a share in front, compare in any case and with both separators; all others to the letter. A path with `.` or `..` in
 * it is nobody's: a source has no reason to send one. Nothing in here is a pattern.
 */
export interface PlacedFile {
  rootId: string;
  /** below the root, '/' separators */
  path: string;
}

/** Where a source's path is; null when no rule covers it, or it is no plain path. */
export function placeOf(path: string, rules: readonly PathRule[]): PlacedFile | null {
  const parts = partsOf(path);
  if (parts === null) return null;
  const found = longest(rules, ({ prefix }) => under(parts, partsOf(prefix)));
  if (found === null) return null;
  const names = [...namesOf(found.rule.folder), ...parts.names.slice(found.length)];
  return names.length === 0 ? null : { rootId: found.rule.rootId, path: names.join('/') };
}

/** What a source calls a file of ours, with its own separators; null when no rule covers it. Always the way back of `placeOf`. */
export function sourcePathOf(file: PlacedFile, rules: readonly PathRule[]): string | null {
  const names = namesOf(file.path);
  if (names.length === 0 || names.some(isNoName)) return null;
  const above = rules.filter(({ rootId, folder }) => rootId === file.rootId && namesOf(folder).every((name, at) => name === names[at]));
  const nearest = above.toSorted((a, b) => namesOf(b.folder).length - namesOf(a.folder).length);
  for (const rule of nearest) {
    const path = joined(rule.prefix, names.slice(namesOf(rule.folder).length));
    const back = path === null ? null : placeOf(path, rules);
    // another rule may claim what this one would say
    if (back?.rootId === file.rootId && back.path === names.join('/')) return path;
  }
  return null;
}

function joined(prefix: string, rest: string[]): string | null {
  const parts = partsOf(prefix);
  return parts && parts.front + [...parts.names, ...rest].join(parts.separator);
}

/**
 * Rules guessed from files that both know: the same last path segments and the same size. Best supported first; a rule
 * that explains nothing beyond better ones is left out. `of` counts the items below its prefix that no longer one covers.
 */
export function proposeRules(
  items: readonly { path: string; sizeBytes: number | null }[],
  files: readonly (PlacedFile & { sizeBytes: number })[],
): PathProposal[] {
  const known = byName(files);
  const votes = new Map<string, { rule: PathRule; count: number }>();
  for (const item of items) {
    for (const rule of guesses(item, known)) {
      const key = JSON.stringify([folded(rule.prefix), rule.rootId, rule.folder]);
      const vote = votes.get(key) ?? { rule, count: 0 };
      votes.set(key, { ...vote, count: vote.count + 1 });
    }
  }
  const best = [...votes.values()].sort(
    (a, b) =>
      b.count - a.count || a.rule.prefix.length - b.rule.prefix.length || a.rule.folder.length - b.rule.folder.length || order(a, b),
  );
  return support(
    useful(
      best.slice(0, MOST_GUESSES).map(({ rule }) => rule),
      items,
      known,
    ),
    items,
    known,
  );
}

interface Parts {
  windows: boolean;
  separator: '/' | '\\';
  /** what stands before the first name: "/", "\\\\" of a share, "" of a drive */
  front: string;
  names: string[];
}

/** null: relative, empty, or with a name in it that is none. */
function partsOf(path: string): Parts | null {
  if (path.length > LONGEST) return null;
  const share = /^(?:\\\\|\/\/)(?=[^\\/])/.test(path);
  const windows = share || /^[A-Za-z]:(?:[\\/]|$)/.test(path);
  if (!windows && !path.startsWith('/')) return null;
  const separator = windows && (path.includes('\\') || !path.includes('/')) ? '\\' : '/';
  const names = path.split(windows ? /[\\/]+/ : /\/+/).filter((name) => name !== '');
  if (names.some(isNoName)) return null;
  return { windows, separator, front: share ? separator.repeat(2) : windows ? '' : '/', names };
}

const LONGEST = 4096;

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

function isNoName(name: string): boolean {
  return name === '.' || name === '..' || name.includes('\0');
}

/** How many names of the prefix the path begins with: all of them, or null. */
function under(path: Parts, prefix: Parts | null): number | null {
  if (prefix === null || prefix.windows !== path.windows) return null;
  if (path.windows && (prefix.front === '') !== (path.front === '')) return null;
  const same = path.windows
    ? (a: string, b: string | undefined) => folded(a) === folded(b ?? '')
    : (a: string, b: string | undefined) => a === b;
  return prefix.names.every((name, at) => same(name, path.names[at])) ? prefix.names.length : null;
}

function longest(rules: readonly PathRule[], lengthOf: (rule: PathRule) => number | null): { rule: PathRule; length: number } | null {
  let best: { rule: PathRule; length: number } | null = null;
  for (const rule of rules) {
    const length = lengthOf(rule);
    if (length !== null && (best === null || length > best.length)) best = { rule, length };
  }
  return best;
}

function folded(text: string): string {
  return text.toLowerCase();
}

type Known = Map<string, (PlacedFile & { sizeBytes: number; names: string[] })[]>;
type Item = { path: string; sizeBytes: number | null };

/** More files of one name than this say nothing ("sample.mkv"). */
const CROWD = 20;
const MOST_GUESSES = 200;

function byName(files: readonly (PlacedFile & { sizeBytes: number })[]): Known {
  const known: Known = new Map();
  for (const file of files) {
    const names = namesOf(file.path);
    const key = folded(names.at(-1) ?? '');
    const list = known.get(key);
    if (list) list.push({ ...file, names });
    else known.set(key, [{ ...file, names }]);
  }
  return known;
}

/** One rule for each file that could be this item, made from all that both paths share at their ends. */
function guesses(item: Item, known: Known): PathRule[] {
  const parts = partsOf(item.path);
  if (parts === null) return [];
  const least = parts.front.length === 2 ? 2 : 1;
  const candidates = (known.get(folded(parts.names.at(-1) ?? '')) ?? []).filter(
    (file) => item.sizeBytes === null || file.sizeBytes === item.sizeBytes,
  );
  if (candidates.length > CROWD) return [];
  return candidates.flatMap((file) => {
    const most = Math.min(parts.names.length - least, file.names.length);
    let shared = 0;
    while (shared < most && sameName(parts, parts.names.at(-1 - shared)!, file.names.at(-1 - shared)!)) shared++;
    // without a size, a file name alone is no evidence
    if (shared < (item.sizeBytes === null ? 2 : 1)) return [];
    const prefix = parts.names.slice(0, parts.names.length - shared);
    const drive = parts.windows && parts.front === '' && prefix.length === 1 ? parts.separator : '';
    return {
      prefix: parts.front + prefix.join(parts.separator) + drive,
      rootId: file.rootId,
      folder: file.names.slice(0, file.names.length - shared).join('/'),
    };
  });
}

function sameName({ windows }: Parts, a: string, b: string): boolean {
  return windows ? folded(a) === folded(b) : a === b;
}

/** Each rule in its turn, if it places files right that those before it do not. */
function useful(best: PathRule[], items: readonly Item[], known: Known): PathRule[] {
  const chosen: PathRule[] = [];
  let open = [...items];
  for (const rule of best) {
    if (open.length === 0) break;
    if (chosen.some(({ prefix }) => folded(prefix) === folded(rule.prefix))) continue;
    const left = open.filter((item) => !isPlacedRight(item, [rule], known));
    if (left.length === open.length) continue;
    chosen.push(rule);
    open = left;
  }
  return chosen;
}

function isPlacedRight(item: Item, rules: readonly PathRule[], known: Known): boolean {
  const place = placeOf(item.path, rules);
  if (place === null) return false;
  const name = namesOf(place.path).at(-1) ?? '';
  return (known.get(folded(name)) ?? []).some(
    (file) =>
      file.rootId === place.rootId &&
      (file.path === place.path || (partsOf(item.path)?.windows === true && folded(file.path) === folded(place.path))) &&
      (item.sizeBytes === null || file.sizeBytes === item.sizeBytes),
  );
}

function support(rules: PathRule[], items: readonly Item[], known: Known): PathProposal[] {
  const proposals = rules.map((rule) => ({ ...rule, matched: 0, of: 0 }));
  for (const item of items) {
    const parts = partsOf(item.path);
    const found = parts && longest(proposals, ({ prefix }) => under(parts, partsOf(prefix)));
    if (!found) continue;
    const proposal = found.rule as PathProposal;
    proposal.of++;
    if (isPlacedRight(item, proposals, known)) proposal.matched++;
  }
  return proposals.filter(({ matched }) => matched > 0).sort((a, b) => b.matched - a.matched);
}

function order(a: { rule: PathRule }, b: { rule: PathRule }): number {
  const [x, y] = [a, b].map(({ rule }) => JSON.stringify([rule.prefix, rule.rootId, rule.folder])) as [string, string];
  return x < y ? -1 : x > y ? 1 : 0;
}
