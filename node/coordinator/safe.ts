import type { Safe, SecretName } from '../core/safe.ts';
import type { Database } from '../db/connect.ts';
import { addNotice } from '../db/notices.ts';
import { deleteSealed, putSealed, readSealed } from '../db/secrets.ts';
import { PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Secrets } from './secrets.ts';

/** What people are told was changed. */
const words: Record<SecretName, string> = {
  'oidc.clientSecret': 'the secret of the sign-in provider',
  'proxy.secret': 'the secret of the reverse proxy',
};

/** `secrets`: null where this program speaks with nobody outside, and so has no key */
export function createSafe({ db, secrets, events }: { db: Database; secrets: Secrets | null; events: Events }): Safe {
  return {
    async keep(name, secret, by) {
      const sealed = secret === null ? null : await sealer().seal(name, secret);
      await db.tx(async (q) => {
        if (sealed === null) await deleteSealed(q, name);
        else await putSealed(q, name, sealed, by.name);
        await addNotice(q, { event: 'security.settings', item: { object: words[name], by: by.name } });
      });
      events.emit('settings.changed', { keys: [name] });
    },
    async open(name) {
      const sealed = await readSealed(db, name);
      return sealed === null ? null : sealer().open(name, sealed);
    },
    seal: (name, secret) => sealer().seal(name, secret),
    unseal: async (name, sealed) => sealer().open(name, sealed),
  };

  function sealer(): Secrets {
    if (!secrets) throw new PlainError('This program keeps no secrets here.');
    return secrets;
  }
}
