import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPseudonyms } from './pseudonyms.ts';

const key = 'a key of this house';
const film = 'Das Boot "Director\'s Cut" (1981).mkv';

function taken(value: unknown, learn: (p: ReturnType<typeof createPseudonyms>) => void = () => {}): string {
  const pseudonyms = createPseudonyms(key, { names: false });
  learn(pseudonyms);
  return pseudonyms.text(JSON.stringify(pseudonyms.value(value)));
}

test('a failed run keeps its command and its words, and loses every name', () => {
  const said = taken({
    path: `Filme/${film}`,
    title: 'Das Boot',
    command: [
      'ffmpeg',
      '-nostdin',
      '-i',
      `file:/volume1/Unsere Filme/Filme/${film}`,
      '-c:v',
      'libx265',
      '/home/max/.local/share/codecshift/attempts/7.part.mkv',
    ],
    stderrTail: `[matroska @ 0x5] Unknown entry 0x123\nfile:/volume1/Unsere Filme/Filme/${film}: Invalid data found when processing input\n`,
    reason: { code: 'ffmpeg-failed', params: { message: `Das Boot could not be read` } },
    by: 'maximilian',
  });
  for (const name of ['Boot', 'Director', 'Unsere', 'maximilian']) assert.ok(!said.includes(name), `${name} in ${said}`);
  const { command, stderrTail, title, path } = JSON.parse(said) as { command: string[]; stderrTail: string; title: string; path: string };
  assert.deepEqual([command[0], command[1], command[4], command[5]], ['ffmpeg', '-nostdin', '-c:v', 'libx265']);
  assert.match(path, /^folder-[0-9a-f]{6}\/film-[0-9a-f]{6}\.mkv$/);
  assert.match(stderrTail, /Unknown entry 0x123\n.*Invalid data found when processing input/);
  assert.match(title, /^film-[0-9a-f]{6}$/);
  const stand = /film-[0-9a-f]{6}\.mkv/.exec(path)![0];
  assert.ok(command[3]!.endsWith(stand) && stderrTail.includes(stand), 'the same film is the same everywhere');
});

test('the same name has the same stand-in in another bundle of this house, and another one elsewhere', () => {
  const of = (which: string): unknown =>
    (createPseudonyms(which, { names: false }).value({ title: 'Metropolis' }) as { title: string }).title;
  assert.equal(of(key), of(key));
  assert.notEqual(of(key), of('another house'));
});

test('names that nobody told of are known by what they look like', () => {
  const said = taken({ msg: 'Nosferatu 1922.mkv is damaged; D:\\Filme\\M.avi too; ask ben@example.org or http://nas.lan:32400/x' });
  for (const name of ['Nosferatu', 'ben@', 'nas.lan']) assert.ok(!said.includes(name), said);
  assert.match(said, /film-[0-9a-f]{6}\.mkv is damaged/);
});

test('names of machines, libraries and people are taken out of messages too, and what is ours stays', () => {
  const said = taken(
    { msg: 'nas cannot be reached; nasal is a word', level: 'error', 'library-kind': 'Kinderfilme ab 6', by: 'the command line' },
    (p) => {
      p.learn('machine', 'nas');
      p.learn('library', 'Kinderfilme ab 6');
      p.learn('machine', 'error');
    },
  );
  assert.match(said, /"msg":"machine-[0-9a-f]{6} cannot be reached; nasal is a word","level":"error"/);
  assert.ok(!said.includes('Kinderfilme'));
  assert.match(said, /the command line/);
});

test('of addresses the first half is left; times, versions and ports are no addresses', () => {
  const said = taken({
    at: '2026-11-30T10:34:51.936Z',
    is: '192.168.178.23:8266, [fd00:1234::5]:8266, 2001:db8:1:2:3:4:5:6, 127.0.0.1:1',
    version: '5.1.9',
    id: '12D3KooWLstmGTMRpbEsMy8m1JA38ydRJn1r84wzWVNfRG4LE1ZL',
  });
  assert.equal(
    said,
    JSON.stringify({
      at: '2026-11-30T10:34:51.936Z',
      is: '192.168.x.x:8266, [fd00:…]:8266, [2001:…], 127.0.0.1:1',
      version: '5.1.9',
      id: '12D3…4LE1ZL',
    }),
  );
});

test('with names kept, secrets are left out all the same', () => {
  const pseudonyms = createPseudonyms(key, { names: true });
  const said = pseudonyms.text(
    JSON.stringify(pseudonyms.value({ path: `Filme/${film}`, url: 'http://plex/?X-Plex-Token=abcdefghijk', token: 'xyz' })),
  );
  assert.ok(said.includes('Das Boot') && !said.includes('abcdefghijk') && !said.includes('xyz'), said);
});
