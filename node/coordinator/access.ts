import { isNewAddress } from '../core/notice-facts.ts';
import { ONE_TIME_HOURS, nameProblem, type Access, type AuditEntry, type From, type NewUser } from '../core/access.ts';
import type { Actor } from '../core/commands.ts';
import { deleteApiToken, insertApiToken, stampApiToken } from '../db/api-tokens.ts';
import { addAudit, signInAddresses } from '../db/audit.ts';
import type { Database, Queryable } from '../db/connect.ts';
import { addNotice } from '../db/notices.ts';
import { deleteSession, deleteSessions, insertSession, readSession, renewSession, sawSession } from '../db/sessions.ts';
import { addFailure, clearThrottles } from '../db/throttles.ts';
import {
  changeSetup,
  deleteIdentity,
  deleteUser,
  insertIdentity,
  insertUser,
  otherAdmins,
  readUser,
  replaceHash,
  stampIdentity,
  stampSignIn,
  updatePassword,
  updateUser,
  userByName,
  writeSetup,
  type User,
} from '../db/users.ts';
import { PlainError } from '../errors.ts';
import type { EventMap, Events } from '../events.ts';

type What = EventMap['access.changed']['what'];

/**
 * People, sessions and tokens, written by the coordinator of this term. What belongs together is one transaction, with its line
 * in the audit log; whoever remembers something of it hears `access.changed` after the commit.
 */
export function createAccess({ db, events }: { db: Database; events: Events }): Access {
  return {
    decide(wish, by, from) {
      return change('setup', async (q) => {
        if (!(await writeSetup(q, wish.method, by.name, from.address)))
          throw new PlainError('It was decided already how people sign in here.');
        const id = wish.method === 'none' ? null : await add(q, wish.user, by, true);
        if (wish.method === 'oidc') await link(q, { userId: id!, ...wish.identity });
        await addAudit(q, { action: 'set up', object: wish.method, result: 'ok' }, by, from);
        return id;
      });
    },

    close(user, by, from) {
      return change('setup', async (q) => {
        if (!(await changeSetup(q, 'none', 'local', by.name))) throw new PlainError('People sign in here already.');
        const id = await add(q, user, by, true);
        await addAudit(q, { action: 'set up', object: 'local', result: 'ok' }, by, from);
        return id;
      });
    },

    resetAdmin({ name, password }, by, from) {
      return change('setup', async (q) => {
        const user = await userByName(q, name);
        const made = { name, displayName: '', role: 'admin', password, oneTime: true } as const;
        const id = user?.id ?? (await add(q, made, by, false));
        await updatePassword(q, id, password, true, ONE_TIME_HOURS);
        await updateUser(q, id, { role: 'admin', disabled: false });
        await deleteSessions(q, id, null);
        await clearThrottles(q, [`user:${id}`]);
        if (!(await writeSetup(q, 'local', by.name, from.address))) await changeSetup(q, 'none', 'local', by.name);
        await addAudit(q, { action: 'admin reset', object: name, result: 'ok' }, by, from);
      });
    },

    openSession({ session, userId, method, replaces, idToken, says }, from) {
      return change('sessions', async (q) => {
        const user = await known(q, userId);
        if (user.disabled) throw new PlainError('This person may not sign in.');
        if (replaces) await deleteSession(q, replaces);
        await insertSession(q, { session, userId, method, idToken }, from);
        await stampSignIn(q, userId);
        if (isNewAddress(await signInAddresses(q, userId), from.address))
          await addNotice(q, { event: 'security.sign-in', item: { who: user.name, address: from.address, agent: from.agent } });
        await addAudit(q, { action: 'signed in', object: method, result: 'ok', says: says ?? '' }, actorOf(user), from);
      });
    },

    renewSession({ session, next }, from) {
      return change('sessions', async (q) => {
        const owner = await readSession(q, session);
        if (!owner || !(await renewSession(q, session, next))) return false;
        await addAudit(q, { action: 'proved again', result: 'ok' }, { name: owner.name, via: 'page', user: owner.userId }, from);
        return true;
      });
    },

    sawSession: (session) => sawSession(db, session),

    endSession(session, by, from, how) {
      return change('sessions', async (q) => {
        const owner = await readSession(q, session);
        if (!(await deleteSession(q, session)) || !owner) return;
        const actions = { 'signed-out': 'signed out', revoked: 'session ended', expired: 'session expired' } as const;
        await addAudit(q, { action: actions[how], object: owner.name, result: 'ok' }, by, from);
      });
    },

    endSessions(userId, except, by, from) {
      return change('sessions', async (q) => {
        const user = await known(q, userId);
        const ended = await deleteSessions(q, userId, except);
        await addAudit(q, { action: 'sessions ended', object: user.name, result: 'ok', says: `${ended}` }, by, from);
        return ended;
      });
    },

    addUser(user, by, from) {
      return change('people', async (q) => {
        const id = await add(q, user, by, false);
        await addAudit(q, { action: 'user added', object: user.name, result: 'ok', says: user.role }, by, from);
        return id;
      });
    },

    changeUser(id, wish, by, from) {
      return change('people', async (q) => {
        const user = await known(q, id);
        if (user.role === 'admin' && (wish.role === 'viewer' || wish.disabled === true)) await keepOneAdmin(q, user);
        await updateUser(q, id, wish);
        const isOther =
          (wish.role !== undefined && wish.role !== user.role) || (wish.disabled !== undefined && wish.disabled !== user.disabled);
        if (isOther) await deleteSessions(q, id, null);
        await addAudit(q, { action: 'user changed', object: user.name, result: 'ok', says: JSON.stringify(wish) }, by, from);
      });
    },

    removeUser(id, by, from) {
      return change('people', async (q) => {
        const user = await known(q, id);
        if (user.role === 'admin') await keepOneAdmin(q, user);
        await deleteUser(q, id);
        await addAudit(q, { action: 'user removed', object: user.name, result: 'ok' }, by, from);
      });
    },

    setPassword({ userId, password, oneTime, except }, by, from) {
      return change('people', async (q) => {
        const user = await known(q, userId);
        await updatePassword(q, userId, password, oneTime, ONE_TIME_HOURS);
        await deleteSessions(q, userId, except);
        await clearThrottles(q, [`user:${userId}`]);
        await addAudit(q, { action: oneTime ? 'password reset' : 'password changed', object: user.name, result: 'ok' }, by, from);
      });
    },

    rehash: (userId, before, after) => replaceHash(db, userId, before, after),

    linkIdentity(wish, by, from) {
      return change('people', async (q) => {
        const user = await known(q, wish.userId);
        await link(q, wish);
        await addAudit(q, { action: 'sign-in linked', object: user.name, result: 'ok', says: `${wish.label} at ${wish.issuer}` }, by, from);
      });
    },

    unlinkIdentity(wish, by, from) {
      return change('people', async (q) => {
        const user = await known(q, wish.userId);
        if (user.role === 'admin' && !user.hasPassword) await keepOneAdmin(q, user);
        if (!(await deleteIdentity(q, wish))) throw new PlainError('This way to sign in is not there any more.');
        await addAudit(q, { action: 'sign-in unlinked', object: user.name, result: 'ok', says: wish.issuer }, by, from);
      });
    },

    usedIdentity: (issuer, subject) => stampIdentity(db, issuer, subject),

    addToken(token, by, from) {
      return change('tokens', async (q) => {
        await insertApiToken(q, token, by.name);
        await addAudit(q, { action: 'token made', object: token.name, result: 'ok', says: token.scopes.join(', ') }, by, from);
      });
    },

    revokeToken(id, by, from) {
      return change('tokens', async (q) => {
        const name = await deleteApiToken(q, id);
        if (name === null) throw new PlainError('This token is not there any more.');
        await addAudit(q, { action: 'token revoked', object: name, result: 'ok' }, by, from);
      });
    },

    usedToken: (id) => stampApiToken(db, id),
    failed: (key, windowSeconds) => addFailure(db, key, windowSeconds),
    succeeded: (keys) => clearThrottles(db, keys),
    note: (entry: AuditEntry, by: Actor, from: From) => addAudit(db, entry, by, from),
  };

  async function change<T>(what: What, work: (q: Queryable) => Promise<T>): Promise<T> {
    const value = await db.tx(work);
    events.emit('access.changed', { what });
    return value;
  }
}

async function known(q: Queryable, id: number): Promise<User> {
  const user = await readUser(q, id);
  if (!user) throw new PlainError('This person is not there any more.');
  return user;
}

async function add(q: Queryable, user: NewUser, by: Actor, first: boolean): Promise<number> {
  const problem = nameProblem(user.name);
  if (problem) throw new PlainError(problem);
  const id = await insertUser(q, user, by.name, ONE_TIME_HOURS, first);
  if (id === null) throw new PlainError(`There is somebody called ${user.name} already.`);
  return id;
}

async function link(q: Queryable, wish: { userId: number; issuer: string; subject: string; label: string }): Promise<void> {
  if (!(await insertIdentity(q, wish))) throw new PlainError('This account of the provider belongs to somebody else here.');
}

/** Without an admin nobody could ever change anything again. */
async function keepOneAdmin(q: Queryable, user: User): Promise<void> {
  if ((await otherAdmins(q, user.id)) === 0)
    throw new PlainError(`${user.name} is the only admin who can sign in. Make somebody else an admin first.`);
}

function actorOf(user: User): Actor {
  return { name: user.name, via: 'page', user: user.id };
}
