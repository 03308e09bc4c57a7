import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { chmodSync, closeSync, existsSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { isReasonCode, sentence } from '../core/reasons.ts';
import { convert, drop, type Converted } from '../testing/convert.ts';
import { everyFfmpeg } from '../testing/ffmpeg-tools.ts';
import { layByteTraps, layCutFilms, layNames, layTextTraps, type Bait, type Trap } from '../testing/hostile-corpus.ts';
import { clip } from '../testing/media.ts';
import { requireTool } from '../testing/tools.ts';
import { listener, peakMemory, setTrip, wasRead } from '../testing/watch.ts';
import { thorough, unlessAll } from '../testing/thorough.ts';
import type { Tools } from './locate.ts';
import { probeFile } from './probe.ts';

/**
 * Files that want something. Each goes the whole way (probe, plan and, where the plan would, encode and evidence); then no
 * bait was touched, nobody called, it took no more memory and time than it may, and the answer is a reason in words.
 * `npm test -- --all` takes every file, with every ffmpeg here, and under strace where that is installed.
 */
const skip = process.platform === 'win32' ? 'names and /proc of a POSIX system are needed' : false;
/** Far above what a small film takes, far below what would hurt a small machine. */
const MAX_MEMORY = 1.5 * 1024 ** 3;
const MAX_SECONDS = 60;

suite('19. a hostile file', { skip }, () => {
  let folder: string;
  let bait: Bait;
  let door: Awaited<ReturnType<typeof listener>>;
  let sets: { name: string; tools: Tools }[];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'codecshift-hostile-'));
    door = await listener();
    bait = { canary: join(folder, 'canary.txt'), film: join(folder, 'canary.ts'), port: door.port };
    await writeFile(bait.canary, `canary ${'z9'.repeat(20)}\n`);
    await promisify(execFile)(requireTool('ffmpeg'), ['-v', 'error', '-i', await clip('film'), '-c', 'copy', bait.film]);
    sets = thorough ? await everyFfmpeg() : (await everyFfmpeg()).slice(0, 1);
  });
  after(async () => {
    await door.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('the baits work: without the lists, ffprobe opens them and calls', async () => {
    const traps = await layTextTraps(join(folder, 'control'), bait);
    const bare = (name: string): Promise<unknown> =>
      promisify(execFile)(requireTool('ffprobe'), [
        '-v',
        'quiet',
        '-protocol_whitelist',
        'file,http,tcp,crypto',
        '-safe',
        '0',
        '-show_format',
        traps.find((t) => t.name === name)!.path,
      ]).catch(() => null);
    await setTrip(bait.film);
    await promisify(execFile)(requireTool('ffprobe'), [
      '-v',
      'quiet',
      '-protocol_whitelist',
      'file,http,tcp,crypto',
      '-allowed_extensions',
      'ALL',
      join(folder, 'control', 'hls plain path.mp4'),
    ]).catch(() => null);
    assert.ok(await wasRead(bait.film), 'an open playlist reads the film it names, and that is seen here');
    const before = door.calls();
    await bare('hls web.ts');
    assert.ok(door.calls() > before, 'it calls the listener');
  });

  test('that is a script or a list leads nowhere', async () => {
    const traps = await layTextTraps(join(folder, 'texts'), bait);
    await eachOne(thorough ? traps : traps.slice(0, 16));
  });

  test('with something wrong inside ends within its limits', async () => {
    await eachOne(await layByteTraps(join(folder, 'bytes'), bait));
  });

  test('that was cut off is refused, or only what is there is kept', async () => {
    const tenths = thorough ? [1, 2, 3, 4, 5, 6, 7, 8, 9] : [2, 9];
    const traps = await layCutFilms(
      join(folder, 'cut'),
      thorough ? ['film', 'pictureInMp4', 'interlacedTs', 'xvid'] : ['film', 'pictureInMp4'],
      tenths,
    );
    await eachOne(traps, (trap, found) => {
      if (!found.verdict?.accepted) return;
      // a stream without an index is a shorter film; what can be shown of it must be in the output
      const frames = found.verdict.checks.find(({ name }) => name === 'frames')!;
      assert.equal(frames.original.split(' ')[0], frames.output.split(' ')[0], trap.name);
    });
  });

  test('with a name like an option, a protocol or a command is only a film', async () => {
    const traps = await layNames(folder);
    for (const trap of thorough ? traps : traps.filter((_, n) => n % 3 === 0)) {
      for (const { tools } of sets) assert.equal((await probeFile({ tools, path: trap.path })).streams.length, 2, trap.name);
    }
    await eachOne(thorough ? traps : traps.slice(11, 12), (trap, found) => assert.equal(found.fate, 'replaced', trap.name));
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name === 'pwned'),
      [],
    );
  });

  test('in a codec that is not on the list is not decoded', async () => {
    const source = ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=s=64x64:r=5:d=1'];
    const codecs: [string, string][] = [
      ['magicyuv', 'avi'],
      ['magicyuv', 'mkv'],
      ['utvideo', 'mkv'],
      ['snow', 'avi'],
      ['qtrle', 'mov'],
      ['jpeg2000', 'mov'],
      ['tiff', 'mov'],
      ['zmbv', 'avi'],
    ];
    const traps: Trap[] = [];
    for (const [codec, extension] of thorough ? codecs : codecs.slice(0, 4)) {
      const path = join(folder, `${codec}.${extension}`);
      await promisify(execFile)(requireTool('ffmpeg'), [...source, '-c:v', codec, '-y', path]);
      traps.push({ name: path, path, answers: ['codec-not-allowed', 'lossless-source', 'unknown-codec', 'damaged'] });
    }
    await eachOne(traps, (trap, found) => assert.equal(found.output, null, trap.name));
  });

  test('that never ends is not waited for', async () => {
    const pipe = join(folder, 'pipe.mkv');
    execFileSync('mkfifo', [pipe]);
    // somebody writes into it for ever
    const writer = spawn('/bin/sh', ['-c', 'exec cat /dev/zero > "$0"', pipe], { stdio: 'ignore' });
    try {
      await eachOne([
        { name: 'pipe', path: pipe, answers: ['not-a-file'] },
        { name: 'device', path: '/dev/zero', answers: ['not-a-file'] },
      ]);
    } finally {
      writer.kill('SIGKILL');
    }
  });

  test('that grows while it is read is measured as it was, or refused', { skip: unlessAll }, async () => {
    const path = join(folder, 'growing.ts');
    const bytes = await readFile(bait.film);
    await copyFile(bait.film, path);
    const handle = openSync(path, 'a');
    const writer = setInterval(() => writeSync(handle, bytes), 50);
    try {
      await eachOne([{ name: 'growing', path, answers: 'any' }], (_, found) => assert.notEqual(found.fate, 'replaced'));
    } finally {
      clearInterval(writer);
      closeSync(handle);
    }
  });

  test('of a thousand million bytes of nothing ends soon', { skip: unlessAll }, async () => {
    const traps: Trap[] = [];
    for (const [name, head] of [
      ['sparse.mkv', Buffer.alloc(0)],
      ['sparse film.mkv', await readFile(await clip('film'))],
      ['sparse film.mp4', await readFile(await clip('pictureInMp4'))],
      ['sparse film.ts', await readFile(bait.film)],
    ] as const) {
      const path = join(folder, name);
      writeFileSync(path, head);
      truncateSync(path, 1_000_000_000);
      traps.push({ name, path, answers: 'any' });
    }
    await eachOne(traps);
  });

  async function eachOne(traps: Trap[], more: (trap: Trap, found: Converted) => void = () => {}): Promise<void> {
    for (const { name, tools } of sets) {
      for (const trap of traps) {
        await Promise.all([setTrip(bait.canary), setTrip(bait.film)]);
        const calls = door.calls();
        const began = performance.now();
        const trace = thorough ? traced(tools, folder) : null;
        const { result: found, peak } = await peakMemory(() => convert(trace?.tools ?? tools, trap.path, folder));
        const words = `${trap.name} with ${name}: ${found.fate}`;
        const seconds = (performance.now() - began) / 1000;
        if (thorough)
          process.stdout.write(
            `${JSON.stringify(trap.name.slice(0, 60))}: ${found.fate}, ${seconds.toFixed(1)} s, ${Math.round(peak / 1e6)} MB\n`,
          );
        assert.ok(!(await wasRead(bait.canary)) && !(await wasRead(bait.film)), `${words}: a bait was read`);
        assert.equal(door.calls(), calls, `${words}: somebody called`);
        assert.ok(!JSON.stringify(found).includes('z9z9z9z9'), `${words}: it knows what is in the canary`);
        assert.ok(peak < MAX_MEMORY, `${words}: ${Math.round(peak / 1e6)} MB`);
        assert.ok(seconds < MAX_SECONDS, `${words}: ${seconds} s`);
        assert.deepEqual(trace?.strange(trap.path) ?? [], [], words);
        if (trap.answers !== 'any') assert.ok(trap.answers.includes(found.fate), words);
        if (found.reason) assert.ok(isReasonCode(found.reason.code) && sentence(found.reason).length > 5, words);
        more(trap, found);
        await drop(found);
      }
    }
  }
});

/** The same tools under strace: every file that is opened and every socket that is made are written down. */
function traced(tools: Tools, folder: string): { tools: Tools; strange: (own: string) => string[] } | null {
  if (!existsSync('/usr/bin/strace') || tools.cage) return null;
  const log = join(folder, 'trace.log');
  writeFileSync(log, '');
  const under = (program: string): string => {
    const path = join(folder, `traced-${program.replaceAll('/', '-')}`);
    writeFileSync(path, `#!/bin/sh\nexec /usr/bin/strace -f -qq -A -o '${log}' -e trace=open,openat,connect,socket '${program}' "$@"\n`);
    chmodSync(path, 0o755);
    return path;
  };
  const strange = (own: string): string[] => {
    const escaped = own.replace(/[\\"]/g, '\\$&');
    return readFileSync(log, 'latin1')
      .split('\n')
      .filter((line) => /open|socket|connect/.test(line) && !/= -1 E/.test(line))
      .filter((line) => !/AF_UNIX|"\/(etc|lib|lib64|usr|proc|sys|dev|nonexistent)\b/.test(line))
      .filter((line) => !line.includes(escaped) && !/traced-|output-\d+-\d+/.test(line) && isPlain(own));
  };
  return {
    tools: {
      ...tools,
      ffmpeg: { ...tools.ffmpeg, path: under(tools.ffmpeg.path) },
      ffprobe: { ...tools.ffprobe, path: under(tools.ffprobe.path) },
    },
    strange,
  };
}

/** strace writes other names with escapes of its own. */
function isPlain(path: string): boolean {
  return /^[ -~]*$/.test(path) && !/["\\]/.test(path);
}
