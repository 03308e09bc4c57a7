import type { Safe } from '../core/safe.ts';
import type { Database } from '../db/connect.ts';
import { deleteSealed, putSealed, readSealed } from '../db/secrets.ts';
import { PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Secrets } from './secrets.ts';

/** `secrets`: null where this program speaks with nobody outside, and so has no key */
export function createSafe({ db, secrets, events }: { db: Database; secrets: Secrets | null; events: Events }): Safe {
  return {
    async keep(name, secret, by) {
      if (secret === null) await deleteSealed(db, name);
      else await putSealed(db, name, await sealer().seal(name, secret), by.name);
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
