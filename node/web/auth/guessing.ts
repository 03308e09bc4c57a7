import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { addressLimit, nameKey, waitAfter, type Access } from '../../core/access.ts';
import type { Queryable } from '../../db/connect.ts';
import { readThrottles } from '../../db/throttles.ts';
import { refuse } from '../errors.ts';

/**
 * Guessing passwords is made slow, and nobody is locked out: a wait of seconds that grows to five minutes, then one more try. A
 * browser in which somebody signed in before has its own count, so that a stranger who guesses at his name does not keep him out.
 */
export interface Guessing {
  /**
   * Counts this try before it is known whether it is right, so that fifty at once are fifty. Resolves with what to call when it was right.
   * @throws Refusal `wait` with the number of seconds
   */
  begin(who: {
    name: string;
    userId: number | null;
    known: string | undefined;
    address: string;
  }): Promise<{ wrong(): Promise<void>; right(): Promise<void> }>;
  /** for the cookie of a browser in which this person has just signed in */
  mark(userId: number): string;
}

export function createGuessing({ db, access, secret }: { db: Queryable; access: Access; secret: string }): Guessing {
  const key = createHmac('sha256', secret).update('known browser').digest();
  const sign = (userId: number, nonce: string): string => createHmac('sha256', key).update(`${userId} ${nonce}`).digest('base64url');

  return {
    async begin({ name, userId, known, address }) {
      const account =
        userId !== null && isKnown(userId, known)
          ? `known:${userId}:${known!.slice(0, 16)}`
          : userId === null
            ? `name:${hash(name)}`
            : `user:${userId}`;
      const place = `address:${prefixOf(address)}`;
      const before = new Map((await readThrottles(db, [account, place])).map((row) => [row.key, row]));
      const mine = before.get(account);
      if (mine) later(waitAfter(mine.failures) - mine.sinceLast);
      const theirs = before.get(place);
      if (theirs && theirs.failures >= addressLimit.failures) later(addressLimit.windowSeconds - theirs.sinceFirst);
      const count = await access.failed(account, null);
      // of many at the same moment only as many go on as would have one after the other
      if (waitAfter(count - 1) > 0 && (mine?.failures ?? 0) < count - 1) later(waitAfter(count - 1));
      return {
        wrong: async () => void (await access.failed(place, addressLimit.windowSeconds)),
        right: () => access.succeeded([account]),
      };
    },
    mark(userId) {
      const nonce = randomBytes(16).toString('base64url').slice(0, 16);
      return `${nonce}.${sign(userId, nonce)}`;
    },
  };

  function isKnown(userId: number, cookie: string | undefined): boolean {
    const [nonce, signature] = (cookie ?? '').split('.');
    if (!nonce || nonce.length !== 16 || !signature) return false;
    const right = Buffer.from(sign(userId, nonce));
    const given = Buffer.from(signature);
    return right.length === given.length && timingSafeEqual(right, given);
  }

  function hash(name: string): string {
    return createHmac('sha256', key).update(nameKey(name).slice(0, 200)).digest('hex').slice(0, 32);
  }
}

/** The part of an address that belongs to one household: all of IPv4, the first half of IPv6. */
export function prefixOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!isIPv6(plain)) return plain.slice(0, 64);
  const [head = '', tail] = plain.split('::');
  const left = head.split(':').filter(Boolean);
  const right = tail === undefined ? [] : tail.split(':').filter(Boolean);
  const missing = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  return `${[...left, ...Array<string>(missing).fill('0'), ...right].slice(0, 4).join(':')}::/64`;
}

function later(seconds: number): void {
  if (seconds <= 0) return;
  const wait = Math.max(1, Math.ceil(seconds));
  throw refuse(
    'wait',
    `Too many wrong tries. Try again in ${wait === 1 ? 'one second' : wait < 120 ? `${wait} seconds` : `${Math.ceil(wait / 60)} minutes`}.`,
  );
}
