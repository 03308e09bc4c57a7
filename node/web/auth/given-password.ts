import { randomBytes } from 'node:crypto';

/** 100 random bits that can be read aloud. */
export function givenPassword(): string {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
  const text = [...randomBytes(64)]
    .filter((byte) => byte < 248)
    .map((byte) => letters[byte % 31])
    .join('');
  return [0, 5, 10, 15].map((at) => text.slice(at, at + 5)).join('-');
}
