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

test('a short name is taken out where it stands as a word, and nothing else is mangled', () => {
  const said = taken({ name: 'vm', msg: 'vm has TV of Jo; vmware, MTV and Jota do not, nor --vm', tail: 'one\nTV\ttwo', TV: 'TV' }, (p) => {
    p.learn('machine', 'vm');
    p.learn('library', 'TV');
    p.learn('person', 'Jo');
  });
  const { name, msg, tail, TV } = JSON.parse(said) as Record<string, string>;
  assert.match(name!, /^machine-[0-9a-f]{6}$/);
  assert.match(msg!, /^machine-\w{6} has library-\w{6} of person-\w{6}; vmware, MTV and Jota do not, nor --vm$/);
  assert.match(tail!, /^one\nlibrary-[0-9a-f]{6}\ttwo$/);
  assert.match(TV!, /^library-/);
});

test('a name that is an ordinary word has a stand-in where a field holds it, and no sentence becomes a riddle', () => {
  const value = { library: 'films', rows: [{ name: 'films' }, { node: 'in' }, { target: 'web' }], state: 'web', msg: 'films in the web' };
  const { msg, state, ...names } = JSON.parse(
    taken(value, (p) => {
      p.learn('library', 'films');
      p.learn('machine', 'in');
      p.learn('place', 'web');
    }),
  ) as Record<string, unknown>;
  assert.deepEqual([msg, state], ['films in the web', 'web']);
  assert.match(
    JSON.stringify(names),
    /^{"library":"(library-\w{6})","rows":\[{"name":"\1"},{"node":"machine-\w{6}"},{"target":"place-\w{6}"}\]}$/,
  );
});

test('the name of a backup keeps its time, and not whose it is', () => {
  const value = { machine: 'vm', name: 'codecshift-backup-vm-2026-12-01T04-05-05-manual.tar.gz' };
  const said = taken(value, (p) => p.learn('machine', 'vm'));
  assert.match(said, /^{"machine":"(machine-\w{6})","name":"codecshift-backup-\1-2026-12-01T04-05-05-manual\.tar\.gz"}$/);
});

test('a computer that does not answer is none that one could find, also when it is not in the books any more', () => {
  const said = taken({ why: 'nosuchhost.invalid does not answer: no such name. old.lan:99 does not answer. 7.1.2 does not answer.' });
  assert.match(said, /"host-\w{6} does not answer: no such name\. host-\w{6}:99 does not answer\. 7\.1\.2 does/);
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
