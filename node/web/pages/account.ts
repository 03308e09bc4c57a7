import { listSessions } from '../../db/sessions.ts';
import { identitiesOf, userByName } from '../../db/users.ts';
import { PlainError } from '../../errors.ts';
import { passwordProblem } from '../auth/password.ts';
import { providersOf } from '../auth/providers.ts';
import { refuse, type Refusal } from '../errors.ts';
import { sessionLine } from '../models/access.ts';
import { url } from '../routes.ts';
import type { Ctx, PageModule } from '../web.ts';
import { readForm } from './form.ts';
import { isRight } from './sign-in.ts';

/** What everybody may do about himself: a new password, and looking where he is signed in. */
export const accountPages: PageModule = (app, web) => {
  const { auth } = web;

  app.get('/account', (c) => show(c, ''));

  app.post('/account/password', async (c) => {
    const { session } = personOf(c);
    const form = await readForm(c);
    const next = form.get('password') ?? '';
    const user = await userByName(web.db, session.name);
    try {
      // whoever signed in with a password that was given out has just typed it
      const isFresh = session.oneTime && auth.sessions.isProved(session);
      if (!isFresh && !(await isRight(c, web, user, session.name, form.get('old') ?? '')))
        return await show(c, 'Your present password is wrong.', 422);
    } catch (error) {
      if ((error as Partial<Refusal>).status !== 429) throw error;
      return show(c, (error as Refusal).message, 429);
    }
    const problem = passwordProblem(next, session.name) ?? (form.get('again') === next ? null : 'The two passwords differ.');
    if (problem) return show(c, problem, 422);
    const password = await auth.passwords.hash(next);
    await auth.access.setPassword({ userId: session.userId, password, oneTime: false, except: session.id }, c.get('actor'), auth.from(c));
    await auth.sessions.renew(c, session, auth.from(c));
    return web.act(c, async () => 'Your password is changed. Everywhere else you are signed out.', {
      back: session.oneTime ? '/' : url.account(),
    });
  });

  app.post('/account/sessions/end', (c) =>
    web.act(
      c,
      async () => {
        const id = (await readForm(c)).get('session') ?? '';
        const mine = await listSessions(web.db, personOf(c).session.userId);
        if (!mine.some((each) => each.id === id)) throw new PlainError('This sign-in is over already.');
        await auth.access.endSession(id, c.get('actor'), auth.from(c), 'revoked');
        return 'Signed out there.';
      },
      { back: url.account() },
    ),
  );

  app.post('/account/sessions/end-others', (c) =>
    web.act(
      c,
      async () => {
        const { session } = personOf(c);
        const ended = await auth.access.endSessions(session.userId, session.id, c.get('actor'), auth.from(c));
        return ended === 0
          ? 'You are signed in nowhere else.'
          : `Signed out in ${ended === 1 ? 'one other place' : `${ended} other places`}.`;
      },
      { back: url.account() },
    ),
  );

  async function show(c: Ctx, problem: string, status: 200 | 422 | 429 = 200): Promise<Response> {
    const who = c.get('who');
    if (who.kind !== 'person') return c.redirect(url.settings('access'), 303);
    const { session } = who;
    const [sessions, identities, providers] = await Promise.all([
      listSessions(web.db, session.userId),
      identitiesOf(web.db, session.userId),
      providersOf(web, 'link', url.account()),
    ]);
    const model = {
      name: session.name,
      displayName: session.displayName,
      role: session.role,
      hasPassword: session.hasPassword,
      oneTime: session.oneTime,
      problem,
      sessions: sessions.map((each) => sessionLine(each, session.id)),
      identities,
      providers,
      now: web.now(),
    };
    if (session.oneTime) return web.bare(c, { title: 'Choose a password', view: 'access/first-password', model, status });
    return web.page(c, { title: 'Account', section: null, view: 'access/account', model, status });
  }
};

function personOf(c: Ctx) {
  const who = c.get('who');
  if (who.kind !== 'person') throw refuse('not-allowed', 'Nobody is signed in here.');
  return who;
}
