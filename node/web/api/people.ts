import * as v from 'valibot';
import { nameProblem } from '../../core/access.ts';
import { listSessions } from '../../db/sessions.ts';
import { identitiesOf, listUsers, readUser, type User } from '../../db/users.ts';
import { givenPassword } from '../auth/given-password.ts';
import { refuse } from '../errors.ts';
import type { Ctx, Web } from '../web.ts';
import { done, listOf, maybeTime, time } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { confirmed, flag, int4, numberOf, oneOf, text, words } from './inputs.ts';
import { needsAPerson } from './lasting.ts';
import { ApiProblem } from './problem.ts';

const roles = ['admin', 'viewer'] as const;
const person = {
  id: v.number(),
  name: v.string(),
  displayName: v.string(),
  role: v.picklist(roles),
  disabled: v.boolean(),
  hasPassword: v.boolean(),
  oneTime: v.pipe(v.boolean(), v.description('the password was given out and has to be changed')),
  createdAt: time,
  createdBy: v.string(),
  lastSignInAt: maybeTime,
};
const params = { id: numberOf('person', int4) };

/** Who may sign in, and as what. A password is told once, works for a day, and is changed at the first sign-in. */
export const peopleApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/people',
    right: 'admin',
    in: 'People',
    does: 'Everybody who may sign in.',
    answer: listOf(v.strictObject(person)),
    run: async ({ web }) => ({ items: await listUsers(web.db) }),
  }),
  route({
    method: 'POST',
    path: '/people',
    right: 'admin',
    in: 'People',
    does: 'Adds somebody. The password is told in this answer only; it works for a day and is changed at the first sign-in. A token adds no admin.',
    body: v.strictObject({ name: text(60), displayName: v.optional(words(100), ''), role: v.optional(oneOf(roles), 'viewer') }),
    status: 201,
    answer: v.strictObject({ id: v.number(), name: v.string(), password: v.string() }),
    run: async ({ web, body: { name, displayName, role }, by, c }) => {
      if (role === 'admin') needsAPerson(c as Ctx, 'Nobody was added.');
      const problem = nameProblem(name);
      if (problem) throw new ApiProblem(422, 'invalid-input', problem, [{ path: 'name', problem: 'is no name to sign in with' }]);
      const password = givenPassword();
      const user = { name, displayName: displayName.trim(), role, password: await web.auth.passwords.hash(password), oneTime: true };
      const id = await web.auth.access.addUser(user, by, web.auth.from(c as Ctx));
      c.set('noted', true);
      return { id, name, password };
    },
  }),
  route({
    method: 'GET',
    path: '/people/:id',
    right: 'admin',
    in: 'People',
    does: 'One person, where he is signed in, and by which providers he is known.',
    params,
    answer: v.strictObject({
      ...person,
      sessions: v.array(
        v.strictObject({
          method: v.picklist(['password', 'oidc', 'proxy']),
          createdAt: time,
          seenAt: time,
          authenticatedAt: time,
          address: v.string(),
          agent: v.string(),
        }),
      ),
      identities: v.array(
        v.strictObject({ issuer: v.string(), subject: v.string(), label: v.string(), linkedAt: time, lastUsedAt: maybeTime }),
      ),
    }),
    run: async ({ web, params }) => {
      const user = await personOf(web, params.id);
      const [sessions, identities] = await Promise.all([listSessions(web.db, user.id), identitiesOf(web.db, user.id)]);
      return {
        ...user,
        // neither the hash that names a session nor whose it is: nobody ends another one's single session
        sessions: sessions.map(({ method, createdAt, seenAt, authenticatedAt, address, agent }) => ({
          ...{ method, createdAt, seenAt, authenticatedAt, address, agent },
        })),
        identities: identities.map(({ userId: _user, ...identity }) => identity),
      };
    },
  }),
  route({
    method: 'POST',
    path: '/people/:id',
    right: 'admin',
    in: 'People',
    does: 'Changes what somebody may do, or whether he may sign in at all. What is left out stays; sessions that this must not outlive end. A token makes nobody an admin, and lets no admin in again.',
    params,
    body: v.strictObject({ displayName: v.optional(words(100)), role: v.optional(oneOf(roles)), disabled: v.optional(flag) }),
    answer: done,
    run: async ({ web, params, body, by, c }) => {
      const user = await personOf(web, params.id);
      const becomesAdmin = body.role === 'admin' || (user.role === 'admin' && body.disabled === false);
      if (becomesAdmin) needsAPerson(c as Ctx, 'Nothing was changed.');
      const change = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
      await web.auth.access.changeUser(user.id, change, by, web.auth.from(c as Ctx));
      c.set('noted', true);
      return { id: user.id };
    },
  }),
  route({
    method: 'POST',
    path: '/people/:id/reset',
    right: 'admin',
    in: 'People',
    does: 'Gives somebody a new password, told in this answer only. All his sessions end. A token does not reset the password of an admin.',
    params,
    answer: v.strictObject({ id: v.number(), name: v.string(), password: v.string() }),
    run: async ({ web, params, by, c }) => {
      const { id, name, role } = await personOf(web, params.id);
      if (role === 'admin') needsAPerson(c as Ctx, 'The password is as it was.');
      const password = givenPassword();
      const wish = { userId: id, password: await web.auth.passwords.hash(password), oneTime: true, except: null };
      await web.auth.access.setPassword(wish, by, web.auth.from(c as Ctx));
      c.set('noted', true);
      return { id, name, password };
    },
  }),
  route({
    method: 'POST',
    path: '/people/:id/end-sessions',
    right: 'admin',
    in: 'People',
    does: 'Signs somebody out everywhere.',
    params,
    answer: v.strictObject({ id: v.number(), ended: v.number() }),
    run: async ({ web, params, by, c }) => {
      const { id } = await personOf(web, params.id);
      const ended = await web.auth.access.endSessions(id, null, by, web.auth.from(c as Ctx));
      c.set('noted', true);
      return { id, ended };
    },
  }),
  route({
    method: 'POST',
    path: '/people/:id/remove',
    right: 'admin',
    in: 'People',
    does: 'Removes somebody, with every sign-in and token of his.',
    params,
    body: v.strictObject({ confirm: confirmed('his sign-ins and his tokens are gone for good') }),
    answer: done,
    run: async ({ web, params, by, c }) => {
      const { id } = await personOf(web, params.id);
      await web.auth.access.removeUser(id, by, web.auth.from(c as Ctx));
      c.set('noted', true);
      return { id };
    },
  }),
];

async function personOf(web: Web, id: number): Promise<User> {
  const user = await readUser(web.db, id);
  if (!user) throw refuse('not-found', 'This person is not there any more.');
  return user;
}
