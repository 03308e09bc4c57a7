import { setCookie } from 'hono/cookie';
import type { PageModule } from '../web.ts';

export const overviewPages: PageModule = (app, web) => {
  app.get('/', async (c) => web.page(c, { title: 'Overview', section: 'overview', view: 'overview/index', model: {} }));

  app.post('/pause', (c) => web.act(c, async () => {
    await web.commands.pauseAll(c.get('actor'));
    return 'Paused. Running jobs finish.';
  }));
  app.post('/resume', (c) => web.act(c, async () => {
    await web.commands.resumeAll(c.get('actor'));
    return 'Going on.';
  }));
  app.post('/scan', (c) => web.act(c, async () => {
    const n = await web.commands.scan(null, c.get('actor'));
    return n === 1 ? 'Looking through one library.' : `Looking through ${n} libraries.`;
  }));
  app.post('/theme', async (c) => {
    const theme = (await c.req.parseBody())['theme'];
    return web.act(c, async () => {
      const known = theme === 'light' || theme === 'dark';
      setCookie(c, 'codecshift_theme', known ? theme : 'system', { path: '/', sameSite: 'Lax', httpOnly: true, maxAge: 400 * 86_400 });
    });
  });
};
