import assert from 'node:assert/strict';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { PlainError } from '../errors.ts';
import { agedFfmpeg } from '../testing/aged-ffmpeg.ts';
import { chosenFfmpeg } from '../testing/ffmpeg-tools.ts';
import { clip } from '../testing/media.ts';
import { findFfmpeg } from './locate.ts';
import { probeFile } from './probe.ts';

const real = await chosenFfmpeg();
const folder = await mkdtemp(join(tmpdir(), 'codecshift-locate-'));
after(() => rm(folder, { recursive: true, force: true }));
const posixOnly = process.platform === 'win32' && 'the stand-in is a shell script';

test('every ffmpeg of the machine is found once and asked what it can do', { skip: posixOnly }, async () => {
  const toolsDir = join(folder, 'tools');
  agedFfmpeg(real, toolsDir, '9.0.1');
  await symlink(join(toolsDir, 'ffmpeg'), join(folder, 'ffmpeg'));
  const found = await findFfmpeg({ toolsDir, configured: {} });
  const builds = found.builds();
  assert.deepEqual(
    builds.filter(({ version }) => version === '9.0.1').map(({ from }) => from),
    ['tools'],
  );
  const system = builds.find(({ path }) => path === real.ffmpeg.path);
  assert.ok(system?.tenBit && system.decodes.hevc && system.encoders.includes('libx265'));
  assert.equal(system.problem, null);
  assert.equal(system.ffprobe?.beside, true);
  // nothing is known against it, so it is better than what came with the system
  assert.equal(found.tools.ffmpeg.version, '9.0.1');
  assert.equal(found.tools.ffmpeg.from, 'tools');
});

test(
  'what a person configured is used although another would be better; what is no ffmpeg is told with its reason',
  { skip: posixOnly },
  async () => {
    const own = agedFfmpeg(real, join(folder, 'own'), '6.0.1');
    const toolsDir = join(folder, 'odd');
    agedFfmpeg(real, toolsDir, '9.0.1');
    await writeFile(join(toolsDir, 'ffmpeg'), '#!/bin/sh\necho hello\n', { mode: 0o755 });
    const found = await findFfmpeg({ toolsDir, configured: { ffmpeg: own } });
    assert.deepEqual([found.tools.ffmpeg.path, found.tools.ffmpeg.from, found.choice().used], [own, 'configured', 0]);
    assert.notEqual(found.choice().better, null, 'the system has a newer one');
    assert.equal(found.builds().find(({ path }) => path === join(toolsDir, 'ffmpeg'))?.problem, 'it is not ffmpeg');
  },
);

test(
  'an ffmpeg with a serious hole opens no film, by no function, until it is upgraded or a person allows it',
  { skip: posixOnly },
  async () => {
    const own = agedFfmpeg(real, join(folder, 'hole'), '5.1');
    const file = await clip('film');
    const found = await findFfmpeg({ configured: { ffmpeg: own } });
    assert.equal(found.tools.refused?.hole, 'CVE-2022-2566');
    await assert.rejects(probeFile({ tools: found.tools, path: file }), (error) => {
      assert.ok(error instanceof PlainError);
      assert.equal(error.reason?.code, 'ffmpeg-refused');
      assert.match(error.message, /^No film is opened on this machine: ffmpeg 5\.1 at .* CVE-2022-2566.*--allow-vulnerable-ffmpeg\.$/);
      return true;
    });
    const allowed = await findFfmpeg({ configured: { ffmpeg: own }, allowVulnerable: true });
    assert.equal((await probeFile({ tools: allowed.tools, path: file })).streams[0]?.kind, 'video');

    agedFfmpeg(real, join(folder, 'hole'), '5.1.9');
    await found.again();
    assert.equal(found.tools.refused, null);
    assert.equal(found.tools.ffmpeg.version, '5.1.9');
    assert.equal((await probeFile({ tools: found.tools, path: file })).streams[0]?.kind, 'video');
  },
);

test('looking again keeps the one in use, and says when it cannot be used any more', { skip: posixOnly }, async () => {
  const toolsDir = join(folder, 'again');
  const own = agedFfmpeg(real, toolsDir, '9.0.1');
  const found = await findFfmpeg({ toolsDir });
  assert.equal(found.tools.ffmpeg.path, own);
  const { tools } = found;
  agedFfmpeg(real, toolsDir, '6.0.1');
  await found.again();
  assert.deepEqual([tools.ffmpeg.path, tools.ffmpeg.version], [own, '6.0.1'], 'films may run with it: it is not exchanged under them');
  assert.notEqual(found.choice().better, null);
  await writeFile(own, '#!/bin/sh\nexit 1\n');
  await assert.rejects(found.again(), /ffmpeg at .* cannot be used any more/);
});
