import { nameProblem, type Role } from '../../core/access.ts';
import { listSessions } from '../../db/sessions.ts';
import { identitiesOf, listUsers, readUser, type User } from '../../db/users.ts';
import { PlainError } from '../../errors.ts';
import { givenPassword } from '../auth/given-password.ts';
import { refuse } from '../errors.ts';
import { sessionLine, type PeoplePage } from '../models/access.ts';
import { editableGroups } from '../models/settings.ts';
import { idFrom, url } from '../routes.ts';
import type { Ctx, PageModule } from '../web.ts';
import { readForm } from './form.ts';

/** Who may sign in, and as what. A password that an admin gives out is shown once, works for a day, and is changed at the first sign-in. */
export const peoplePages: PageModule = (app, web) => {
  const { auth } = web;

  app.get('/people', (c) => list(c, {}));

  app.post('/people', async (c) => {
    const form = await readForm(c);
    const wish = {
      name: (form.get('name') ?? '').trim(),
      displayName: (form.get('displayName') ?? '').trim().slice(0, 100),
      role: roleFrom(form.get('role')),
    };
    const problem = nameProblem(wish.name);
    if (problem) return list(c, { form: { ...wish, problem } }, 422);
    const password = givenPassword();
    try {
      await auth.access.addUser({ ...wish, password: await auth.passwords.hash(password), oneTime: true }, c.get('actor'), auth.from(c));
    } catch (error) {
      if (!(error instanceof PlainError) || 'status' in error) throw error;
      return list(c, { form: { ...wish, problem: error.message } }, 422);
    }
    c.set('noted', true);
    return list(c, { made: { name: wish.name, password } });
  });

  app.get('/people/:id', async (c) => show(c, await userOf(c), null));

  app.post('/people/:id/role', (c) =>
    change(c, async (user) => {
      const role = roleFrom((await readForm(c)).get('role'));
      await auth.access.changeUser(user.id, { role }, c.get('actor'), auth.from(c));
      return role === 'admin' ? `${user.name} is an admin now.` : `${user.name} only looks now.`;
    }),
  );
  app.post('/people/:id/disable', (c) =>
    change(c, async (user) => {
      await auth.access.changeUser(user.id, { disabled: true }, c.get('actor'), auth.from(c));
      return `${user.name} cannot sign in any more.`;
    }),
  );
  app.post('/people/:id/enable', (c) =>
    change(c, async (user) => {
      await auth.access.changeUser(user.id, { disabled: false }, c.get('actor'), auth.from(c));
      return `${user.name} may sign in again.`;
    }),
  );
  app.post('/people/:id/end-sessions', (c) =>
    change(c, async (user) => {
      await auth.access.endSessions(user.id, null, c.get('actor'), auth.from(c));
      return `${user.name} is signed out everywhere.`;
    }),
  );
  app.post('/people/:id/reset', async (c) => {
    const user = await userOf(c);
    const password = givenPassword();
    const wish = { userId: user.id, password: await auth.passwords.hash(password), oneTime: true, except: null };
    await auth.access.setPassword(wish, c.get('actor'), auth.from(c));
    c.set('noted', true);
    return show(c, { ...user, oneTime: true, hasPassword: true }, { name: user.name, password });
  });
  app.post('/people/:id/remove', (c) =>
    change(
      c,
      async (user) => {
        await auth.access.removeUser(user.id, c.get('actor'), auth.from(c));
        return `${user.name} is gone, with every sign-in and token.`;
      },
      url.people(),
    ),
  );

  async function change(c: Ctx, work: (user: User) => Promise<string>, back?: string): Promise<Response> {
    const user = await userOf(c);
    c.set('noted', true);
    let done = false;
    const action = async (): Promise<string> => {
      const says = await work(user);
      done = true;
      return says;
    };
    return web.act(c, action, { back: url.person(user.id), to: () => (done && back ? back : null) });
  }

  async function userOf(c: Ctx): Promise<User> {
    const id = idFrom(c.req.param('id'));
    const user = id === null || id > 2_147_483_647 ? null : await readUser(web.db, id);
    if (!user) throw refuse('not-found', 'This person is not there any more.');
    return user;
  }

  async function list(c: Ctx, part: Partial<Pick<PeoplePage, 'form' | 'made'>>, status: 200 | 422 = 200): Promise<Response> {
    const model: PeoplePage = {
      groups: editableGroups(),
      group: 'people',
      people: await listUsers(web.db),
      me: c.get('actor').user ?? null,
      form: part.form ?? { name: '', displayName: '', role: 'viewer', problem: '' },
      made: part.made ?? null,
      now: web.now(),
    };
    return web.page(c, {
      title: 'People',
      section: 'settings',
      view: 'access/people',
      model,
      status,
      live: { view: 'shell', refresh: false },
    });
  }

  async function show(c: Ctx, user: User, made: PeoplePage['made']): Promise<Response> {
    const [sessions, identities] = await Promise.all([listSessions(web.db, user.id), identitiesOf(web.db, user.id)]);
    const model = {
      user,
      me: c.get('actor').user === user.id,
      sessions: sessions.map((each) => sessionLine(each, null)),
      identities,
      made,
      now: web.now(),
    };
    return web.page(c, {
      title: user.displayName || user.name,
      section: 'settings',
      view: 'access/person',
      model,
      live: { view: 'shell', refresh: false },
    });
  }
};

function roleFrom(value: string | null): Role {
  if (value !== 'admin' && value !== 'viewer') throw refuse('not-found', 'There is no such role.');
  return value;
}
