import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * What somebody at the machine itself knows: 128 random bits, on its console and in its data directory. It opens the first set-up,
 * and this machine's own pages while no coordinator is there who could tell who somebody is.
 *
 *   right ──▶ a cookie that holds a proof, never the token
 *   wrong ──▶ counted: ten a minute from one address, then nothing is compared; after fifty there is a new token
 */
export interface SetupToken {
  /** as it is shown: five groups of letters and digits */
  current(): string;
  check(given: string, address: string): 'right' | 'wrong' | 'too-many';
  /** what a browser keeps in place of the token; void as soon as there is a new one */
  proof(secret: string): string;
  proves(secret: string, proof: string | undefined): boolean;
}

const PER_MINUTE = 10;
const WRONG_BEFORE_NEW = 50;
// no I, L, O and U: nobody reads them wrong, and they are no words
const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** @param options `fixed`: given by the person who started the program; it stays. `onNew` hears every new one, also the first */
export function createSetupToken(options: { fixed?: string | null; onNew?: (token: string) => void; now?: () => number }): SetupToken {
  const now = options.now ?? (() => performance.now());
  const tries = new Map<string, { count: number; since: number }>();
  let wrong = 0;
  let token = options.fixed ?? make();
  options.onNew?.(token);

  return {
    current: () => token,
    check(given, address) {
      if (isTooMuch(address)) return 'too-many';
      if (given.length <= 200 && same(plain(given), plain(token))) return 'right';
      wrong++;
      if (wrong % WRONG_BEFORE_NEW === 0 && !options.fixed) {
        token = make();
        options.onNew?.(token);
      }
      return 'wrong';
    },
    proof: (secret) => proofOf(secret, token),
    proves: (secret, proof) => proof !== undefined && proof.length <= 100 && same(proof, proofOf(secret, token)),
  };

  function isTooMuch(address: string): boolean {
    const at = now();
    for (const [key, { since }] of tries) if (at - since > 60_000) tries.delete(key);
    // strangers with many addresses must not fill the memory
    const key = tries.size < 10_000 ? address : 'everybody';
    const entry = tries.get(key) ?? { count: 0, since: at };
    tries.set(key, entry);
    return ++entry.count > PER_MINUTE;
  }
}

/** Why a token that a person made up is none; null when it may be used. */
export function setupTokenProblem(token: string): string | null {
  return plain(token).length >= 20 && token.length <= 200 ? null : 'A set-up token has 20 to 200 letters and digits.';
}

function make(): string {
  const bytes = randomBytes(26);
  const text = [...bytes].map((byte) => letters[byte & 31]).join('');
  return [text.slice(0, 5), text.slice(5, 10), text.slice(10, 15), text.slice(15, 20), text.slice(20)].join('-');
}

/** As a person may type it: with or without dashes and spaces, in any case. */
function plain(token: string): string {
  return token.replace(/[\s-]/g, '').toUpperCase();
}

function proofOf(secret: string, token: string): string {
  return createHmac('sha256', secret)
    .update(`set-up token ${plain(token)}`)
    .digest('base64url');
}

function same(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHmac('sha256', 'compare').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
