/**
 * The shapes of secrets that nobody told of. Each is looked for only where one of its marks stands in the text: most lines have
 * none, and cost no more than a search for these marks. What a person needs to understand a line stays: the name, the server,
 * the rest of a command, and a word that is no secret (`token expired`, `--token is missing`).
 */
export interface Shape {
  /** in small letters; one of them is in every text with this shape */
  marks: readonly string[];
  find: RegExp;
  instead: string | ((...found: string[]) => string);
}

export const CENSORED = '[secret]';
const GONE = String.raw`(?!\\*["'\x60“]?\[secret\])`;

/** Names of fields and parameters whose value is a secret, whatever it looks like, and whatever stands before it in the name. */
export const NAMES = String.raw`(?:passwor[dt]|passwd|passphrase|secret|token|api[ _-]?key|credential|private[_-]?key|signature|authorization|cookie)[\w-]{0,60}`;
const nameMarks = ['passw', 'passphrase', 'secret', 'token', 'key', 'credential', 'signature', 'authorization', 'cookie'];
/** …and those that only sound like it. A file is where a secret lies, and not what it is. */
export const harmlessName = /^(?:tokens?[_-]?(?:id|label|name|uses|hours|count)|.*[_-]?file)$/i;
/** Without their values: there are too many ways to say them. */
const SHORT_NAMES = String.raw`(?<![\w.-])(?:pass|pwd|bearer|codecshift_join|code_verifier|client_assertion|connect\.sid|(?:__host-)?cs_[a-z]+(?:_\w{1,20})?(?==))|sess(?:ion)?_?id`;
const shortMarks = ['pass', 'pwd', 'bearer', 'codecshift_join', 'code_verifier', 'client_assertion', '.sid', 'cs_', 'sess'];

/** Their values have blanks in them, up to the end of the line. */
const LONG_HEADERS = 'authorization|proxy-authorization|cookie|set-cookie';
export const HEADERS = `${LONG_HEADERS}|x-plex-token|x-emby-token|x-api-key|x-csrf-token|x-webhook-secret`;
const headerMarks = ['authorization', 'cookie', '-token', '-key', 'x-webhook'];
/** A value in quotation marks, up to the same mark: with as many backslashes before it, when it is JSON inside JSON. */
const QUOTED = String.raw`(\\*["'])[^\r\n]{0,8000}?(?<!\\)`;
const BARE = String.raw`[^\s"'&<>]+`;

/** Words after "--token" or "the token is" that tell how things stand. Whoever has such a word for a password has none. */
const plainWords = new Set(
  `a about above absent again all also an and another any are as at available back bad basic be bearer because been before behind being below beside better
   between both but by can cannot correct could current did different do does each either else empty enough equal false fine for free from
   given gone good had has have he held her here his how if in incorrect inside instead into invalid is it its just kept known left lets less little lost
   made may might missing more must my needs neither never new no none nor not nothing now null of off ok old older on once one only open or
   other our out over own plain possible private public put random read ready required right same secret sent set shall short should
   shown so some still string such text than that the their then there these they this those thrown to told too true under undefined unique
   unknown unsafe until up used valid wants was were what when where whether which while who why will with within without would wrong
   yet you your file value passphrase password token tokens key`.split(/\s+/),
);
/** "expired", "forgotten", "missing", "readable"; a name in capitals, as helps have it: --token FILE */
const endings = /^[A-Z]?[a-z]{1,12}(?:ed|en|ing|able|ible|less)$/;
const placeholder = /^(?:FILE|TOKEN|PASSWORD|PASSPHRASE|SECRET|KEY|NAME|VALUE|WORD|URL|PATH|X|\S{0,5}…)$/;

/** Is this word a part of a sentence, or a number that counts something? */
function isPlain(said: string): boolean {
  const word = said
    .replace(/^[“‘(]+/, '')
    .replace(/[.,;:!?)\]}’”]+$/, '')
    .replace(/['’]s$/, '');
  return word === '' || plainWords.has(word.toLowerCase()) || endings.test(word) || placeholder.test(word) || /^\d{1,3}$/.test(word);
}

/** At least eight characters, digits among the letters: nothing that anybody writes in a sentence, and no end of a film's name. */
const looksRandom =
  /^(?!\/|\w+:\/\/|\d{4}-\d\d-|.*\.(?:mkv|mp4|m4v|avi|mov|m?2?ts|wmv|mpe?g|webm|srt|nfo)\W*$)(?=\D*\d)(?=[^a-z]*[a-z]).{8,}$/i;

const censor = `$1${CENSORED}`;
const shape = (marks: readonly string[], find: RegExp, instead: Shape['instead'] = CENSORED): Shape => ({ marks, find, instead });
const all = (source: string): RegExp => new RegExp(source, 'gi');

/** Texts that are a secret by themselves. */
const whole: readonly Shape[] = [
  shape(['private key'], /-----BEGIN [A-Z\d ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z\d ]*PRIVATE KEY(?: BLOCK)?-----|$)/g),
  // the same once more in base64
  shape(['ls0tls1crudjti'], /LS0tLS1CRUdJTi[\w+/=-]{20,}/g),
  // join tokens and API tokens of our own
  shape(['csj1.'], /\bcsj1\.[\w.%-]+/g),
  shape(['cs_'], /\bcs_[a-z0-9]{10}_[\w-]{20,}/g),
  // the set-up token: five groups of letters and digits
  shape(['-'], /\b[0-9A-HJKMNP-TV-Z]{5}(?:-[0-9A-HJKMNP-TV-Z]{5,6}){4}\b/g),
  // what a provider says who somebody is with (a JSON web token), signed or encrypted
  shape(['eyj'], /\beyJ[\w-]{8,}(?:\.[\w-]*){2,4}/g),
  // tokens of ntfy, GitHub, GitLab and Slack, which say themselves what they are
  shape(
    ['tk_', 'ghp_', 'gho_', 'ghu_', 'ghs_', 'github_pat_', 'glpat-', 'xox'],
    /\b(?:tk_|gh[opsu]_|github_pat_|glpat-|xox[abeprs]-)[\w-]{16,}/g,
  ),
];

/** Services of Apprise whose address is all that one needs to send. */
const APPRISE =
  'aprs|apprises?|azure|bark|bluesky|brevo|bulksms|burstsms|chanify|chantify|clickatell|clicksend|d7sms|dapnet|dingtalk|discord|dot|' +
  'ems|emby|enigma2|evolution|exotel|fcm|feishu|flock|fluxer|forms?|freemobile|gchat|gotifys?|growl|guilded|hassios?|httpsms|ifttt|' +
  'jira|jsons?|kavenegar|kodi|kumulos|lametric|lark|line|mailgun|mailtos?|mastodons?|matrix(?:s)?|mmosts?|mqtts?|msgbird|msteams|' +
  'nasips?|ncloud|nctalks?|nexmo|notica|notifiarr|notificationapi|notifico|ntfys?|ntfys|o365|onesignal|opsgenie|pagerduty|pagertree|' +
  'parseps?|pbul|plivo|popcorn|prowl|pover|psafer|pushdeers?|pushed|pushme|pushplus|pushy|qq|reddit|resend|revolt|rockets?|ryver|' +
  'schan|sendgrid|sendpulse|seven|sfr|signals?|signl4|simplepush|sinch|slack|smpp|sms|smsmanager|smtp2go|sns|ses|sparkpost|' +
  'spike|splunk|spugpush|strmlabs|synologys?|tgram|threema|toots?|twilio|twist|twitter|vapid|victorops|viber|voipms|vonage|' +
  'webexteams|wecombot|whatsapp|workflows?|wxpusher|wxteams|xbmcs?|xmls?|zulip';
const PATH = String.raw`[\w%~@$:/+=-]+(?:\.[\w%~@$:/+=-]+)*`;

/** Addresses with a secret in them: as a whole, in the path, as a password, in a parameter. */
const addresses: readonly Shape[] = [
  shape(['hooks.slack.com'], all(String.raw`(\/\/hooks\.slack\.com\/)${GONE}${PATH}`), censor),
  shape(['webhooks'], all(String.raw`((?:\/|%2f)api(?:\/|%2f)(?:v\d+(?:\/|%2f))?webhooks(?:\/|%2f)\d+(?:\/|%2f))[\w-]+`), censor),
  shape(['bot'], /(\bbot\d{4,}:)[\w/-]+/g, censor),
  shape(['://'], all(String.raw`\b((?:${APPRISE}):\/\/)${GONE}[^\s"'<>,;]+`), censor),
  // ntfy: who knows the topic reads along
  shape(['ntfy'], all(String.raw`(:\/\/(?:[\w.-]{0,100}\.)?ntfy[\w.-]{0,100}(?::\d+)?\/)${GONE}(?!(?:v1|docs)\/)[\w-]+`), censor),
  shape(
    ['notify/', 'cfg/', 'urls/', 'hook', 'key/', 'hc-ping'],
    all(
      String.raw`(https?:\/\/[^\s"'<>]{0,300}?(?:\/(?:notify|cfg|json\/urls|webhooks?(?!\/\d+\/)|webhookb2|hooks?|with\/key)|\bhc-ping\.com)\/)${GONE}${PATH}`,
    ),
    censor,
  ),
  // an address of our own for webhooks, as a request has it
  shape(['/hooks/'], /(\/hooks\/)[\w-]{16,200}/g, censor),
  // user:password@ of an address; a name without a password stays. What looks like a port and a path is one
  shape(['@'], all(String.raw`\b([a-z][a-z\d+.-]{1,20}:\/\/[^\s/:@"'<>[]*:)${GONE}(?!\d{1,5}(?:[/?#,;)]|$))[^\s/"<>]*@`), `$1${CENSORED}@`),
  // …that of a database or of mail may hold slashes and quotation marks that nobody encoded
  shape(
    ['@'],
    all(
      String.raw`\b((?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|smtps?|imaps?|ldaps?|s?ftp|ssh|https?):\/\/[^\s/:@"'<>[]*:)${GONE}(?!\d{1,5}(?:[/?#,;)]|$))(?:[^\s"<>\\]|\\.){0,1000}@`,
    ),
    `$1${CENSORED}@`,
  ),
  // user:password@host without more; a word before an e-mail address is no name, and a digest no host
  shape(
    ['@'],
    all(
      String.raw`(?<![\w/.:@%+-])((?!(?:mailto|sips?|xmpp|acct|to|from|b?cc|by|users?|e?-?mail|address|sender|recipient|rcpt|login|name|account|person|admin|owner|npm|file):)[a-z][\w.+-]{0,63}:)${GONE}(?![\\/])[^\s"'<>]{3,200}@(?!sha\d)(?=[\w[])`,
    ),
    `$1${CENSORED}@`,
  ),
  shape(['?', '&'], all(String.raw`([?&](?:code|state|session|sid|auth|key|sig|nonce)=)${GONE}[^\s&#"'<>]+`), censor),
  // the same inside an address that is itself a part of an address: X-Plex-Token%3D…
  shape(nameMarks, all(String.raw`(${NAMES}(?:%(?:25){0,3}(?:22|3[ad])|:)+)${GONE}(?:(?!%(?:25){0,3}(?:26|22))[^\s&"'<>])+`), keepPlain),
];

/** Headers: in a list of names and values, with quotation marks, a list of them, and as they are sent. */
const headers: readonly Shape[] = [
  shape(headerMarks, all(String.raw`(["'](?:${HEADERS})["']\s*,\s*)${QUOTED}\2`), `$1$2${CENSORED}$2`),
  shape(headerMarks, all(String.raw`\b((?:${HEADERS})\\*["']?\s*[:=]\s*)${QUOTED}\2`), `$1$2${CENSORED}$2`),
  shape(headerMarks, all(String.raw`\b((?:${HEADERS})["']?\s*:\s*)\[(?!secret\])[^\]\r\n]{0,2000}\]`), `$1"${CENSORED}"`),
  shape(
    headerMarks,
    all(String.raw`\b((?:${LONG_HEADERS})\s*[:=](?!\s*(?:\[secret\]|["'\\]))\s*)((?:"[^"\r\n]*"|'[^'\r\n]*'|[^\r\n"'])+)`),
    (found, name, value) => (value!.trim().split(' ').every(isPlain) ? found! : `${name}${CENSORED}`),
  ),
  shape(['bearer', 'basic', 'digest'], all(String.raw`\b((?:bearer|basic|digest)\s+)${GONE}([^\s"'<>,;]{8,})`), (found, name, value) =>
    isPlain(value!) || /^(?:auth|access|credential|challenge|scheme|sha\d|algorithm)/i.test(value!) ? found! : `${name}${CENSORED}`,
  ),
  shape(
    ['auth '],
    all(
      String.raw`\b(auth (?:plain|login|xoauth2|oauthbearer|cram-md5|ntlm) )${GONE}(?!(?:plain|login|xoauth2|oauthbearer|cram-md5|ntlm)\b)[^\s"'<>]{4,}`,
    ),
    censor,
  ),
  shape(['token="'], all(String.raw`\b(token=")[^"]*(?=")`), censor),
  // <ApiKey>…</ApiKey>
  shape(['</'], all(String.raw`(<[\w:.-]{0,40}${NAMES}>)${GONE}[^<\r\n]+(?=<)`), censor),
];

const FLAG = String.raw`-{1,2}(?:[\w-]{1,40}-)?(?:passwor[dt]|passwd|passphrase|pass|pwd|secret|token|join|api-?key|credentials?|bearer|cookies?|private-key|signature)`;
/** A flag of a command line whose value is a secret. */
export const secretFlag = new RegExp(`^${FLAG}$`, 'i');
const WHAT = String.raw`(?:passwor[dt]s?|passwd|pass ?phrase|secret|token|bearer|(?:api|access|secret|private|signing|client)[ _-]?key|credentials?|cookie)`;
const OF = String.raw`(?:\s+(?:of|for|from|to|in|on|at|by)\s+(?:the\s+)?[^\s"']{1,60}){0,2}`;
const IS = String.raw`(?:(?:is|was|are|were|has been|will be|reads|equals)(?:\s+(?:now|still|set to|changed to|reset to))?|set to|changed to|reset to)`;

/** Command lines and sentences: a flag and its value, "the token is …", "with token …". */
const said: readonly Shape[] = [
  // a flag, its value, and how a list of words or JSON has them: '--token', '…'
  shape(
    [...nameMarks, '-join', '-pass', '-pwd', '-bearer'],
    all(String.raw`(?<![\w-])(${FLAG}(?:\s+|=|\\*["']\s*,\s*(?=\\*["'])))${GONE}(?:${QUOTED}\2|([^\s"'<>]+))`),
    flagged,
  ),
  shape(
    ['-u ', '-u=', '--user', '--proxy-user'],
    all(String.raw`(?<![\w-])((?:-u|--user|--proxy-user)[\s=]+)(\d+:\d+|[^\s:"']{1,100}:${GONE}[^\s"']+)`),
    (found, flag, pair) => (/^\d+:\d+$/.test(pair!) ? found! : `${flag}${pair!.slice(0, pair!.indexOf(':') + 1)}${CENSORED}`),
  ),
  shape(
    nameMarks,
    all(String.raw`(${WHAT}${OF}\s+${IS}:?\s+)${GONE}(?:(\\*["'\x60“])(?![,:}\]])([^"'\x60“”\r\n\\]{1,200})(?:\\*["'\x60”])|([^\s"'<>]+))`),
    (found, name, mark, quoted, bare) =>
      quoted !== undefined ? `${name}${mark}${CENSORED}${mark === '“' ? '”' : mark}` : isPlain(bare!) ? found! : `${name}${CENSORED}`,
  ),
  shape(
    nameMarks,
    all(String.raw`((?:passwor[dt]|passwd|pass ?phrase|secret|token|bearer|api[ _-]?key)\s+\\*["'\x60“]?)${GONE}([^\s"'\x60”<>\\]{8,})`),
    (found, name, value) => (looksRandom.test(value!) && !isPlain(value!) ? `${name}${CENSORED}` : found!),
  ),
];

/** ?X-Plex-Token=…, #token=…, &api_key=…, password: "…"; quotation marks may be escaped */
const named = shape(
  [...nameMarks, ...shortMarks],
  all(String.raw`(${NAMES}|${SHORT_NAMES})(\\*["']?\s*[:=]\s*)(?!\\*["']?\[secret\])(?:${QUOTED}\3|(\\*["']?)(${BARE}))`),
  (found, name, between, quote, mark = '', bare = '') => {
    if (harmlessName.test(name!)) return found!;
    if (quote !== undefined) return found!.endsWith(quote + quote) ? found! : `${name}${between}${quote}${CENSORED}${quote}`;
    // "tokens": 3 in JSON is a number and stays one
    const isNumber = mark === '' && noText.test(bare) && (/["']\s*:\s*$/.test(between!) || /^pass$/i.test(name!));
    const isCount = /s$/i.test(name!) && /^\d{1,4}\W*$/.test(bare);
    const isNothing = mark === '' && /^(?:null|none|undefined|true|false|\$\d)?\W*$/i.test(bare);
    const isSentence = /:\s+$/.test(between!) && isPlain(bare);
    return isNumber || isCount || isNothing || isSentence ? found! : `${name}${between}${mark}${CENSORED}`;
  },
);
/** What follows such a name in JSON without being a text; and a number of passes, which ffmpeg has too. */
const noText = /^(?:(?:null|true|false|-?\d[\d.e+-]*)(?:[,}\]]|$)|[[{])/i;

/** In this order: what is whole first, so that nothing of it is left when a part was found. */
export const shapes: readonly Shape[] = [...whole, ...addresses, ...headers, ...said, named];

function keepPlain(found: string, name?: string): string {
  return harmlessName.test((name ?? '').replace(/(?:%(?:25)*(?:22|3[ad])|:)+$/i, '')) ? found : `${name}${CENSORED}`;
}

function flagged(found: string, flag?: string, quote?: string, bare?: string): string {
  if (quote !== undefined) return `${flag}${quote}${CENSORED}${quote}`;
  const isPass = /-pass[\s=]*$/i.test(flag!) && /^\d\b/.test(bare!);
  return isPass || /^--?[a-z]+(?:-[a-z]+)*$/.test(bare!) || isPlain(bare!) ? found : `${flag}${CENSORED}`;
}
