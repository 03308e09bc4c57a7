import { CENSORED, HEADERS, harmlessName, NAMES, secretFlag, shapes } from './secret-shapes.ts';

/**
 * What must never be read in a log, a page or a support bundle. Two nets: values that this process knows to be secret, told by
 * whoever opens one (`keepSecret`), and the shapes of secrets that nobody told of (secret-shapes.ts): a token in an address, a
 * password in a database URL, a header, a sentence. Whatever is replaced shows that something was there and nothing of what it was.
 */

/** Told secrets, newest last; a house has a few dozen. */
const known = new Set<string>();
const MOST_KNOWN = 2000;
/** A shorter one would blot out ordinary words, and protects nothing. */
const SHORTEST = 6;

/** This very text is never to be written anywhere. Told by whoever reads, makes or opens a secret. */
export function keepSecret(secret: string | null | undefined): void {
  if (typeof secret !== 'string' || secret.length < SHORTEST) return;
  for (const form of formsOf(secret)) {
    known.delete(form);
    known.add(form);
  }
  // the oldest go; what is in use is told again when it is opened again
  while (known.size > MOST_KNOWN) known.delete(known.values().next().value!);
}

/** As it is; in an address, a form, and an address inside an address; in JSON, and in JSON inside JSON. */
function formsOf(secret: string): Set<string> {
  const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);
  const inAddress = encodeURIComponent(secret);
  const inForm = new URLSearchParams([['', secret]]).toString().slice(1);
  return new Set([secret, inAddress, inForm, encodeURIComponent(inAddress), inJson(secret), inJson(inJson(secret))]);
}

/**
 * What was sealed together: a secret of its own, or JSON in which some parts are one (a field called like a secret, or
 * everything below `values`) and others are addresses that help.
 */
export function keepSecretsIn(sealed: string): void {
  let parts: unknown = null;
  try {
    parts = JSON.parse(sealed);
  } catch {
    // a secret of its own
  }
  if (typeof parts === 'object' && parts !== null) keepParts(parts, false, 6);
  else keepSecret(sealed);
}

function keepParts(value: unknown, secret: boolean, depth: number): void {
  if (typeof value === 'string' && secret) keepSecret(value);
  if (typeof value !== 'object' || value === null || depth === 0) return;
  for (const [name, inner] of Object.entries(value)) keepParts(inner, secret || name === 'values' || isSecretName(name), depth - 1);
}

/** The password inside an address is a secret, and a parameter that is called like one; the rest is not. */
export function keepSecretOfUrl(address: string | null | undefined): void {
  if (typeof address !== 'string') return;
  for (const [name, value] of URL.parse(address)?.searchParams ?? []) if (isSecretName(name)) keepSecret(value);
  const password = /^[a-z][\w+.-]*:\/\/[^\s/@]*?:([^\s/]*)@/i.exec(address)?.[1];
  if (password === undefined) return;
  keepSecret(password);
  try {
    keepSecret(decodeURIComponent(password));
  } catch {
    // a lone percent sign is a part of it
  }
}

const secretName = new RegExp(String.raw`^[\w.-]*${NAMES}$`, 'i');
const headerName = new RegExp(`^(?:${HEADERS})$`, 'i');
/** Nothing shorter holds a name and a secret. */
const SHORTEST_TEXT = 5;

/** The text without anything that is secret. It may be any text: a message, a stack, a command, JSON. */
export function redact(text: string): string {
  if (text.length < SHORTEST_TEXT) return text;
  let clean = text;
  for (const secret of known) if (clean.includes(secret)) clean = clean.replaceAll(secret, CENSORED);
  const small = clean.toLowerCase();
  for (const { marks, find, instead } of shapes)
    if (marks.some((mark) => small.includes(mark))) clean = clean.replace(find, instead as (...found: string[]) => string);
  return clean;
}

/** The same for everything inside a plain value. Deeper than `depth` or in a circle it is left out. */
export function redactDeep(value: unknown, depth = 8, secret = false): unknown {
  if (typeof value === 'string') return secret && value !== '' ? CENSORED : redact(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth <= 0) return '[…]';
  if (Array.isArray(value)) return value.map((each, at) => redactDeep(each, depth - 1, secret || announces(value[at - 1], each)));
  // { name: 'Cookie', value: … }, as some programs list headers and fields
  const called = [(value as Loose)['name'], (value as Loose)['key'], (value as Loose)['header']].some(isSecretWord);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      redact(name),
      redactDeep(inner, depth - 1, secret || isSecretName(name) || (called && name === 'value')),
    ]),
  );
}

export function isSecretName(name: string): boolean {
  return secretName.test(name) && !harmlessName.test(name);
}

type Loose = Record<string, unknown>;

function isSecretWord(name: unknown): boolean {
  return typeof name === 'string' && (headerName.test(name) || isSecretName(name));
}

/** Node.js lists headers as [name, value, name, value], and a command is a list of words: ['--join', …]. */
function announces(before: unknown, value: unknown): boolean {
  if (typeof before !== 'string') return false;
  return headerName.test(before) || (secretFlag.test(before) && typeof value === 'string' && !/^(?:--|\d$)/.test(value));
}
