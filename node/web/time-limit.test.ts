import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hono } from 'hono';
import { emptyBooks, webParts } from '../testing/web.ts';
import { explain } from './errors.ts';
import { createApp } from './server.ts';
import { answerMs, timeLimit } from './time-limit.ts';
import type { Env } from './web.ts';

// each waits for somebody else, who has a limit of his own
const slow = [
  'POST /logs/support-bundle',
  'POST /api/v1/logs/support-bundle',
  'POST /settings/notifications/:id/test',
  'POST /api/v1/notifications/:id/test',
  'POST /sources/add/:kind',
  'POST /sources/keep',
  'POST /sources/:id/change',
  'POST /sources/:id/refresh',
  'POST /api/v1/sources',
  'POST /api/v1/sources/try',
  'POST /api/v1/sources/:id',
  'POST /api/v1/sources/:id/refresh',
];

test('a page ends after half a minute, and what waits for somebody else is waited for longer', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const app = new Hono<Env>();
  const bundle = Promise.withResolvers<void>();
  app.use(timeLimit());
  app.onError((error, c) => c.text(error.message, explain(error, '').status as 504));
  app.get('/queue', () => new Promise<never>(() => {}));
  app.post('/logs/support-bundle', (c) => bundle.promise.then(() => c.text('whole')));
  const [page, made] = [app.request('/queue'), app.request('/logs/support-bundle', { method: 'POST' })];
  t.mock.timers.tick(100_000);
  assert.equal((await page).status, 504);
  bundle.resolve();
  assert.equal(await (await made).text(), 'whole');
});

test('every route that is waited for longer is there, and no other', async (t) => {
  const { app, stop } = await createApp(webParts({ db: emptyBooks }).parts);
  t.after(stop);
  const paths = app.routes.filter(({ method }) => method === 'GET' || method === 'POST');
  const longer = paths.filter(({ path }) => answerMs(path.replace(':kind', 'plex').replaceAll(/:\w+/g, '7')) > 30_000);
  assert.deepEqual(
    [...new Set(longer.filter(({ method }) => method === 'POST').map(({ method, path }) => `${method} ${path}`))].toSorted(),
    slow.toSorted(),
  );
});
