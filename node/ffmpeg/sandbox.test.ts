import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { allowedFormats } from '../core/allowed-media.ts';
import { chosenFfmpeg } from '../testing/ffmpeg-tools.ts';
import { clip } from '../testing/media.ts';
import { run } from './process.ts';
import { fileUrl, homeOf, wrapper } from './sandbox.ts';

const tools = await chosenFfmpeg();
const uncaged = !tools.cage && `no sandbox on this machine: ${tools.cageProblem}`;
const folder = await mkdtemp(join(tmpdir(), 'codecshift-cage-'));
after(() => rm(folder, { recursive: true, force: true }));
const copy = (from: string, to: string): string[] => [
  tools.ffmpeg.path,
  '-v',
  'error',
  '-nostdin',
  '-i',
  fileUrl(from),
  '-c',
  'copy',
  '-f',
  'matroska',
  '-y',
  fileUrl(to),
];

test('the cage shows the one film and the workspace, and nothing else', { skip: uncaged }, async () => {
  const [film, other] = [await clip('film'), await clip('tenBit')];
  const inside = wrapper(tools, tools.ffmpeg.path, { read: [film], write: folder });
  await run({ command: copy(film, join(folder, 'a.mkv')), wrapper: inside, what: 'copy' });
  await assert.rejects(run({ command: copy(other, join(folder, 'b.mkv')), wrapper: inside, what: 'copy' }), /No such file/);
  await assert.rejects(run({ command: copy(film, film), wrapper: inside, what: 'copy' }));
});

test('a file that grows over its limit ends the run', { skip: !tools.prlimit && 'no prlimit on this machine' }, async () => {
  const film = await clip('film');
  const inside = wrapper(tools, tools.ffmpeg.path, { read: [film], write: folder, maxFileBytes: 10_000 });
  await assert.rejects(run({ command: copy(film, join(folder, 'c.mkv')), wrapper: inside, what: 'copy' }));
});

test('a program with libraries of its own sees the place where it was installed, and nothing beside it', () => {
  assert.equal(homeOf('/opt/ffmpeg-8.1/bin/ffmpeg'), '/opt/ffmpeg-8.1');
  assert.equal(homeOf('/home/linuxbrew/.linuxbrew/bin/ffmpeg'), '/home/linuxbrew/.linuxbrew');
  assert.equal(homeOf('/srv/codecshift/tools/ffmpeg'), '/srv/codecshift/tools/ffmpeg');
  assert.equal(homeOf('/opt/ffmpeg'), '/opt/ffmpeg');
});

test('no demuxer that opens other files is on the list', () => {
  for (const name of ['hls', 'dash', 'concat', 'sdp', 'image2', 'rtsp', 'imf', 'applehttp', 'lavfi', 'tee'])
    assert.ok(!allowedFormats.includes(name));
});

test('a relative path is refused before ffmpeg could read it as an option', () => {
  assert.throws(() => fileUrl('-version.mkv'), TypeError);
});
