import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachDatabase, freshDatabase } from '../testing/database.ts';
import { aFingerprint, aLibrary, aProbe, because, someFiles, someJobs } from '../testing/records.ts';
import { listFiles } from './file-lists.ts';
import { fileCounts } from './libraries.ts';
import { excludeFile, includeFile, setStatus } from './file-standing.ts';
import { filesToInspect, knownFiles, markMissing, readFile, saveInspected, upsertListed, type ListedFile } from './media-files.ts';
import { findMoved, moveFile } from './moved-files.ts';
import { endScan, lastScans, progressScan, runningScans, startScan } from './scans.ts';

const listed = (path: string, change: Partial<ListedFile> = {}): ListedFile => ({
  path,
  title: path,
  detail: '',
  sizeBytes: 10,
  mtimeMs: 20.7,
  inode: '3',
  links: 1,
  status: 'new',
  reason: null,
  ...change,
});

eachDatabase((kind) => {
  test('a file that got its present name after the scan began is not taken for missing', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const [id] = await someFiles(q, library.id, 1);
    const [before] = await q.query<{ at: Date }>(`select updated_at - interval '1 second' as at from media_files where id = $1`, [id]);
    assert.equal(await markMissing(q, [id!], because('missing'), before!.at), 0);
    assert.equal(await markMissing(q, [id!], because('missing'), new Date(Date.now() + 60_000)), 1);
  });

  test('an inspection that comes too late changes nothing in a file that was finished or went missing meanwhile', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    for (const [i, status] of (['done', 'kept', 'missing', 'new'] as const).entries()) {
      const [id] = await someFiles(q, library.id, 1, `late-${i}`);
      await setStatus(q, [id!], status, null);
      const stale = {
        id: id!,
        fingerprint: aFingerprint('stale', 5),
        probe: aProbe(),
        status: 'queued' as const,
        reason: because('not-hevc'),
        expectedBytes: 1,
      };
      assert.deepEqual(await saveInspected(q, [stale]), status === 'new' ? [id] : []);
      assert.equal((await readFile(q, id!))?.status, status === 'new' ? 'queued' : status);
    }
  });

  test('names that no database likes are kept readable, in byte order', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const names = ['ä.mkv', 'Z.mkv', 'a.mkv', 'nul\0.mkv', 'half\ud83d.mkv', 'quote\'"{},\\.mkv', '🎬.mkv', 'line\nbreak.mkv'];
    await upsertListed(
      q,
      library.id,
      names.map((n) => listed(n)),
      because('changed'),
    );
    const known = await knownFiles(q, library.id, null);
    const paths = known.map((k) => k.path);
    assert.equal(paths.length, names.length);
    assert.deepEqual(
      paths,
      paths.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    assert.ok(paths.includes('quote\'"{},\\.mkv'));
    assert.ok(paths.includes('nul\ufffd.mkv'));
    assert.deepEqual(
      (await knownFiles(q, library.id, paths[3]!, { size: 2 })).map((k) => k.path),
      paths.slice(4, 6),
    );
  });

  test('a batch beyond five thousand is written whole and read back by pages', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const many = Array.from({ length: 6001 }, (_, i) => listed(`${i}.mkv`));
    const written = await upsertListed(q, library.id, [...many, listed('0.mkv')], because('changed'));
    assert.equal(new Set(written.map((w) => w.id)).size, 6001);
    let seen = 0;
    for (let after: string | null = null; ;) {
      const page: { path: string }[] = await knownFiles(q, library.id, after, { size: 2500 });
      if (page.length === 0) break;
      seen += page.length;
      after = page.at(-1)!.path;
    }
    assert.equal(seen, 6001);
    const again = await upsertListed(q, library.id, [listed('0.mkv', { sizeBytes: 11 })], because('changed'));
    assert.deepEqual([again[0]?.added, (await fileCounts(q))[0]?.bytes], [false, 6001 * 10 + 1]);
  });

  test('inspection fills the columns that lists filter by, and the counters follow', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const [a, b] = await someFiles(q, library.id, 2);
    await saveInspected(q, [
      { id: b!, fingerprint: null, probe: null, status: 'skipped', reason: because('unreadable'), expectedBytes: null },
    ]);
    const file = await readFile(q, a!);
    assert.deepEqual(
      [file?.codec, file?.width, file?.container, file?.durationMs, file?.probe?.probedBy],
      ['h264', 1920, 'matroska', 60_000, '5.1.9'],
    );
    assert.deepEqual(
      (await fileCounts(q, library.id)).map((c) => [c.status, c.codec, c.files, c.expectedBytes]),
      [
        ['new', 'h264', 1, 400_000],
        ['skipped', '', 1, 1_000_000],
      ],
    );
    assert.deepEqual(
      (await filesToInspect(q, library.id, 0)).map((f) => f.id),
      [a],
    );
    assert.deepEqual(
      (await listFiles(q, { codec: 'h264' })).rows.map((r) => r.id),
      [a],
    );
    assert.deepEqual(
      (await listFiles(q, { status: ['skipped', 'done'] })).rows.map((r) => r.id),
      [b],
    );
    assert.deepEqual(
      (await listFiles(q, { search: 'FILM 2' })).rows.map((r) => r.id),
      [b],
    );
    assert.deepEqual((await listFiles(q, { search: '100%' })).rows, []);
    assert.deepEqual(
      (await listFiles(q, { sort: 'title', libraryId: library.id })).rows.map((r) => r.id),
      [a, b],
    );
    assert.deepEqual(
      (await listFiles(q, { sort: 'saving' })).rows.map((r) => r.id),
      [a],
    );
  });

  test('a missing file found under another name keeps its row and its history', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const [job] = await someJobs(q, library.id, 1);
    const hash = (await readFile(q, job!.fileId))!.hash!;
    assert.deepEqual(await findMoved(q, hash, 1_000_000), []);
    assert.equal(await markMissing(q, [job!.fileId], because('missing'), new Date(Date.now() + 60_000)), 1);
    assert.equal(await markMissing(q, [job!.fileId], because('missing'), new Date(Date.now() + 60_000)), 0);
    assert.equal((await q.query(`select 1 from jobs where state = 'cancelled'`)).length, 1);
    const [moved] = await findMoved(q, hash, 1_000_000);
    assert.equal(moved?.id, job!.fileId);
    await upsertListed(q, library.id, [listed('elsewhere.mkv')], because('changed'));
    const to = {
      libraryId: library.id,
      path: 'elsewhere.mkv',
      title: 'Elsewhere',
      detail: '',
      fingerprint: aFingerprint('x'),
      status: 'new' as const,
      reason: null,
    };
    assert.equal(await moveFile(q, job!.fileId, to), true);
    assert.equal(await moveFile(q, job!.fileId, to), false);
    const files = await listFiles(q, {});
    assert.deepEqual(
      files.rows.map((r) => [r.id, r.path, r.status]),
      [[job!.fileId, 'elsewhere.mkv', 'new']],
    );
  });

  test('what a person excluded stays excluded until a person includes it again', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const [job] = await someJobs(q, library.id, 1);
    assert.equal(await excludeFile(q, job!.fileId, 'Ada', because('excluded')), true);
    assert.equal((await q.query(`select 1 from jobs where state = 'available'`)).length, 0);
    assert.equal(await includeFile(q, job!.fileId), true);
    assert.equal(await includeFile(q, job!.fileId), false);
    assert.equal(await setStatus(q, [job!.fileId], 'settling', because('still-written')), 1);
    assert.equal((await readFile(q, job!.fileId))?.status, 'settling');
  });

  test('one scan of a library runs at a time, and its end is written once', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const counts = { seen: 3, added: 2, changed: 0, moved: 0, missing: 0, problems: 1, inspected: 2 };
    const scan = await startScan(q, library.id);
    assert.equal(await startScan(q, library.id), null);
    assert.equal(await progressScan(q, scan!.id, counts), true);
    assert.equal((await runningScans(q))[0]?.seen, 3);
    assert.equal(await endScan(q, scan!.id, 'failed', counts, because('root-missing')), true);
    assert.equal(await endScan(q, scan!.id, 'completed', counts), false);
    assert.equal((await q.query<{ problem: { code: string } }>('select problem from libraries'))[0]?.problem.code, 'root-missing');
    await endScan(q, (await startScan(q, library.id))!.id, 'completed', counts);
    assert.equal((await q.query<{ problem: unknown }>('select problem from libraries'))[0]?.problem, null);
    assert.deepEqual(
      (await lastScans(q)).map((s) => s.state),
      ['completed'],
    );
  });
});

test('a music file shows its audio codec and a probe without streams says none', async () => {
  const { probeColumns } = await import('./media-files.ts');
  assert.equal(probeColumns({ ...aProbe(), streams: [] })['codec'], 'none');
});
