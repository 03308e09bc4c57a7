/**
 * Whether a path inside a library matches one of a person's patterns: `*` and `?` stay inside one folder name, `**` spans
 * folders, letters match in any case. A pattern without a slash matches any folder or file name on the way ("Extras",
 * "*.sample.*"); one with a slash starts at the library's root. A matched folder takes everything below it along.
 * No regular expressions: a pattern like `*a*a*a*a*b` would hang one.
 */
export function matchesGlob(path: string, pattern: string): boolean {
  const names = split(path);
  const parts = split(pattern);
  if (parts.length === 0 || names.length === 0) return false;
  if (!pattern.trim().replace(/\/+$/, '').includes('/')) return names.some((name) => nameMatches(name, parts[0]!));
  return pathMatches(names, parts);
}

/** The first pattern that matches, or null. */
export function firstMatch(path: string, patterns: readonly string[]): string | null {
  return patterns.find((pattern) => matchesGlob(path, pattern)) ?? null;
}

function split(text: string): string[] {
  return text
    .trim()
    .normalize('NFC')
    .toLowerCase()
    .split('/')
    .filter((part) => part !== '' && part !== '.');
}

/** `reached` holds the positions in the pattern that the names so far can stand at. */
function pathMatches(names: string[], parts: string[]): boolean {
  let reached = closure(new Set([0]), parts);
  for (const name of names) {
    const next = new Set<number>();
    for (const at of reached) {
      if (parts[at] === '**') next.add(at);
      else if (at < parts.length && nameMatches(name, parts[at]!)) next.add(at + 1);
    }
    reached = closure(next, parts);
    if (reached.has(parts.length)) return true;
  }
  return false;
}

/** `**` also stands for no folder at all. */
function closure(positions: Set<number>, parts: string[]): Set<number> {
  for (const at of positions) if (parts[at] === '**') positions.add(at + 1);
  return positions;
}

/** Greedy with one point of return: linear for all practical names, never exponential. */
function nameMatches(text: string, pattern: string): boolean {
  const name = [...text];
  const glob = [...pattern.replace(/\*+/g, '*')];
  let n = 0;
  let g = 0;
  let star = -1;
  let mark = 0;
  while (n < name.length) {
    if (g < glob.length && glob[g] === '*') {
      star = g++;
      mark = n;
    } else if (g < glob.length && (glob[g] === '?' || glob[g] === name[n])) {
      n += 1;
      g += 1;
    } else if (star >= 0) {
      g = star + 1;
      n = ++mark;
    } else return false;
  }
  while (glob[g] === '*') g += 1;
  return g === glob.length;
}
