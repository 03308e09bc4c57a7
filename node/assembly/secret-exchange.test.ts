import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { createSecrets } from '../coordinator/secrets.ts';
import { noteCandidate, readExchanges, removeCandidate, writeExchange } from '../db/candidates.ts';
import { foundCluster } from '../db/cluster.ts';
import { loadIdentity, type Identity } from '../mesh/identity.ts';
import { makeClusterKey } from '../mesh/signing.ts';
import { freshDatabase, quietLog, temporaryDirectory } from '../testing/database.ts';
import { createSecretExchange } from './secret-exchange.ts';
import { openSecretKey } from './secret-key.ts';

const session = '00000000-0000-4000-8000-000000000000';
const isLost = { reason: { code: 'secret-lost' } };

interface Machine {
  dataDir: string;
  identity: Identity;
}

async function machine(t: TestContext): Promise<Machine> {
  const dataDir = temporaryDirectory(t);
  return { dataDir, identity: await loadIdentity(dataDir) };
}

const keyOf = ({ dataDir }: Machine) => openSecretKey({ dataDir, file: null, log: quietLog() });

describe('the key of stored secrets', () => {
  test('is made when it is first needed, for this user alone, and a file that is no key stops nothing', async (t) => {
    const a = await machine(t);
    const file = path.join(a.dataDir, 'secret.key');
    const key = await keyOf(a);
    assert.deepEqual([key.id(), key.sealer()], [null, null]);
    const id = await key.make();
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal((await keyOf(a)).id(), id, 'the next start finds it');
    const sealed = key.sealer()!.seal('source plex m', 'token');
    assert.throws(() => key.sealer()!.open('source plex n', sealed), isLost, 'it does not open under another name');
    writeFileSync(file, 'short');
    assert.equal((await keyOf(a)).id(), null);
    const named = path.join(a.dataDir, 'named');
    writeFileSync(named, `${'ab'.repeat(32)}\n`);
    const given = await openSecretKey({ dataDir: a.dataDir, file: named, log: quietLog() });
    await assert.rejects(given.adopt(new Uint8Array(32)), /never written/);
    assert.equal(readFileSync(named, 'utf8'), `${'ab'.repeat(32)}\n`);
  });

  test('reaches another machine that may coordinate through the database, which never holds it', async (t) => {
    const db = await freshDatabase(t, 'embedded');
    const q = await db.lead();
    const { cluster, ...pair } = makeClusterKey();
    await foundCluster(q, { cluster, ...pair }, 'house');
    const [a, b, stranger] = [await machine(t), await machine(t), await machine(t)];
    const members = new Set([a.identity.id, b.identity.id]);
    const [keyA, keyB, keyC] = [await keyOf(a), await keyOf(b), await keyOf(stranger)];
    const exchange = (of: Machine, key: typeof keyA) =>
      createSecretExchange({
        db,
        self: of.identity.id,
        nodeKey: of.identity.key,
        cluster,
        isMember: (id) => members.has(id),
        key,
        log: quietLog(),
      });
    const [atA, atB, atStranger] = [exchange(a, keyA), exchange(b, keyB), exchange(stranger, keyC)];
    for (const one of [a, b, stranger]) await noteCandidate(db, one.identity.id, session, 1, { schema: db.schema, version: '0.1.0' });

    const sealed = await createSecrets({ db: q, self: a.identity.id, key: keyA }).seal('source plex m', 'token');
    const atTermOfB = createSecrets({ db: q, self: b.identity.id, key: keyB });
    assert.throws(() => atTermOfB.open('source plex m', sealed), isLost);
    await assert.rejects(atTermOfB.seal('source plex n', 'other'), /may have it/, 'it waits for the machine that may have the key');

    await atB.round();
    await atStranger.round();
    await atA.round();
    const rows = await readExchanges(db);
    assert.ok(rows.find((row) => row.nodeId === b.identity.id)?.wrapped);
    assert.equal(rows.find((row) => row.nodeId === stranger.identity.id)?.wrapped, null, 'a machine that is no member gets nothing');
    const stored = JSON.stringify(rows);
    for (const form of ['base64url', 'base64', 'hex'] as const) assert.ok(!stored.includes(Buffer.from(keyA.master()!).toString(form)));
    assert.equal(await atB.round(), true);
    assert.equal(atTermOfB.open('source plex m', sealed), 'token');
    assert.equal((await keyOf(b)).id(), keyA.id(), 'it is in the file of that machine');
    assert.deepEqual(await readExchanges(db).then((left) => left.map((row) => row.nodeId)), [stranger.identity.id]);

    // somebody who can write the database asks in the name of a member
    await writeExchange(db, b.identity.id, rows.find((row) => row.nodeId === stranger.identity.id)!.exchange);
    await atA.round();
    assert.equal((await readExchanges(db)).find((row) => row.nodeId === b.identity.id)!.wrapped, null);
  });

  test('that was lost for good is followed by a new one once nobody is left who may have it', async (t) => {
    const db = await freshDatabase(t, 'embedded');
    const q = await db.lead();
    await foundCluster(q, makeClusterKey(), 'house');
    const [a, b] = [await machine(t), await machine(t)];
    await noteCandidate(db, a.identity.id, session, 1, { schema: db.schema, version: '0.1.0' });
    const old = await createSecrets({ db: q, self: a.identity.id, key: await keyOf(a) }).seal('x', 'token');
    await removeCandidate(db, a.identity.id);
    const key = await keyOf(b);
    await key.make();
    const secrets = createSecrets({ db: q, self: b.identity.id, key });
    assert.throws(() => secrets.open('x', old), isLost);
    assert.equal(secrets.open('x', await secrets.seal('x', 'again')), 'again');
    await key.adopt(new Uint8Array(32).fill(7));
    assert.equal(readdirSync(b.dataDir).filter((name) => name.startsWith('secret.key.')).length, 1, 'the key before is kept aside');
  });
});
