import type { Right } from '../../core/access.ts';
import { rightOfApi } from '../api/all.ts';

/**
 * Which right a route asks for. What is not named here is closed as far as it can be: looking needs somebody who is signed in,
 * and everything else an admin, so that a new route that nobody thought about opens nothing. A route of the API says it itself
 * (api/declare.ts). `auth/matrix.test.ts` holds the whole table and fails until a new route is in it.
 *
 *   method and pattern as Hono knows them, "POST /jobs/:id/pause"
 */
export function rightOf(method: string, pattern: string): Right {
  const named = rightOfApi(method, pattern) ?? rights.get(`${method} ${pattern}`);
  if (named) return named;
  if (method === 'POST' && queueWork.some((each) => each.test(pattern))) return 'queue';
  return method === 'GET' ? 'read' : 'admin';
}

/** Does it need a fresh proof of who somebody is? An open browser in an empty room must not be enough. */
export function needsProof(method: string, pattern: string): boolean {
  return dangerous.some((each) => each.test(`${method} ${pattern}`));
}

const rights: ReadonlyMap<string, Right> = new Map(
  Object.entries({
    public: [
      'GET /sign-in',
      'POST /sign-in',
      'GET /signed-out',
      'GET /setup',
      'POST /setup',
      'POST /setup/token',
      'POST /setup/none',
      'POST /theme',
      'GET /auth/check',
      // before this gate, each with a secret of its own or nothing to say
      'GET /healthz',
      'GET /readyz',
      'GET /static/*',
      'POST /hooks',
      'POST /hooks/:secret',
      'GET /sources/signed-in',
      // the provider leads a stranger back here; what he is shows itself there
      'GET /sign-in/oidc',
      'GET /setup/oidc',
      'GET /sign-in/oidc/callback',
    ],
    self: [
      'POST /sign-out',
      'GET /account',
      'POST /account/password',
      'POST /account/sessions/end',
      'POST /account/sessions/end-others',
      'GET /prove',
      'POST /prove',
      'GET /prove/oidc',
      'POST /account/link',
      'POST /account/unlink',
    ],
    admin: [
      'GET /people',
      'GET /people/:id',
      'GET /audit',
      'GET /logs',
      'GET /api-tokens',
      'GET /settings/access',
      'GET /settings/provider',
      'GET /settings/proxy',
      'GET /settings/backup',
      'GET /settings/backup/:name/download',
      'GET /settings/backup/:name/restore',
      'GET /settings/notifications',
      'GET /settings/notifications/add/:kind',
      'GET /settings/notifications/:id',
      'GET /settings/notifications/:id/remove',
      'GET /settings/backup/:name/remove',
      'GET /settings/backup/:name/verify',
      // questions before something is changed
      'GET /queue/clear',
      'GET /library/:id/remove',
      'GET /nodes/:id/remove',
      'GET /settings/clean-up/trash',
      'GET /settings/clean-up/:id/delete',
      'GET /sources/add/:kind',
      'GET /sources/keep',
      'GET /sources/sign-in',
      'GET /sources/sign-in/:id',
      'GET /sources/sign-in/:id/state',
      'GET /sources/:id/remove',
    ],
    metrics: ['GET /metrics'],
  } satisfies Partial<Record<Right, string[]>>).flatMap(([right, routes]) => routes.map((route) => [route, right as Right])),
);

/** Order, pause and repeat work; nothing that is lost for good and nothing that changes the rules. */
const queueWork = [/^\/(pause|resume|scan)$/, /^\/jobs\/:id\/(pause|resume|cancel|retry|top|end)$/];

const dangerous = [
  /^(GET|POST) \/people\b/,
  /^(GET|POST) \/api-tokens\b/,
  /^POST \/settings\/(access|provider|proxy)\b/,
  /^(GET|POST) \/settings\/backup\/:name\/(download|restore|remove)$/,
  /^(GET|POST) \/settings\/notifications\/(add\/:kind|:id|:id\/change|:id\/remove)$/,
  /^POST \/account\/(link|unlink)$/,
  /^POST \/nodes\/:id\/approve$/,
  /^(GET|POST) \/nodes\/:id\/remove$/,
  /^POST \/nodes\/tokens$/,
  /^POST \/logs\/support-bundle$/,
  /^(GET|POST) \/settings\/clean-up\/(trash|:id\/delete)$/,
  /^(GET|POST) \/sources\/(add\/:kind|keep|sign-in)$/,
  /^POST \/sources\/:id\/(change|hook)$/,
  /^(GET|POST) \/sources\/:id\/remove$/,
];
