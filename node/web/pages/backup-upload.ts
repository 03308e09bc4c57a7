import type { Hono } from 'hono';
import { refuse } from '../errors.ts';
import { firstFile } from '../multipart.ts';
import { url } from '../routes.ts';
import type { Ctx, Env, Web } from '../web.ts';

/** Takes a backup that a person sends: as it comes, into a file. Before the limits of time and size that every other form has. */
export function backupUpload(app: Hono<Env>, web: Web): void {
  app.post('/settings/backup/upload', async (context) => {
    const c = context as Ctx;
    const { backups } = web;
    const body = c.req.raw.body;
    if (!backups || !body) throw refuse('not-found');
    const type = c.req.header('content-type') ?? '';
    return web.act(
      c,
      async () => {
        const name = await backups.take(firstFile(body, type), c.get('actor'), c.req.raw.signal);
        return `${name} is here. Verify it before you rely on it.`;
      },
      { back: url.settings('backup') },
    );
  });
}
