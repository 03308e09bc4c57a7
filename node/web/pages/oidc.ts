import { PROOF_MS } from '../../core/access.ts';
import { userByIdentity } from '../../db/users.ts';
import { messageOf, PlainError } from '../../errors.ts';
import type { OidcPerson } from '../auth/oidc-flow.ts';
import { LOGIN_MS, LoginFailed, type Login, type Purpose } from '../auth/oidc.ts';
import type { Provider } from '../auth/provider.ts';
import { freeName, personHere, strangerOf } from '../auth/strangers.ts';
import { admit, groupsOf } from '../../core/sign-in-rules.ts';
import { refuse } from '../errors.ts';
import { safeBack, url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { readForm } from './form.ts';

/**
 * Signing in through a provider: there, back, and what follows. Linking an account changes who may come in, so it begins with a
 * form of this page; the others are links, because a browser does not follow a form to another site (`form-action` of our CSP).
 *
 *   /sign-in/oidc · /prove/oidc · /setup/oidc · POST /account/link · POST /settings/provider/trial ─▶ provider ─▶ /sign-in/oidc/callback
 */
export const oidcPages: PageModule = (app, web) => {
  const { auth } = web;

  app.get('/sign-in/oidc', async (c) => {
    const back = safeBack(c.req.query('back'), '/');
    if (c.get('who').kind === 'person') return c.redirect(back, 303);
    return there(c, web, { kind: 'sign-in' }, back, url.signInPage(back));
  });

  app.get('/prove/oidc', async (c) => {
    const back = safeBack(c.req.query('back'), '/');
    const who = c.get('who');
    if (who.kind !== 'person') return c.redirect(url.signInPage(back), 303);
    return there(c, web, { kind: 'step-up', user: who.session.userId, session: who.session.id }, back, url.prove(back));
  });

  app.get('/setup/oidc', async (c) => {
    if ((await auth.state()) !== 'undecided' || !maySetUp(c, web)) return c.redirect(url.setup(), 303);
    return there(c, web, { kind: 'setup' }, '/', url.setup(), true);
  });

  app.post('/account/link', async (c) => {
    const who = c.get('who');
    if (who.kind !== 'person') throw refuse('not-allowed');
    return onward(c, web, { kind: 'link', user: who.session.userId }, url.account());
  });

  app.post('/account/unlink', (c) =>
    web.act(
      c,
      async () => {
        const who = c.get('who');
        if (who.kind !== 'person') throw refuse('not-allowed');
        const form = await readForm(c);
        const wish = { userId: who.session.userId, issuer: form.get('issuer') ?? '', subject: form.get('subject') ?? '' };
        if (!who.session.hasPassword) throw new PlainError('It is your only way to sign in. Let an admin give you a password first.');
        await auth.access.unlinkIdentity(wish, c.get('actor'), auth.from(c));
        return 'That account does not sign you in any more.';
      },
      { back: url.account() },
    ),
  );

  app.get('/sign-in/oidc/callback', async (c) => {
    const provider = needProvider(web);
    const answer = new URL(c.req.url).searchParams;
    try {
      const { person, login } = await provider.oidc.finish(answer, auth.cookies.read(c, 'tx'), limitOf(c));
      return await arrive(c, web, provider, person, login);
    } catch (error) {
      if (!(error instanceof PlainError) || 'status' in error) throw error;
      const login = error instanceof LoginFailed ? error.login : null;
      const from = auth.from(c);
      web.log.info({ why: error.message, address: from.address }, 'a sign-in through the provider failed');
      await auth.access
        .note({ action: 'sign-in through the provider', result: 'refused', says: error.message.slice(0, 400) }, c.get('actor'), from)
        .catch(() => {});
      return sayAt(c, web, login ? placeOf(login) : url.signInPage(), error);
    }
  });
};

/** How far the clocks of a house may differ. */
const CLOCKS_MS = 300_000;

/** Where a sign-in that failed is told. */
function placeOf({ purpose, returnTo }: Login): string {
  switch (purpose.kind) {
    case 'link':
      return url.account();
    case 'step-up':
      return url.prove(returnTo);
    case 'trial':
      return url.settings('provider');
    case 'setup':
      return url.setup();
    default:
      return url.signInPage(returnTo);
  }
}

/** Begins, and leads the browser there by a redirect. */
async function there(c: Ctx, web: Web, purpose: Purpose, returnTo: string, otherwise: string, evenIfOff = false): Promise<Response> {
  needProvider(web);
  try {
    return c.redirect(await begin(c, web, purpose, returnTo, evenIfOff), 303);
  } catch (error) {
    return sayAt(c, web, otherwise, error);
  }
}

/** Begins after a form, and shows the way as a link: a browser follows no form to another site. */
export async function onward(c: Ctx, web: Web, purpose: Purpose, otherwise: string): Promise<Response> {
  try {
    const href = await begin(c, web, purpose, '/', purpose.kind === 'trial');
    const name = needProvider(web).settings().label;
    return web.bare(c, { title: 'On to the provider', view: 'access/onward', model: { href, name, back: otherwise } });
  } catch (error) {
    return sayAt(c, web, otherwise, error);
  }
}

async function begin(c: Ctx, web: Web, purpose: Purpose, returnTo: string, evenIfOff: boolean): Promise<string> {
  const provider = needProvider(web);
  if (!provider.settings().enabled && !evenIfOff) throw new PlainError('Signing in through a provider is switched off.');
  const redirectUri = provider.redirectUri();
  if (redirectUri === null)
    throw new PlainError(
      'The address of the dashboard from outside is not set, so that the provider cannot send anybody back. An administrator can set it on the page “Signing in”.',
    );
  const { location, browser } = await provider.oidc.begin(
    {
      config: await provider.config(),
      redirectUri,
      purpose,
      returnTo,
      browser: web.auth.cookies.read(c, 'tx'),
      address: web.auth.from(c).address,
    },
    limitOf(c),
  );
  web.auth.cookies.write(c, 'tx', browser, LOGIN_MS / 1000);
  return location;
}

/** Somebody is back, and is who the provider says. */
async function arrive(c: Ctx, web: Web, provider: Provider, person: OidcPerson, login: Login): Promise<Response> {
  const { purpose, returnTo, config } = login;
  const { auth } = web;
  const from = auth.from(c);
  const who = c.get('who');
  const label = (person.email ?? person.name).slice(0, 200);
  switch (purpose.kind) {
    case 'trial': {
      const admission = admit(person.claims, config.rules);
      const groups = groupsOf(person.claims, config.rules.groupsClaim)
        .slice(0, 50)
        .map((group) => group.slice(0, 100));
      const says =
        admission.role === null
          ? admission.why
          : `Would be let in as ${admission.role === 'admin' ? 'an admin' : 'somebody who only looks'}.`;
      provider.trials.set(purpose.user, { at: web.now(), person: label, groups, says, good: admission.role !== null });
      return c.redirect(`${url.settings('provider')}#h-trial`, 303);
    }
    case 'link':
      if (who.kind !== 'person' || who.session.userId !== purpose.user)
        throw new PlainError('You were signed out meanwhile, so nothing was linked.');
      await auth.access.linkIdentity({ userId: purpose.user, issuer: person.issuer, subject: person.subject, label }, c.get('actor'), from);
      return web.act(c, async () => 'From now on you can sign in with that account too.', { back: url.account() });
    case 'step-up': {
      const user = await userByIdentity(web.db, person.issuer, person.subject);
      if (who.kind !== 'person' || who.session.id !== purpose.session || user?.id !== purpose.user)
        throw new LoginFailed(new PlainError('That is another account than the one you are signed in with.'), login);
      // a provider that says when it last asked is held to it; one that says nothing was asked to ask (`prompt=login`)
      const provedAt = person.claims['auth_time'];
      if (typeof provedAt === 'number' && web.now().getTime() - provedAt * 1000 > PROOF_MS + CLOCKS_MS)
        throw new LoginFailed(new PlainError('The provider did not ask who you are once more. Sign out there, and try again.'), login);
      await auth.sessions.renew(c, who.session, from);
      return c.redirect(returnTo, 303);
    }
    case 'setup': {
      if (!maySetUp(c, web)) throw new PlainError('The set-up token is not the one of this moment any more. Begin again.');
      const name = await freeName(web.db, person.name);
      const user = { name, displayName: person.name, role: 'admin', password: null, oneTime: false } as const;
      const identity = { issuer: person.issuer, subject: person.subject, label };
      const id = await auth.access.decide({ method: 'oidc', user, identity }, { name, via: 'page' }, from);
      auth.cookies.drop(c, 'setup');
      await auth.sessions.open(c, { userId: id!, method: 'oidc', idToken: await provider.sealIdToken(person) }, from);
      return c.redirect('/', 303);
    }
    case 'sign-in': {
      const found = await personHere({ db: web.db, access: auth.access }, strangerOf(person, label), config.rules, from);
      if (!found.user) throw new PlainError(found.why);
      await auth.access.usedIdentity(person.issuer, person.subject);
      await auth.sessions.open(
        c,
        { userId: found.user.id, method: 'oidc', idToken: await provider.sealIdToken(person), says: label },
        from,
      );
      return c.redirect(returnTo, 303);
    }
  }
}

function sayAt(c: Ctx, web: Web, where: string, error: unknown): Promise<Response> {
  if (!(error instanceof PlainError)) web.log.warn({ why: messageOf(error) }, 'a sign-in through the provider broke');
  return web.act(
    c,
    async () => {
      throw error instanceof PlainError && !('status' in error)
        ? error
        : new PlainError('The sign-in through the provider did not work. Please try again.', { cause: error });
    },
    { back: where },
  );
}

export function needProvider(web: Web): Provider {
  if (!web.auth.provider) throw refuse('not-found');
  return web.auth.provider;
}

function maySetUp(c: Ctx, { auth, secret }: Web): boolean {
  return auth.setup?.proves(secret, auth.cookies.read(c, 'setup')) === true;
}

/** A provider that hangs does not keep a person waiting for longer than the page itself may take. */
function limitOf(c: Ctx): AbortSignal {
  return AbortSignal.any([c.req.raw.signal, AbortSignal.timeout(20_000)]);
}
