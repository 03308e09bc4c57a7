import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createAccess } from '../coordinator/access.ts';
import { readPassword, readSetup, userByName } from '../db/users.ts';
import { createEvents } from '../events.ts';
import { freshDatabase, havePostgres } from '../testing/database.ts';
import { createPasswords } from '../web/auth/password.ts';
import { firstStart, requireSoundAccess } from './first-start.ts';

const password = 'four old films on a shelf';
const nothing = { auth: 'page', adminUser: null, adminPassword: null, setupToken: null } as const;

describe('the first start', () => {
  test('makes the admin that the environment names, once, and otherwise leaves it to a person', async (t) => {
    const db = await freshDatabase(t, havePostgres() ? 'postgres' : 'embedded');
    const access = createAccess({ db: await db.lead(), events: createEvents(() => {}) });
    assert.equal(await firstStart({ db, access, options: { ...nothing, auth: 'none' } }), false);
    assert.equal(await firstStart({ db, access, options: nothing }), true);
    assert.equal(await readSetup(db), null);
    assert.equal(await firstStart({ db, access, options: { ...nothing, adminUser: 'ada', adminPassword: password } }), false);
    const ada = (await userByName(db, 'ada'))!;
    assert.equal(ada.role, 'admin');
    assert.equal(await createPasswords().verify((await readPassword(db, ada.id))!.password, password), true);
    assert.equal(await firstStart({ db, access, options: { ...nothing, adminUser: 'eve', adminPassword: password } }), false);
    assert.equal(await userByName(db, 'eve'), null, 'later starts change nothing');
  });

  test('is refused before anything is started when half of it is missing, or it would be refused later', () => {
    assert.throws(() => requireSoundAccess({ ...nothing, adminUser: 'ada' }), /belong together/);
    assert.throws(() => requireSoundAccess({ ...nothing, adminUser: 'ada', adminPassword: 'short' }), /at least 12/);
    assert.throws(() => requireSoundAccess({ ...nothing, adminUser: '<b>', adminPassword: password }), /letter or a digit/);
    assert.throws(() => requireSoundAccess({ ...nothing, setupToken: 'short' }), /20 to 200/);
    requireSoundAccess({ ...nothing, adminUser: 'ada', adminPassword: password, setupToken: 'abcde-abcde-abcde-abcde' });
  });
});
