import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, before, suite, test } from 'node:test';
import { createGzip, gunzipSync, gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { emptyUrl, freshDatabase, havePostgres, quietLog, dataDirectory } from '../testing/database.ts';
import { aHistory } from '../testing/history.ts';
import { readBackup, readHead, verifyBackup } from './backup-read.ts';
import { backUp, type Manifest } from './backup-write.ts';
import { openSession } from './connect.ts';
import { rebuild } from './rebuild.ts';
import { rowsOfBackup } from './row-sources.ts';

/** A backup may come from anywhere. Whoever made this one knows how they are made, and gives every part the right digest. */
const kind = havePostgres() ? 'postgres' : 'embedded';
const cleanups: (() => Promise<void> | void)[] = [];
const suiteLife = { after: (fn: () => Promise<void> | void) => void cleanups.push(fn) };

interface Content {
  manifest: Manifest;
  tables: Record<string, string[]>;
}

interface Part {
  name: string;
  type?: 'file' | 'symlink' | 'link' | 'directory' | 'character-device';
  linkname?: string;
  bytes?: string | Buffer;
}

let good: Content;
let goodFile = '';
let folder = '';

before(async () => {
  folder = dataDirectory(suiteLife);
  const db = await freshDatabase(suiteLife, kind);
  await aHistory(await db.lead(), 5);
  goodFile = (await backUp(db, folder, { label: 'manual', keys: { 'node.key': Buffer.from('key') } })).file;
  const tables: Content['tables'] = {};
  const { manifest } = await verifyBackup(goodFile);
  for await (const part of readBackup(goodFile)) if (part.kind === 'rows') (tables[part.table] ??= []).push(...part.rows);
  good = { manifest, tables };
});

after(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
});

/** With digests that are right for what is in it. */
async function craft(name: string, change: (content: Content) => void, more: Part[] = []): Promise<string> {
  const content = structuredClone(good);
  change(content);
  const { tables, manifest } = content;
  manifest.tables = Object.entries(tables).map(([table, rows]) => ({
    name: table,
    rows: rows.length,
    sha256: createHash('sha256')
      .update(rows.map((row) => `${row}\n`).join(''))
      .digest('hex'),
  }));
  manifest.files = [];
  const parts: Part[] = [
    { name: 'backup.json', bytes: JSON.stringify(manifest) },
    ...Object.entries(tables).map(([table, rows]) => ({
      name: `tables/${table}.000001.jsonl`,
      bytes: rows.map((row) => `${row}\n`).join(''),
    })),
    ...more,
    { name: 'manifest.json', bytes: JSON.stringify(manifest) },
  ];
  const tar = pack();
  const file = path.join(folder, name);
  const written = pipeline(Readable.from(tar as AsyncIterable<Buffer>), createGzip({ level: 1 }), createWriteStream(file));
  for (const { name: entry, type = 'file', linkname, bytes = '' } of parts)
    await new Promise<void>((resolve, reject) =>
      tar.entry({ name: entry, type, ...(linkname === undefined ? {} : { linkname }), mode: 0o777 }, bytes as string, (error) =>
        error ? reject(error) : resolve(),
      ),
    );
  tar.finalize();
  await written;
  return file;
}

suite('a backup of somebody who means harm', () => {
  test('names no file outside of itself: what is none of its parts is passed over, and nothing is written by reading it', async () => {
    const names = ['../evil', '/tmp/codecshift-evil', 'keys/../../evil', 'keys/authorized_keys', 'tables/../../evil.000001.jsonl', 'keys/'];
    const parts: Part[] = names.map((name) => ({ name, bytes: 'evil' }));
    parts.push(
      { name: 'keys/secret.key', type: 'symlink', linkname: '/etc/passwd' },
      { name: 'keys/cluster.json', type: 'link', linkname: '/etc/shadow' },
    );
    const file = await craft('names.tar.gz', () => {}, parts);
    const before = readdirSync(folder).length;
    const { files } = await verifyBackup(file);
    assert.equal(Object.values(files).filter((bytes) => bytes.length > 0).length, 0, Object.keys(files).join(', '));
    assert.equal(readdirSync(folder).length, before);
    for (const place of [path.join(folder, '..', 'evil'), '/tmp/codecshift-evil']) assert.equal(existsSync(place), false, place);
  });

  test('that unpacks to very much is never held as a whole', async () => {
    const row = JSON.stringify({ key: 'a', value: 'x'.repeat(3_000_000) });
    const file = await craft('bomb.tar.gz', ({ tables }) => (tables['settings'] = Array.from({ length: 30 }, () => row)));
    assert.ok(readFileSync(file).length < 5_000_000, 'a small file');
    let most = 0;
    for await (const part of readBackup(file))
      if (part.kind === 'rows')
        most = Math.max(
          most,
          part.rows.reduce((sum, each) => sum + each.length, 0),
        );
    assert.ok(most < 8_000_000, `${most} characters at once`);
    const key: Part = { name: 'keys/node.key', bytes: Buffer.alloc(2_000_000) };
    await assert.rejects(verifyBackup(await craft('key.tar.gz', () => {}, [key])), /its part keys\/node\.key is too big/);
    await assert.rejects(
      readHead(await craft('name.tar.gz', () => {}, [{ ...key, name: 'x'.repeat(90) }])).then(() =>
        verifyBackup(path.join(folder, 'name.tar.gz')),
      ),
      /is too big/,
    );
  });

  test('with rows that cannot be is refused in words, and the database stays as it was', async (t) => {
    const url = kind === 'postgres' ? await emptyUrl(t) : null;
    const there = await openSession({ url, dataDir: dataDirectory(t), log: quietLog() });
    t.after(() => there.close());
    const bring = async (file: string): Promise<void> => {
      const contents = await verifyBackup(file);
      return rebuild(there, rowsOfBackup(file, contents, {}), { life: 'restored', embedded: there.embedded });
    };
    await bring(goodFile);
    const read = (): Promise<unknown> => there.query(`select key, value from settings order by key`);
    const settings = await read();
    const change = (table: string, by: (row: Record<string, unknown>) => unknown) => (content: Content) => {
      const rows = content.tables[table]!;
      rows[0] = JSON.stringify(by(JSON.parse(rows[0]!) as Record<string, unknown>));
    };
    const cases: [string, (content: Content) => void, RegExp][] = [
      ['no JSON', ({ tables }) => void (tables['settings'] = [`'); drop table jobs; --`]), /does not fit .*Nothing was changed/],
      [
        'two rows for one',
        ({ tables }) => void (tables['settings'] = [`${tables['settings']![0]},${tables['settings']![0]!.replace('"a"', '"b"')}`]),
        /not what the backup holds/,
      ],
      ['a key that is no key', change('settings', (row) => ({ ...row, key: `x'; drop table jobs; --` })), /does not fit/],
      ['nothing where something must be', change('jobs', (row) => ({ ...row, plan: null })), /does not fit/],
      ['a job of no file', change('jobs', (row) => ({ ...row, file_id: 424242 })), /does not fit/],
      ['a column that there is not', change('settings', (row) => ({ ...row, evil: 1 })), /not what the backup holds/],
      ['a number without end', change('jobs', (row) => ({ ...row, input_bytes: 1e300 })), /does not fit/],
      ['rows of a table of another schema', ({ manifest }) => void (manifest.schema = 1), /does not fit|not what the backup holds/],
      ['a schema of the future', ({ manifest }) => void (manifest.schema = 900), /newer CodecShift/],
    ];
    for (const [what, by, words] of cases) {
      const file = await craft('rows.tar.gz', by);
      const told = (error: Error): boolean => (
        assert.equal(error.name, 'PlainError', `${what}: ${error.stack}`),
        words.test(error.message) || assert.fail(`${what}: ${error.message}`)
      );
      await assert.rejects(bring(file), told, what);
      assert.deepEqual(await read(), settings, what);
    }
  });

  test('that says of itself what cannot be is damaged', async () => {
    const lies: [string, (manifest: Record<string, unknown>) => void][] = [
      ['a term at the end of all numbers', (m) => (m['term'] = 1e300)],
      ['a term below zero', (m) => (m['term'] = -1)],
      ['a schema that is no number', (m) => (m['schema'] = '12; drop table jobs')],
      ['an endless name', (m) => (m['cluster'] = { id: 'x', name: 'x'.repeat(10_000) })],
      ['a label with a path', (m) => (m['label'] = '../'.repeat(40))],
    ];
    for (const [what, lie] of lies) {
      const file = await craft('lie.tar.gz', ({ manifest }) => lie(manifest as unknown as Record<string, unknown>));
      await assert.rejects(verifyBackup(file), /what it says of itself cannot be read/, what);
    }
  });

  test('or of a disk that forgets: every cut and every changed bit is found', async () => {
    const bytes = readFileSync(goodFile);
    const file = path.join(folder, 'broken.tar.gz');
    for (let cut = 0; cut < bytes.length; cut += Math.ceil(bytes.length / 40)) {
      writeFileSync(file, bytes.subarray(0, cut));
      await assert.rejects(verifyBackup(file), { name: 'PlainError' }, `cut at ${cut}`);
    }
    const plain = gunzipSync(bytes);
    const at = plain.indexOf('House of Ada');
    for (const [where, changed] of [
      ['in the packed file', flip(bytes, Math.floor(bytes.length / 2))],
      ['in a row', gzipSync(flip(plain, plain.indexOf('House of Ada', at + 1)))],
      ['in a key', gzipSync(flip(plain, plain.indexOf('key', plain.indexOf('keys/node.key') + 400)))],
    ] as const) {
      writeFileSync(file, changed);
      await assert.rejects(verifyBackup(file), { name: 'PlainError' }, where);
    }
  });
});

function flip(bytes: Buffer, at: number): Buffer {
  assert.ok(at >= 0);
  const changed = Buffer.from(bytes);
  changed[at]! ^= 4;
  return changed;
}
