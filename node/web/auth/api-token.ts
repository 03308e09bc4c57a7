import { randomBytes } from 'node:crypto';
import { keepSecret } from '../../redact.ts';
import { hashOf } from './sessions.ts';

/** A token for a program: `token` is told once, `hash` is kept, `id` names it in the books and begins the token. */
export function makeApiToken(): { id: string; token: string; hash: string } {
  const id = [...randomBytes(10)].map((byte) => 'abcdefghijklmnopqrstuvwxyz234567'[byte & 31]).join('');
  const token = `cs_${id}_${randomBytes(32).toString('base64url')}`;
  keepSecret(token);
  return { id, token, hash: hashOf(token) };
}
