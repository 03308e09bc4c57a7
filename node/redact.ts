/**
 * What must never be read in a log, a page or a support bundle. Two nets: values that this process knows to be secret, told by
 * whoever opens one (`keepSecret`), and the shapes of secrets that nobody told of: a token in an address, a password in a
 * database URL, a header. Whatever is replaced shows that something was there and nothing of what it was.
 */
const CENSORED = '[secret]';

/** Told secrets, newest last; a house has a few dozen. */
const known = new Set<string>();
const MOST_KNOWN = 2000;
/** A shorter one would blot out ordinary words, and protects nothing. */
const SHORTEST = 6;

/** This very text is never to be written anywhere. Told by whoever reads, makes or opens a secret. */
export function keepSecret(secret: string | null | undefined): void {
  if (typeof secret !== 'string' || secret.length < SHORTEST) return;
  for (const form of new Set([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])) {
    known.delete(form);
    known.add(form);
  }
  // the oldest go; what is in use is told again when it is opened again
  while (known.size > MOST_KNOWN) known.delete(known.values().next().value!);
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

/** The password inside an address is a secret, the rest is not. */
export function keepSecretOfUrl(address: string | null | undefined): void {
  if (typeof address !== 'string') return;
  const password = /^[a-z][\w+.-]*:\/\/[^\s/@]*?:([^\s/]*)@/i.exec(address)?.[1];
  if (password === undefined) return;
  keepSecret(password);
  try {
    keepSecret(decodeURIComponent(password));
  } catch {
    // a lone percent sign is a part of it
  }
}

/** Names of fields and parameters whose value is a secret, whatever it looks like. */
const NAMES = String.raw`[\w.-]*(?:passwor[dt]|passwd|passphrase|secret|token|api[_-]?key|apikey|credential|private[_-]?key|signature|authorization|cookie)[\w-]*`;
const secretName = new RegExp(`^${NAMES}$`, 'i');
/** …and those that only sound like it. */
const harmlessName = /^(tokens|token_?(id|label|name|uses|hours|count)|secret_?key_?file)$/i;

const shapes: readonly [RegExp, string][] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, CENSORED],
  // join tokens and API tokens of our own
  [/\bcsj1\.[\w.%-]+/g, CENSORED],
  [/\bcs_[a-z0-9]{10}_[\w-]{20,}/g, CENSORED],
  // the set-up token: five groups of letters and digits
  [/\b[0-9A-HJKMNP-TV-Z]{5}(?:-[0-9A-HJKMNP-TV-Z]{5,6}){4}\b/g, CENSORED],
  // user:password@ of an address; a name without a password stays
  [/\b([a-z][a-z\d+.-]{1,20}:\/\/[^\s/:@"'<>]*):([^\s/"'<>]*)@/gi, `$1:${CENSORED}@`],
  [
    /\b(authorization|proxy-authorization|cookie|set-cookie|x-plex-token|x-emby-token|x-api-key|x-csrf-token)(["']?\s*[:=]\s*["']?)[^\r\n"'}]+/gi,
    `$1$2${CENSORED}`,
  ],
  [/\b(bearer|basic|digest)(\s+)[\w.~+/=:-]{8,}/gi, `$1$2${CENSORED}`],
  [/\b(token)="[^"]*"/gi, `$1="${CENSORED}"`],
  [/([?&](?:code|state|session|sid|auth|key|sig)=)[^\s&#"'<>]+/gi, `$1${CENSORED}`],
];

/** ?X-Plex-Token=…, #token=…, &api_key=…, password: … */
const namedValue = new RegExp(String.raw`(^|[^\w.-])(${NAMES})(["']?\s*[:=]\s*["']?)(?!\[secret\])([^\s"'&;,#<>)}\]]+)`, 'gi');

/** The text without anything that is secret. It may be any text: a message, a stack, a command, JSON. */
export function redact(text: string): string {
  let clean = text;
  for (const secret of known) if (clean.includes(secret)) clean = clean.replaceAll(secret, CENSORED);
  for (const [shape, instead] of shapes) clean = clean.replace(shape, instead);
  return clean.replace(namedValue, (all, before: string, name: string, between: string, value: string) =>
    // "tokens": 3 in JSON is a number and stays one
    /^"\s*:\s*$/.test(between) && /^(null|true|false|-?\d[\d.e+-]*|[[{].*)$/i.test(value) ? all : `${before}${name}${between}${CENSORED}`,
  );
}

/** The same for everything inside a plain value. Deeper than `depth` or in a circle it is left out. */
export function redactDeep(value: unknown, depth = 8): unknown {
  if (typeof value === 'string') return redact(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth <= 0) return '[…]';
  if (Array.isArray(value)) return value.map((each) => redactDeep(each, depth - 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      redact(name),
      typeof inner === 'string' && inner !== '' && isSecretName(name) ? CENSORED : redactDeep(inner, depth - 1),
    ]),
  );
}

export function isSecretName(name: string): boolean {
  return secretName.test(name) && !harmlessName.test(name);
}
