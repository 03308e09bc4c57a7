import { scopes, type Scope } from '../../core/access.ts';
import { listApiTokens } from '../../db/api-tokens.ts';
import { makeApiToken } from '../auth/api-token.ts';
import type { TokensPage } from '../models/access.ts';
import { editableGroups } from '../models/settings.ts';
import { url } from '../routes.ts';
import type { Ctx, PageModule } from '../web.ts';
import { readForm } from './form.ts';

/** Tokens for programs: shown once, kept as a hash, each with what it may do and until when. */
export const apiTokenPages: PageModule = (app, web) => {
  const { auth } = web;

  app.get('/api-tokens', (c) => show(c, {}));

  app.post('/api-tokens', async (c) => {
    const form = await readForm(c);
    const name = (form.get('name') ?? '').trim();
    const chosen = scopes.filter((scope) => form.getAll('scope').includes(scope));
    const days = form.get('days') ?? '';
    const problem = problemOf(name, chosen, days);
    if (problem) return show(c, { form: { name: name.slice(0, 100), scopes: chosen, days, problem } }, 422);
    const { id, hash, token } = makeApiToken();
    const userId = c.get('actor').user ?? null;
    const wish = { id, hash, name, scopes: chosen, userId, days: days === '' ? null : Number(days) };
    await auth.access.addToken(wish, c.get('actor'), auth.from(c));
    c.set('noted', true);
    return show(c, { made: { name, token } });
  });

  app.post('/api-tokens/:id/revoke', (c) =>
    web.act(
      c,
      async () => {
        await auth.access.revokeToken(c.req.param('id'), c.get('actor'), auth.from(c));
        c.set('noted', true);
        return 'This token opens nothing any more.';
      },
      { back: url.apiTokens() },
    ),
  );

  async function show(c: Ctx, part: Partial<Pick<TokensPage, 'form' | 'made'>>, status: 200 | 422 = 200): Promise<Response> {
    const model: TokensPage = {
      groups: editableGroups(),
      group: 'api-tokens',
      tokens: await listApiTokens(web.db),
      form: part.form ?? { name: '', scopes: ['read'], days: '365', problem: '' },
      made: part.made ?? null,
      now: web.now(),
    };
    return web.page(c, {
      title: 'Tokens',
      section: 'settings',
      view: 'access/tokens',
      model,
      status,
      live: { view: 'shell', refresh: false },
    });
  }
};

function problemOf(name: string, chosen: Scope[], days: string): string | null {
  if (name.length === 0 || name.length > 100) return 'Give it a name of up to 100 characters, so that you know later what uses it.';
  if (chosen.length === 0) return 'Choose what it may do.';
  return days === '' || (/^\d{1,4}$/.test(days) && Number(days) >= 1 && Number(days) <= 3650)
    ? null
    : 'It lasts from 1 to 3650 days; leave it empty for ever.';
}
