import { argon2 as builtIn, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { refuse } from '../errors.ts';
import { commonPasswords } from './common-passwords.ts';

/**
 * Passwords as argon2id, in the PHC form that every implementation reads. The npm package is several times faster where its
 * binary loads; elsewhere the runtime's own does the same, so that no machine ever needs a compiler.
 *
 * One hash takes 46 MB: only two are made at once, twenty wait, and whoever comes then is told to come again. A house that
 * encodes films must not lose its memory to somebody who guesses.
 */
export interface Passwords {
  /** PHC string. @throws Refusal `busy` when too many wait */
  hash(password: string): Promise<string>;
  /** `hash` null: nobody has this name; it takes as long as if somebody had. @throws Refusal `busy` */
  verify(hash: string | null, password: string): Promise<boolean>;
}

export type Engine = (wish: {
  password: Buffer;
  salt: Buffer;
  memory: number;
  passes: number;
  parallelism: number;
  length: number;
}) => Promise<Buffer>;

/** OWASP's first choice; a stored hash of any other is made anew at the next sign-in. */
const today = { memory: 47_104, passes: 1, parallelism: 1, length: 32 } as const;
const AT_ONCE = 2;
const WAITING = 20;

export function createPasswords(engine: () => Promise<Engine> = bestEngine): Passwords {
  let running = 0;
  const waiting: (() => void)[] = [];
  let decoy: Promise<string> | null = null;

  return {
    hash: (password) => inTurn(() => make(password)),
    async verify(hash, password) {
      const against = hash ?? (await (decoy ??= inTurn(() => make(randomBytes(18).toString('base64url')))));
      const right = await inTurn(() => compare(against, password));
      return hash !== null && right;
    },
  };

  async function make(password: string): Promise<string> {
    const salt = randomBytes(16);
    const made = await (await engine())({ password: bytesOf(password), salt, ...today });
    return `$argon2id$v=19$m=${today.memory},t=${today.passes},p=${today.parallelism}$${base64(salt)}$${base64(made)}`;
  }

  async function compare(hash: string, password: string): Promise<boolean> {
    const known = parse(hash);
    if (!known) return false;
    const made = await (await engine())({ ...known, password: bytesOf(password), length: known.made.length });
    return made.length === known.made.length && timingSafeEqual(made, known.made);
  }

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= AT_ONCE) {
      if (waiting.length >= WAITING) throw refuse('busy');
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  }
}

/** Was it made with other numbers than today's? */
export function needsRehash(hash: string): boolean {
  const known = parse(hash);
  return !known || known.memory !== today.memory || known.passes !== today.passes || known.parallelism !== today.parallelism;
}

/** Why a password is too weak; null when it may be used. No rules of composition: length, and that nobody would guess it. */
export function passwordProblem(password: string, name: string): string | null {
  const length = [...password].length;
  if (length < 12) return 'A password has at least 12 characters. A few words in a row are easy to remember.';
  if (length > 128) return 'A password has at most 128 characters.';
  const low = password.normalize('NFKC').toLowerCase();
  if (name && low.replaceAll(name.toLowerCase(), '').length < 8) return 'This password is little more than the name.';
  if (new Set(low).size < 5) return 'This password repeats the same few characters.';
  return isCommon(low) ? 'This password is one of those that are tried first. Choose another one.' : null;
}

/** The package where its binary loads, else the runtime's own. Found out once. */
let best: Promise<Engine> | null = null;
export function bestEngine(): Promise<Engine> {
  return (best ??= packagedEngine().catch(() => builtInEngine));
}

export const builtInEngine: Engine = ({ password, salt, memory, passes, parallelism, length }) =>
  promisify(builtIn)('argon2id', { message: password, nonce: salt, memory, passes, parallelism, tagLength: length });

/** @throws when the package or its binary is not there */
export async function packagedEngine(): Promise<Engine> {
  const { hash } = await import('argon2');
  const engine: Engine = ({ password, salt, memory, passes, parallelism, length }) =>
    hash(password, { type: 2, raw: true, salt, memoryCost: memory, timeCost: passes, parallelism, hashLength: length });
  // loading says little: only a hash proves that it works here
  await engine({ password: Buffer.from('a'), salt: Buffer.alloc(16), memory: 64, passes: 1, parallelism: 1, length: 16 });
  return engine;
}

/** Bounded: a hash from a foreign database must not take the machine's memory. */
function parse(hash: string): { memory: number; passes: number; parallelism: number; salt: Buffer; made: Buffer } | null {
  const match = /^\$argon2id\$v=19\$m=(\d{1,6}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/.exec(hash);
  if (!match) return null;
  const [memory, passes, parallelism] = [Number(match[1]), Number(match[2]), Number(match[3])];
  if (memory > 262_144 || memory < 8 * parallelism || passes < 1 || parallelism < 1) return null;
  return { memory, passes, parallelism, salt: Buffer.from(match[4]!, 'base64'), made: Buffer.from(match[5]!, 'base64') };
}

function isCommon(low: string): boolean {
  if (commonPasswords.has(low)) return true;
  // "password2024!!" is "password" to whoever guesses, and so is "passwordpassword"
  const bare = low.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, '');
  if (bare.length > 0 && low.length - bare.length < 8 && commonPasswords.has(bare)) return true;
  const half = low.slice(0, low.length / 2);
  return half + half === low && commonPasswords.has(half);
}

/** The same letters typed on another system may be encoded in another way. */
function bytesOf(password: string): Buffer {
  return Buffer.from(password.normalize('NFC'), 'utf8');
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
