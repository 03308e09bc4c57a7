import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { agedFfmpeg } from '../testing/aged-ffmpeg.ts';
import { chosenFfmpeg } from '../testing/ffmpeg-tools.ts';
import { clip } from '../testing/media.ts';
import { startProgram, until } from '../testing/program.ts';

interface Node {
  encoders: { works: boolean }[];
  ffmpeg: { inWords: { refused: string } };
  conduct: { does: string; reason: { code: string; sentence: string } | null };
  roots: { problem: { code: string } | null }[];
}

/** The program as a person starts it, on a machine whose only named ffmpeg has a hole that a film can reach. */
test('a machine with a vulnerable ffmpeg runs, opens no film, and says why and what helps; allowed, it works', async (t) => {
  if (process.platform === 'win32') return t.skip('the stand-in is a shell script');
  const base = mkdtempSync(join(tmpdir(), 'codecshift-refused-'));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const [films, dataDir] = [join(base, 'films'), join(base, 'data')];
  mkdirSync(films);
  copyFileSync(await clip('film'), join(films, 'Film (2020).mkv'));
  const ffmpeg = agedFfmpeg(await chosenFfmpeg(), join(base, 'bin'), '5.1');
  const options = { dataDir, libraries: [films], args: ['--ffmpeg', ffmpeg] };

  const refusing = await startProgram(options);
  t.after(() => refusing.kill());
  // said before its address is, but on the other stream
  const refusal = /No film is opened on this machine.*CVE-2022-2566.*--allow-vulnerable-ffmpeg/;
  await until('the refusal on the console', () => refusal.test(refusing.output()));
  const node = await until('the machine to say why it rests', async () => {
    const [one] = (await refusing.api<{ items: Node[] }>('/nodes')).items;
    return one?.conduct.reason && one.roots.length > 0 && one.ffmpeg ? one : null;
  });
  assert.deepEqual([node.conduct.does, node.conduct.reason?.code], ['pause', 'ffmpeg-refused']);
  assert.match(node.conduct.reason?.sentence ?? '', /CVE-2022-2566/);
  assert.match(node.ffmpeg.inWords.refused, /CVE-2022-2566/);
  assert.deepEqual(
    node.roots.map(({ problem }) => problem?.code),
    ['ffmpeg-refused'],
  );
  const library = await until('the scan to say why it waits', async () => {
    const { items } = await refusing.api<{ items: { problem: { code: string } | null }[] }>('/libraries');
    return items[0]?.problem ? items[0] : null;
  });
  assert.equal(library.problem?.code, 'ffmpeg-refused');
  const page = await (await refusing.request('/nodes')).text();
  assert.match(page, /ffmpeg on this machine/);
  assert.match(page, /This machine opens no film\..*CVE-2022-2566/s);
  await until('its encoders to be tested', async () => {
    const [one] = (await refusing.api<{ items: Node[] }>('/nodes')).items;
    return one?.encoders.some(({ works }) => works);
  });
  assert.doesNotMatch(await (await refusing.request('/nodes')).text(), /Worker/);
  assert.match(await (await refusing.request('/')).text(), /opens no film/);
  const { jobs } = await refusing.api<{ jobs: { waiting: number } }>('/status');
  assert.equal(jobs.waiting, 0, 'no film was even looked into');
  await refusing.stop();

  const allowed = await startProgram({ ...options, args: [...options.args, '--allow-vulnerable-ffmpeg'] });
  t.after(() => allowed.kill());
  await until('the film to be looked into and planned', async () => {
    const now = await allowed.api<{ jobs: { waiting: number; running: number; finished: number } }>('/status');
    return now.jobs.waiting + now.jobs.running + now.jobs.finished > 0;
  });
  await allowed.kill();
});
