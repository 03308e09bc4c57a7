import { readPassword, userByName, type User } from '../../db/users.ts';
import { needsRehash } from '../auth/password.ts';
import { mayChange, mayDo } from '../auth/who.ts';
import type { Refusal } from '../errors.ts';
import type { SignInView } from '../models/access.ts';
import { safeBack, url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { passwordsWork, providersOf } from '../auth/providers.ts';
import { readForm } from './form.ts';

/** Signing in and out, and proving once more who one is. */
export const signInPages: PageModule = (app, web) => {
  const { auth } = web;

  app.get('/sign-in', async (c) => {
    const back = safeBack(c.req.query('back'), '/');
    const who = c.get('who');
    if (who.kind !== 'nobody') return c.redirect(back, 303);
    return show(c, web, { back, name: '', problem: who.why ?? '' }, 200);
  });

  app.post('/sign-in', async (c) => {
    const form = await readForm(c);
    const name = (form.get('name') ?? '').trim().slice(0, 200);
    const back = safeBack(form.get('back'), '/');
    const user = await userByName(web.db, name);
    try {
      if (!(await isRight(c, web, user, name, form.get('password') ?? ''))) {
        await refused(c, user);
        return await show(c, web, { back, name, problem: 'Name or password is wrong.' }, 401);
      }
      if (!passwordsWork(web.settings()) && !user!.oneTime) {
        await refused(c, user);
        return await show(c, web, { back, name, problem: 'Passwords are switched off here. Sign in through the provider.' }, 401);
      }
    } catch (error) {
      if ((error as Partial<Refusal>).status !== 429) throw error;
      c.header('Retry-After', '5');
      return show(c, web, { back, name, problem: (error as Refusal).message }, 429);
    }
    await auth.sessions.open(c, { userId: user!.id, method: 'password' }, auth.from(c));
    auth.cookies.write(c, 'known', auth.guessing.mark(user!.id), 365 * 86_400);
    return c.redirect(user!.oneTime ? url.account() : back, 303);
  });

  app.post('/sign-out', async (c) => {
    const who = c.get('who');
    const elsewhere = who.kind === 'person' && who.session.method === 'oidc' ? await auth.provider?.signOutAddress(who.session.id) : null;
    if (who.kind === 'person') await auth.access.endSession(who.session.id, c.get('actor'), auth.from(c), 'signed-out');
    auth.cookies.drop(c, 'session');
    // shown at once and kept nowhere: the address holds a hint of the provider's
    if (elsewhere) return web.bare(c, { title: 'Signed out', view: 'access/signed-out', model: { elsewhereHref: elsewhere } });
    return c.redirect('/signed-out', 303);
  });

  app.get('/signed-out', (c) => web.bare(c, { title: 'Signed out', view: 'access/signed-out', model: { elsewhereHref: '' } }));

  /** A front of another node, or of this one, asks who its visitor is (front/door.ts). */
  app.get(url.whoAsks(), (c) => {
    const who = c.get('who');
    const proved = who.kind !== 'person' || auth.sessions.isProved(who.session);
    return c.json({ role: mayChange(who) ? 'admin' : mayDo(who, 'read') ? 'viewer' : 'nobody', proved });
  });

  app.get('/prove', (c) => prove(c, safeBack(c.req.query('back'), '/'), ''));

  app.post('/prove', async (c) => {
    const form = await readForm(c);
    const back = safeBack(form.get('back'), '/');
    const who = c.get('who');
    if (who.kind !== 'person') return c.redirect(back, 303);
    if (!passwordsWork(web.settings()) && who.session.method !== 'password') return prove(c, back, 'Passwords are switched off here.', 401);
    const user = await userByName(web.db, who.session.name);
    try {
      if (!(await isRight(c, web, user, who.session.name, form.get('password') ?? ''))) {
        await refused(c, user);
        return await prove(c, back, 'The password is wrong.', 401);
      }
    } catch (error) {
      if ((error as Partial<Refusal>).status !== 429) throw error;
      return prove(c, back, (error as Refusal).message, 429);
    }
    if (!(await auth.sessions.renew(c, who.session, auth.from(c)))) return c.redirect(url.signInPage(back), 303);
    return c.redirect(back, 303);
  });

  async function prove(c: Ctx, back: string, problem: string, status: 200 | 401 | 429 = 200): Promise<Response> {
    const who = c.get('who');
    if (who.kind !== 'person' || (status === 200 && auth.sessions.isProved(who.session))) return c.redirect(back, 303);
    const model = {
      back,
      name: who.session.name,
      problem,
      withPassword: who.session.hasPassword && (passwordsWork(web.settings()) || who.session.method === 'password'),
      providers: await providersOf(web, 'step-up', back),
    };
    return web.bare(c, { title: 'Is it you?', view: 'access/prove', model, status });
  }

  /** A name that nobody has is not written down: it may be a password in the wrong field. */
  async function refused(c: Ctx, user: User | null): Promise<void> {
    const by = user ? { name: user.name, via: 'page' as const, user: user.id } : { name: 'somebody', via: 'page' as const };
    await auth.access.note({ action: 'sign-in refused', object: user ? user.name : 'unknown name', result: 'refused' }, by, auth.from(c));
  }
};

/** Is this his password? Counted against guessing; a name that nobody has takes as long. @throws Refusal 429 */
export async function isRight(c: Ctx, web: Web, user: User | null, name: string, password: string): Promise<boolean> {
  const { auth } = web;
  const known = auth.cookies.read(c, 'known');
  const turn = await auth.guessing.begin({ name, userId: user?.id ?? null, known, address: auth.from(c).address });
  const stored = user && !user.disabled ? await readPassword(web.db, user.id) : null;
  if (password.length > 1000 || !(await auth.passwords.verify(stored?.password ?? null, password))) {
    await turn.wrong();
    return false;
  }
  await turn.right();
  if (needsRehash(stored!.password)) await auth.access.rehash(user!.id, stored!.password, await auth.passwords.hash(password));
  return true;
}

async function show(c: Ctx, web: Web, form: Pick<SignInView, 'back' | 'name' | 'problem'>, status: 200 | 401 | 429): Promise<Response> {
  const providers = await providersOf(web, 'sign-in', form.back);
  // whoever was given a one-time password finds its form by the link below the buttons, or after a wrong one
  const withPassword = passwordsWork(web.settings()) || c.req.query('with') === 'password' || c.req.method === 'POST';
  const model: SignInView = {
    ...form,
    providers,
    withPassword,
    oneTimeHref: url.signInPage(form.back, 'password'),
    nodeName: web.node.name,
  };
  return web.bare(c, { title: 'Sign in', view: 'access/sign-in', model, status });
}
