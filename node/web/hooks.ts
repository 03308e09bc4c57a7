import { createHash } from 'node:crypto';
import type { Hono } from 'hono';
import { sourceOfHook } from '../db/sources.ts';
import { PlainError } from '../errors.ts';
import { url } from './routes.ts';
import type { Ctx, Env, Web } from './web.ts';

/**
 * Webhooks: what Plex, Jellyfin, Sonarr and Radarr say of their own accord. They stand before the gates of the pages (a
 * server sends neither Origin nor form token) and have gates of their own:
 *
 *   POST /hooks/<secret> ─▶ so many a minute from one address ─▶ is the secret one of ours? ─▶ so many a minute for it
 *                              └─ 429                              └─ 404                        └─ 429
 *        ─▶ at most 2 MB in 10 s ─▶ 200 at once ─▶ `hookCame`, when nobody waits for it any more
 *
 * A secret is looked up by its hash, so that time says nothing about it. It may also come as the password of Basic
 * authentication to /hooks, or in X-Webhook-Secret. What was sent is only a hint: the truth is read from the server itself,
 * so a stranger who guessed an address could make us look, and nothing else. Bodies and secrets are never logged.
 */
const MAX_BYTES = 2_000_000;
const MAX_MS = 10_000;
const PER_MINUTE = 30;
/** no secret of ours is longer; anything else is not even hashed */
const SECRET = /^[\w-]{16,200}$/;

export function hookRoutes(app: Hono<Env>, web: Web): void {
  const perAddress = createLimit(PER_MINUTE);
  const perSecret = createLimit(PER_MINUTE);

  const take = async (c: Ctx): Promise<Response> => {
    const now = performance.now();
    if (!perAddress(c.env?.visitor?.address ?? 'unknown', now)) return c.text('Too many messages.', 429);
    const secret = secretOf(c);
    const source = secret === null ? null : await sourceOfHook(web.db, createHash('sha256').update(secret).digest('hex'));
    if (secret === null || source === null) return c.text('Nothing here.', 404);
    if (!perSecret(String(source.id), now)) return c.text('Too many messages.', 429);
    const body = await readBody(c.req.raw);
    if (body === null) return c.text('Too large, or too slow.', 413);
    const json = await jsonOf(body, c.req.header('content-type') ?? '');
    if (json === undefined) web.log.warn({ source: source.name, bytes: body.length }, 'a webhook sent something that is no JSON');
    // nobody waits: a server that is kept waiting sends it again, or stops sending
    else
      void web.commands.hookCame(secret, { json }).catch((error: unknown) => {
        web.log.warn(
          { source: source.name, why: error instanceof Error ? error.name : 'unknown' },
          'a message of a webhook led to nothing',
        );
      });
    return c.text('ok');
  };
  const safe = (c: Ctx): Promise<Response> =>
    take(c).catch((error: unknown) => {
      web.log.warn({ why: whyOf(error) }, 'a webhook could not be taken');
      return c.text('Not now.', 503);
    });
  app.post('/hooks', safe);
  app.post('/hooks/:secret', safe);

  // From plex.tv the cookies of this site do not come along, and a page with forms would replace them; so this one has none,
  // and leads on from inside the site.
  app.get(url.signInDone(), (c) =>
    c.html(
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>CodecShift</title><meta http-equiv="refresh" content="0;url=${url.signIn()}"></head><body><p>Signed in. <a href="${url.signIn()}">Go on</a></p></body></html>`,
    ),
  );
}

/**
 * Is this, letter by letter, the address of a webhook? Then its Host may be whatever its server calls us. Anything that a
 * later reader could take for another path (`/hooks/../pause`) is none.
 */
export function isHook(path: string): boolean {
  return /^\/hooks(\/[\w-]{1,200})?$/.test(path);
}

/** A path as it may be logged. */
export function loggedPath(path: string): string {
  return path.startsWith('/hooks/') ? '/hooks/…' : path;
}

/** What went wrong, without a word of what was sent. */
function whyOf(error: unknown): string {
  if (error instanceof PlainError) return error.reason?.code ?? error.name;
  return error instanceof Error ? error.name : 'unknown';
}

function secretOf(c: Ctx): string | null {
  const [scheme, value = ''] = (c.req.header('authorization') ?? '').split(' ');
  const password = scheme?.toLowerCase() === 'basic' ? Buffer.from(value, 'base64').toString('utf8').split(':').slice(1).join(':') : null;
  const said = c.req.param('secret') ?? password ?? c.req.header('x-webhook-secret') ?? '';
  return SECRET.test(said) ? said : null;
}

/** Null: it was larger or slower than a message is. */
async function readBody(request: Request): Promise<Uint8Array | null> {
  const reader = request.body?.getReader();
  if (!reader) return new Uint8Array();
  const late = setTimeout(() => void reader.cancel().catch(() => {}), MAX_MS);
  const chunks: Uint8Array[] = [];
  const until = performance.now() + MAX_MS;
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (performance.now() >= until) return null;
      if (done) return Buffer.concat(chunks);
      size += value.length;
      if (size > MAX_BYTES) {
        void reader.cancel().catch(() => {});
        return null;
      }
      chunks.push(value);
    }
  } finally {
    clearTimeout(late);
  }
}

/** Of multipart (Plex sends a picture beside it) only the field `payload`. Undefined: it is no JSON. */
async function jsonOf(body: Uint8Array, type: string): Promise<unknown> {
  try {
    if (!/^multipart\/form-data\b/i.test(type)) return JSON.parse(Buffer.from(body).toString('utf8')) as unknown;
    const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData();
    const payload = form.get('payload');
    return typeof payload === 'string' ? (JSON.parse(payload) as unknown) : undefined;
  } catch {
    return undefined;
  }
}

/** So many in any minute for one key. Keys that were silent for a minute are forgotten, and so are the oldest of too many. */
export function createLimit(perMinute: number, maxKeys = 2000): (key: string, now: number) => boolean {
  const seen = new Map<string, number[]>();
  return (key, now) => {
    const times = (seen.get(key) ?? []).filter((at) => now - at < 60_000);
    const isFree = times.length < perMinute;
    if (isFree) times.push(now);
    seen.delete(key);
    seen.set(key, times);
    if (seen.size > maxKeys) seen.delete(seen.keys().next().value!);
    return isFree;
  };
}
