import { nameProblem, type NewUser } from '../../core/access.ts';
import { PlainError } from '../../errors.ts';
import { passwordProblem } from '../auth/password.ts';
import { providersOf } from '../auth/providers.ts';
import { url } from '../routes.ts';
import type { Ctx, PageModule } from '../web.ts';
import { readForm } from './form.ts';

/** What a person types who wants no door. */
export const OPEN_PHRASE = 'open to everybody';

/**
 * The first visit: who may open this dashboard? The token proves that somebody has the machine, or was told by who has it.
 *
 *   token ──▶ proof in a cookie ──▶ a first admin ──▶ signed in
 *                               └─▶ "open to everybody", typed ──▶ a warning on every page
 */
export const setupPages: PageModule = (app, web) => {
  const { auth } = web;

  app.get('/setup', async (c) => {
    const state = await auth.state();
    if (state === 'none') return show(c, { closing: true });
    if (state !== 'undecided') return c.redirect(url.overview(), 303);
    return mayDecide(c) ? show(c, {}) : ask(c, '');
  });

  app.post('/setup/token', async (c) => {
    if ((await auth.state()) !== 'undecided') return c.redirect(url.overview(), 303);
    const form = await readForm(c);
    const said = check(c, form.get('token') ?? '');
    if (said) return ask(c, said, 403);
    auth.cookies.write(c, 'setup', auth.setup!.proof(web.secret), 3600);
    return c.redirect(url.setup(), 303);
  });

  app.post('/setup', async (c) => {
    const state = await auth.state();
    if (state !== 'undecided' && state !== 'none') throw new PlainError('This dashboard is set up already.');
    const form = await readForm(c);
    if (state === 'undecided') {
      const problem = mayDecide(c) ? null : check(c, form.get('token') ?? '');
      if (problem) return ask(c, problem, 403);
    }
    const name = (form.get('name') ?? '').trim();
    const password = form.get('password') ?? '';
    const problem =
      nameProblem(name) ?? passwordProblem(password, name) ?? (form.get('again') === password ? null : 'The two passwords differ.');
    const closing = state === 'none';
    if (problem) return show(c, { closing, name, problem }, 422);
    const user: NewUser = { name, displayName: '', role: 'admin', password: await auth.passwords.hash(password), oneTime: false };
    const by = { name, via: 'page' } as const;
    const id = closing
      ? await auth.access.close(user, by, auth.from(c))
      : await auth.access.decide({ method: 'local', user }, by, auth.from(c));
    auth.cookies.drop(c, 'setup');
    await auth.sessions.open(c, { userId: id!, method: 'password' }, auth.from(c));
    return c.redirect(url.overview(), 303);
  });

  app.post('/setup/none', async (c) => {
    if ((await auth.state()) !== 'undecided') throw new PlainError('This dashboard is set up already.');
    const form = await readForm(c);
    if (!mayDecide(c)) return ask(c, '', 403);
    if ((form.get('confirm') ?? '').trim().toLowerCase() !== OPEN_PHRASE)
      return show(c, { noneProblem: `Type the words “${OPEN_PHRASE}”, or choose a name and a password.` }, 422);
    await auth.access.decide({ method: 'none' }, { name: 'the dashboard', via: 'page' }, auth.from(c));
    auth.cookies.drop(c, 'setup');
    return c.redirect(url.overview(), 303);
  });

  function mayDecide(c: Ctx): boolean {
    return auth.setup?.proves(web.secret, auth.cookies.read(c, 'setup')) === true;
  }

  /** What is wrong with a token, in a sentence; null when it is right. */
  function check(c: Ctx, token: string): string | null {
    const said = auth.setup?.check(token, auth.from(c).address) ?? 'wrong';
    if (said === 'right') return null;
    return said === 'wrong' ? 'This is not the token.' : 'Too many tries. Wait a minute.';
  }

  function ask(c: Ctx, problem: string, status: 200 | 403 = 200): Response {
    return web.bare(c, { title: 'Set up CodecShift', view: 'access/token', model: { nodeName: web.node.name, problem }, status });
  }

  async function show(
    c: Ctx,
    form: { closing?: boolean; name?: string; problem?: string; noneProblem?: string },
    status: 200 | 422 = 200,
  ): Promise<Response> {
    const { closing = false, name = '', problem = '', noneProblem = '' } = form;
    const providers = closing ? [] : await providersOf(web, 'setup', '/');
    const model = { nodeName: web.node.name, name, problem, phrase: OPEN_PHRASE, noneProblem, closing, providers };
    return web.bare(c, { title: 'Set up CodecShift', view: 'access/setup', model, status });
  }
};
