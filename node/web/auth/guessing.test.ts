import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { waitAfter } from '../../core/access.ts';
import { emptyHouse, hashedPassword, PASSWORD, startGuarded, type Guarded } from '../../testing/guarded.ts';
import { webSuite } from '../../testing/web-suite.ts';
import { prefixOf } from './guessing.ts';
import { builtInEngine, createPasswords, type Passwords } from './password.ts';

const house = webSuite({ browser: false });
const by = { name: 'test', via: 'system' } as const;
const from = { address: '', agent: '' };

async function serve(t: TestContext, passwords?: Passwords): Promise<Guarded> {
  await emptyHouse(house.leader);
  const web = await startGuarded(t, house, passwords);
  const password = await (passwords?.hash(PASSWORD) ?? hashedPassword());
  const user = { name: 'ada', displayName: '', role: 'admin', password, oneTime: false } as const;
  await web.access.decide({ method: 'local', user }, by, from);
  return web;
}

/** No wait runs out while a slow machine is busy with the test: the database's clock is what counts. */
const waitsStandStill = (): Promise<unknown> => house.leader.query(`update throttles set last_at = now() + interval '1 hour'`);

describe('guessing', () => {
  test('12: two hundred wrong passwords for one name are mostly not even looked at, and the right one works after the wait', async (t) => {
    const web = await serve(t, createPasswords());
    const thief = web.browser();
    const csrf = await thief.csrf();
    const before = process.memoryUsage().rss;
    const answers: number[] = [];
    for (let n = 0; n < 4; n++) {
      answers.push(
        ...(
          await Promise.all(Array.from({ length: 50 }, () => thief.post('/sign-in', { name: 'ada', password: 'a wrong guess', csrf })))
        ).map(({ status }) => status),
      );
      await waitsStandStill();
    }
    assert.ok(process.memoryUsage().rss - before < 200e6, 'the memory of the machine is not theirs');
    assert.equal(answers.filter((status) => status === 401).length, 5, 'the first five are looked at');
    assert.equal(answers.filter((status) => status === 429).length, 195);
    const early = await web.browser().post('/sign-in', { name: 'ADA', password: PASSWORD });
    assert.equal(early.status, 429);
    assert.match(early.body, /Too many wrong tries. Try again in \d+ (seconds|minutes)/);
    // the wait is over: the database's clock is what counts
    await house.leader.query(`update throttles set last_at = now() - interval '301 seconds'`);
    assert.equal((await web.browser().post('/sign-in', { name: 'ada', password: PASSWORD })).status, 303);
    assert.deepEqual(await house.db.query(`select key from throttles where key like 'user:%'`), [], 'and everything is forgotten');
  });

  test('12: nobody is kept out of his own browser by a stranger who guesses at his name', async (t) => {
    const web = await serve(t);
    const ada = web.browser();
    await ada.post('/sign-in', { name: 'ada', password: PASSWORD });
    await ada.post('/sign-out');
    const thief = web.browser();
    for (let n = 0; n < 7; n++) await thief.post('/sign-in', { name: 'ada', password: 'a wrong guess' });
    await waitsStandStill();
    assert.equal((await thief.post('/sign-in', { name: 'ada', password: PASSWORD })).status, 429);
    assert.equal((await ada.post('/sign-in', { name: 'ada', password: PASSWORD })).status, 303);
    // its mark says nothing about others
    const name = [...ada.cookies.keys()].find((each) => each.startsWith('cs_known'))!;
    thief.cookies.set(name, `AAAAAAAAAAAAAAAA.${ada.cookies.get(name)!.split('.')[1]}`);
    assert.equal((await thief.post('/sign-in', { name: 'ada', password: PASSWORD })).status, 429);
  });

  test('12: two hundred names from one address end at thirty, and another address goes on', async (t) => {
    const web = await serve(t);
    const thief = web.browser();
    const csrf = await thief.csrf();
    let looked = 0;
    for (let n = 0; n < 200; n++) {
      const { status } = await thief.post('/sign-in', { name: `name${n}`, password: 'a wrong guess', csrf });
      if (status === 401) looked++;
      else if (looked === 30) break;
    }
    assert.equal(looked, 30);
    await house.leader.query(`update throttles set key = 'address:192.0.2.1' where key like 'address:%'`);
    assert.equal((await web.browser().post('/sign-in', { name: 'ada', password: PASSWORD })).status, 303);
  });

  test('12: a name that nobody has is answered like one that somebody has, after the same work', async (t) => {
    const web = await serve(t);
    const visitor = web.browser();
    const csrf = await visitor.csrf();
    const known = await visitor.post('/sign-in', { name: 'ada', password: 'a wrong guess', csrf });
    const unknown = await visitor.post('/sign-in', { name: 'nobody', password: 'a wrong guess', csrf });
    const plain = (text: string): string => text.replaceAll(/value="[^"]*"/g, '').replaceAll(/<code>[^<]*<\/code>/g, '');
    assert.equal(known.status, unknown.status);
    assert.equal(plain(known.body), plain(unknown.body));
    // no clock: the work itself is counted
    let hashes = 0;
    const counted = createPasswords(async () => (wish) => (hashes++, builtInEngine(wish)));
    const hash = await counted.hash('a');
    await counted.verify(null, 'b');
    hashes = 0;
    await counted.verify(hash, 'b');
    const forKnown = hashes;
    hashes = 0;
    await counted.verify(null, 'b');
    assert.equal(hashes, forKnown);
  });

  test('the waits grow from a second to five minutes and no further, and addresses count by household', () => {
    assert.deepEqual([0, 4, 5, 6, 8, 13, 14, 1000].map(waitAfter), [0, 0, 1, 2, 8, 256, 300, 300]);
    assert.equal(prefixOf('::ffff:192.0.2.7'), '192.0.2.7');
    assert.equal(prefixOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
    assert.equal(prefixOf('2001:db8::1'), '2001:db8:0:0::/64');
    assert.equal(prefixOf('fe80::1%eth0'), 'fe80:0:0:0::/64');
  });
});
