/**
 * The little XML that media servers answer: elements with attributes, no text. `<A b="1"><C/></A>` becomes
 * `{ b: '1', C: [{}] }`. Declarations and comments are passed over, document types are refused, so there is nothing to expand.
 * @returns null for anything that is not one whole, well-closed element
 */
export function readXml(text: string): { name: string; value: Record<string, unknown> } | null {
  const stack: Element[] = [];
  let root: Element | null = null;
  for (let at = text.indexOf('<'); at !== -1; at = text.indexOf('<', at)) {
    const end = endOf(text, at);
    if (end === -1) return null;
    const inside = text.slice(at + 1, end);
    at = end + 1;
    if (inside.startsWith('?') || inside.startsWith('!--')) continue;
    if (inside.startsWith('!') || (root !== null && stack.length === 0)) return null;
    if (inside.startsWith('/')) {
      if (stack.pop()?.name !== inside.slice(1).trim()) return null;
      continue;
    }
    const element = readElement(inside);
    if (element === null || stack.length > DEEPEST) return null;
    if (root === null) root = element;
    else add(stack.at(-1)!.value, element);
    if (!inside.endsWith('/')) stack.push(element);
  }
  return stack.length === 0 ? root : null;
}

interface Element {
  name: string;
  value: Record<string, unknown>;
}

const DEEPEST = 30;

/** Where a tag ends: a `>` in an attribute is none. */
function endOf(text: string, at: number): number {
  if (text.startsWith('<!--', at)) {
    const end = text.indexOf('-->', at);
    return end === -1 ? -1 : end + 2;
  }
  let quote = '';
  for (let i = at + 1; i < text.length; i++) {
    const letter = text[i]!;
    if (quote !== '') quote = letter === quote ? '' : quote;
    else if (letter === '"' || letter === "'") quote = letter;
    else if (letter === '>') return i;
    else if (letter === '<') return -1;
  }
  return -1;
}

function readElement(inside: string): Element | null {
  const name = /^[A-Za-z_][\w.:-]{0,100}/.exec(inside)?.[0];
  if (name === undefined) return null;
  const value: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [, key, double, single] of inside
    .slice(name.length)
    .matchAll(/([A-Za-z_][\w.:-]{0,100})\s{0,10}=\s{0,10}(?:"([^"]*)"|'([^']*)')/g)) {
    value[key!] = unescaped(double ?? single ?? '');
  }
  return { name, value };
}

function add(parent: Record<string, unknown>, { name, value }: Element): void {
  const siblings = parent[name];
  if (Array.isArray(siblings)) siblings.push(value);
  else parent[name] = [value];
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescaped(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-fA-F]{1,6})|([a-z]{2,4}));/g, (whole, decimal: string, hex: string, name: string) => {
    if (name) return ENTITIES[name] ?? whole;
    const code = decimal ? Number(decimal) : Number.parseInt(hex, 16);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
