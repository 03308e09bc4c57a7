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

/** Names of fields and parameters whose value is a secret, whatever it looks like, and whatever stands before it in the name. */
const NAMES = String.raw`(?:passwor[dt]|passwd|passphrase|secret|token|api[_-]?key|apikey|credential|private[_-]?key|signature|authorization|cookie)[\w-]{0,60}`;
const secretName = new RegExp(String.raw`^[\w.-]*${NAMES}$`, 'i');
/** …and those that only sound like it. */
const harmlessName = /^(tokens|token_?(id|label|name|uses|hours|count)|secret_?key_?file)$/i;

const HEADERS = 'authorization|proxy-authorization|cookie|set-cookie|x-plex-token|x-emby-token|x-api-key|x-csrf-token';
const headerName = new RegExp(`^(?:${HEADERS})$`, 'i');
/** A value in quotation marks, up to the same mark: with as many backslashes before it, when it is JSON inside JSON. */
const QUOTED = String.raw`(\\*["'])[^\r\n]{0,8000}?(?<!\\)`;

const shapes: readonly [RegExp, string][] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, CENSORED],
  // join tokens and API tokens of our own
  [/\bcsj1\.[\w.%-]+/g, CENSORED],
  [/\bcs_[a-z0-9]{10}_[\w-]{20,}/g, CENSORED],
  // the set-up token: five groups of letters and digits
  [/\b[0-9A-HJKMNP-TV-Z]{5}(?:-[0-9A-HJKMNP-TV-Z]{5,6}){4}\b/g, CENSORED],
  // what a provider says who somebody is with (a JSON web token)
  [/\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g, CENSORED],
  // addresses that are a secret as a whole: Discord, Slack, Telegram
  [/(\/api\/(?:v\d+\/)?webhooks\/\d+\/|\/\/hooks\.slack\.com\/services\/|\bbot\d{4,}:|\btgram:\/\/\d+:)[\w/-]+/g, `$1${CENSORED}`],
  // user:password@ of an address; a name without a password stays. A database's may hold a slash that nobody encoded
  [/\b(postgres(?:ql)?:\/\/[^\s/:@"<>]*):([^\s"<>]{0,1000})@/gi, `$1:${CENSORED}@`],
  [/\b([a-z][a-z\d+.-]{1,20}:\/\/[^\s/:@"'<>]*):([^\s/"<>]*)@/gi, `$1:${CENSORED}@`],
  // a header in a list of names and values, one with quotation marks around it, a list of them, and one as it is sent
  [new RegExp(String.raw`(["'](?:${HEADERS})["']\s*,\s*)${QUOTED}\2`, 'gi'), `$1$2${CENSORED}$2`],
  [new RegExp(String.raw`\b((?:${HEADERS})\\*["']?\s*[:=]\s*)${QUOTED}\2`, 'gi'), `$1$2${CENSORED}$2`],
  [new RegExp(String.raw`\b((?:${HEADERS})["']?\s*:\s*)\[(?!secret\])[^\]\r\n]{0,2000}\]`, 'gi'), `$1"${CENSORED}"`],
  [
    new RegExp(String.raw`\b((?:${HEADERS})\s*[:=](?!\s*(?:\[secret\]|["'\\]))\s*)(?:"[^"\r\n]*"|'[^'\r\n]*'|[^\r\n"'])+`, 'gi'),
    `$1${CENSORED}`,
  ],
  [/\b(bearer|basic|digest)(\s+)[\w.~+/=:-]{8,}/gi, `$1$2${CENSORED}`],
  [/\b(token)="[^"]*"/gi, `$1="${CENSORED}"`],
  [/([?&](?:code|state|session|sid|auth|key|sig|nonce)=)[^\s&#"'<>]+/gi, `$1${CENSORED}`],
];

/** ?X-Plex-Token=…, #token=…, &api_key=…, password: "…"; quotation marks may be escaped */
const namedValue = new RegExp(
  String.raw`(${NAMES}|(?<![\w.-])(?:pass|pwd|sessionid|code_verifier|client_assertion))(\\*["']?\s*[:=]\s*)(?!\\*["']?\[secret\])(?:${QUOTED}\3|(\\*["']?)([^\s"'&<>]+))`,
  'gi',
);
/** The same inside an address that is itself a part of an address: X-Plex-Token%3D… */
const encodedValue = new RegExp(
  String.raw`(${NAMES}(?:%(?:25){0,3}(?:22|3[ad])|:)+)(?!\[secret\])(?:(?!%(?:25){0,3}(?:26|22))[^\s&"'<>])+`,
  'gi',
);
/** What follows such a name in JSON without being a text; and a number of passes, which ffmpeg has too. */
const noText = /^(?:(?:null|true|false|-?\d[\d.e+-]*)(?:[,}\]]|$)|[[{])/i;

/** The text without anything that is secret. It may be any text: a message, a stack, a command, JSON. */
export function redact(text: string): string {
  let clean = text;
  for (const secret of known) if (clean.includes(secret)) clean = clean.replaceAll(secret, CENSORED);
  for (const [shape, instead] of shapes) clean = clean.replace(shape, instead);
  clean = clean.replace(encodedValue, `$1${CENSORED}`);
  return clean.replace(namedValue, (all, name: string, between: string, quote?: string, mark = '', bare?: string) => {
    if (quote !== undefined) return all.endsWith(quote + quote) ? all : `${name}${between}${quote}${CENSORED}${quote}`;
    // "tokens": 3 in JSON is a number and stays one
    const isNumber = mark === '' && noText.test(bare ?? '') && (/["']\s*:\s*$/.test(between) || /^pass$/i.test(name));
    return isNumber ? all : `${name}${between}${mark}${CENSORED}`;
  });
}

/** The same for everything inside a plain value. Deeper than `depth` or in a circle it is left out. */
export function redactDeep(value: unknown, depth = 8, secret = false): unknown {
  if (typeof value === 'string') return secret && value !== '' ? CENSORED : redact(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth <= 0) return '[…]';
  // Node.js lists headers as [name, value, name, value]
  const isHeader = (before: unknown): boolean => typeof before === 'string' && headerName.test(before);
  if (Array.isArray(value)) return value.map((each, at) => redactDeep(each, depth - 1, secret || isHeader(value[at - 1])));
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [redact(name), redactDeep(inner, depth - 1, secret || isSecretName(name))]),
  );
}

export function isSecretName(name: string): boolean {
  return secretName.test(name) && !harmlessName.test(name);
}
