import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Sighting, Standing, Surroundings } from '../../core/standing.ts';
import { PlainError } from '../../errors.ts';
import { member, sightingOf, startFront, type FrontKnowledge, type TestFront } from '../../testing/front.ts';
import { isAddress } from './machine.ts';

const attic = { node: 'node-nas', name: 'nas', cluster: { id: 'cluster-attic', name: 'Attic', established: true, nodes: 3 } };
const home = { id: 'cluster-home', name: 'Home' };
const hostile = '<script>alert(1)</script>"\'&';

const around = (...sightings: Sighting[]): Surroundings => ({
  listening: [{ what: 'mesh', addresses: ['192.168.1.10:7331'] }],
  interfaces: [
    { name: 'eth0', address: '192.168.1.10', multicast: 'ok', problem: null },
    { name: 'docker0', address: '172.17.0.1', multicast: 'failed', problem: 'the system refused the multicast group' },
  ],
  sightings,
});

async function tower(t: TestContext, knows: Partial<FrontKnowledge>): Promise<TestFront> {
  return startFront(t, 'tower', knows);
}

async function text(front: TestFront, path = '/node'): Promise<string> {
  return (await fetch(front.url + path)).text();
}

/** Fills in a form of this machine's page as a browser does. */
async function press(
  front: TestFront,
  action: string,
  fields: Record<string, string> = {},
): Promise<{ status: number; body: string; says: string }> {
  const page = await fetch(`${front.url}/node`);
  const cookie = page.headers.getSetCookie()[0]!.split(';')[0]!;
  const csrf = /name="csrf" value="([^"]+)"/.exec(await page.text())![1]!;
  const answer = await fetch(front.url + action, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie, origin: front.url },
    body: new URLSearchParams({ ...fields, csrf }),
  });
  const flash = answer.headers.getSetCookie().find((c) => c.startsWith('codecshift_flash')) ?? '';
  const said = flash ? Buffer.from(flash.split('=')[1]!.split('.')[0]!, 'base64url').toString() : '{}';
  return { status: answer.status, body: await answer.text(), says: (JSON.parse(said) as { text?: string }).text ?? '' };
}

describe('where this machine stands', () => {
  const cases: [string, Standing, RegExp[]][] = [
    ['starting', { state: 'starting' }, [/Starting/]],
    ['listening', { state: 'listening', sinceMs: 0 }, [/Looking for a cluster/, /Start a cluster of its own now/]],
    ['founding', { state: 'founding' }, [/Starting a cluster/]],
    [
      'asking',
      { state: 'asking', cluster: null, problem: 'Its lobby does not answer.' },
      [/Its lobby does not answer\./, /Ask Attic instead/],
    ],
    [
      'pending',
      { state: 'pending', cluster: home, code: 'K7P2QX', sinceMs: Date.now() },
      [
        /Waiting to be let into Home/,
        /aria-label="Code K 7 P 2 Q X"/,
        /approve tower there/,
        /Ask Attic instead/,
        /Start a cluster of its own instead/,
      ],
    ],
    [
      'rejected',
      { state: 'rejected', cluster: home, why: 'The token was used up.' },
      [/Home said no/, /The token was used up\./, /Ask again/],
    ],
    ['revoked', { state: 'revoked', cluster: home }, [/Removed from Home/, /Ask to come back/]],
    ['the books here', member(null, 'embedded'), [/Nobody coordinates Home/, /This machine holds the database/]],
    ['PostgreSQL', member(null, 'postgres'), [/PostgreSQL does not answer/]],
    ['no database', member(null), [/This machine has no database/]],
    ['away', member({ node: 'n', name: 'nas' }), [/nas does not answer/, /tries again every second/]],
  ];
  for (const [name, standing, wanted] of cases) {
    test(`is said in words: ${name}`, async (t) => {
      const front = await tower(t, { standing, neighbours: [attic] });
      for (const path of ['/', '/node']) {
        const html = await text(front, path);
        for (const pattern of wanted) assert.match(html, pattern, path);
      }
      const api = (await (await fetch(`${front.url}/api/v1/node`)).json()) as { standing: Standing; reached: boolean };
      assert.deepEqual([api.standing, api.reached], [standing, false]);
    });
  }

  test('names of other machines stay text', async (t) => {
    const front = await tower(t, {
      standing: { state: 'pending', cluster: { id: hostile, name: hostile }, code: 'K7P2QX', sinceMs: 0 },
      surroundings: around(
        sightingOf({
          name: hostile,
          says: hostile,
          addresses: [hostile],
          version: hostile,
          state: 'other-cluster',
          cluster: { id: 'x', name: hostile },
        }),
      ),
      neighbours: [{ node: hostile, name: hostile, cluster: { id: hostile, name: hostile, established: true, nodes: 1 } }],
    });
    for (const path of ['/', '/node']) assert.doesNotMatch(await text(front, path), /<script>alert|"'&"/);
  });
});

describe('what is around', () => {
  test('every machine is told with its sentence, what needs a person first', async (t) => {
    const front = await tower(t, {
      standing: member({ node: 'node-tower', name: 'tower' }),
      surroundings: around(
        sightingOf({ name: 'nas' }),
        sightingOf({
          name: 'mac',
          state: 'clock',
          clockMs: 240_000,
          says: 'Its clock is 4 minutes ahead. Set it right; it is let in by itself then.',
        }),
      ),
    });
    const html = await text(front);
    assert.ok(html.indexOf('mac') < html.indexOf('>nas<'), 'trouble first');
    assert.match(html, /Its clock is 4 minutes ahead\. Set it right/);
    assert.match(html, /clock 4\smin ahead/);
    assert.match(html, /docker0[\s\S]+Nothing is found by itself here: the system refused the multicast group/);
  });

  test('an address to try is checked first, and kept in the field when it is none', async (t) => {
    const front = await tower(t, {});
    const wrong = await press(front, '/node/peers', { address: 'http://nas/' });
    assert.equal(wrong.status, 422);
    assert.match(wrong.body, /value="http:\/\/nas\/"[^>]+aria-invalid="true"/);
    assert.equal((await press(front, '/node/peers', { address: ' nas.local:7331 ' })).status, 303);
    assert.deepEqual(front.asked, [['addPeer', 'nas.local:7331']]);
  });

  test('which texts are addresses', () => {
    for (const yes of [
      'nas:1',
      '192.168.1.20:7331',
      'nas.home.arpa:65535',
      '[fd00::20]:7331',
      '[fe80::1%eth0]:1',
      '/ip4/192.168.1.20/tcp/7331',
      '/dns4/nas/tcp/7331/p2p/12D3Koo',
    ])
      assert.ok(isAddress(yes), yes);
    for (const no of [
      '',
      'nas',
      'nas:0',
      'nas:65536',
      'nas:1/x',
      'a b:1',
      '-x:1',
      'http://nas:1',
      '[]:1',
      'nas:1\n',
      '/',
      '/ip4',
      `${'a'.repeat(300)}:1`,
      '//x/y',
    ])
      assert.ok(!isAddress(no), no);
  });
});

describe('what a person may do here', () => {
  test('a form without this page’s token or from elsewhere does nothing', async (t) => {
    const front = await tower(t, { neighbours: [attic] });
    for (const action of ['ask', 'own', 'peers', 'leave']) {
      for (const headers of [{ origin: front.url }, { origin: 'https://evil.example' }] as Record<string, string>[]) {
        const body = new URLSearchParams({ csrf: 'x', cluster: attic.cluster.id, address: 'nas:1' });
        assert.equal((await fetch(`${front.url}/node/${action}`, { method: 'POST', headers, body })).status, 403, action);
      }
    }
    assert.deepEqual(front.asked, []);
  });

  test('a pending machine can ask another cluster or begin its own', async (t) => {
    const front = await tower(t, { standing: { state: 'pending', cluster: home, code: 'K7P2QX', sinceMs: 0 }, neighbours: [attic] });
    assert.equal((await press(front, '/node/ask', { cluster: attic.cluster.id })).says, 'Asking Attic.');
    assert.equal((await press(front, '/node/ask', { cluster: home.id })).status, 303, 'the one that was asked before');
    assert.equal((await press(front, '/node/ask', { cluster: 'made-up' })).status, 404);
    await press(front, '/node/own');
    assert.deepEqual(front.asked, [['askAgain', 'cluster-attic'], ['askAgain', 'cluster-home'], ['foundOwn']]);
  });

  test('what an action refuses is said on the page', async (t) => {
    const front = await tower(t, {
      answer: () => {
        throw new PlainError('This machine already belongs to a cluster.');
      },
    });
    assert.equal((await press(front, '/node/own')).says, 'This machine already belongs to a cluster.');
  });

  test('leaving is offered for other clusters only, and asked about once', async (t) => {
    const mine = { node: 'a', name: 'a', cluster: { ...home, established: true, nodes: 2 } };
    const front = await tower(t, {
      standing: member({ node: 'a', name: 'a' }),
      neighbours: [mine, attic, { ...attic, node: 'b', name: 'b' }],
    });
    const html = await text(front);
    assert.deepEqual(
      [...html.matchAll(/href="(\/node\/leave[^"]+)"/g)].map((m) => m[1]),
      ['/node/leave?cluster=cluster-attic'],
    );
    assert.match(html, /3 machines, heard from nas, b/);
    assert.match(await text(front, '/node/leave?cluster=cluster-attic'), /Leave <bdi>Home<\/bdi> and join <bdi>Attic<\/bdi>\?/);
    assert.equal((await fetch(`${front.url}/node/leave?cluster=cluster-home`)).status, 404);
    assert.equal((await press(front, '/node/leave', { cluster: 'cluster-attic' })).status, 303);
    assert.deepEqual(front.asked, [['leaveAndJoin', 'cluster-attic']]);
  });

  test('a question that this machine answers to no method is not said to wait for a coordinator', async (t) => {
    const front = await tower(t, { standing: member({ node: 'a', name: 'a' }) });
    for (const path of ['/api/v1/node/log-levels', '/api/v1/node/support-bundle']) {
      const answer = await fetch(`${front.url}${path}`);
      assert.deepEqual([answer.status, ((await answer.json()) as { error: { code: string } }).error.code], [404, 'not-found'], path);
    }
  });

  test('who leaves a cluster whose books are here has to type its name', async (t) => {
    const front = await tower(t, { standing: member({ node: 'node-tower', name: 'tower' }, 'embedded'), neighbours: [attic] });
    assert.match(await text(front, '/node/leave?cluster=cluster-attic'), /This machine keeps the database of <bdi>Home<\/bdi>/);
    const wrong = await press(front, '/node/leave', { cluster: 'cluster-attic', confirm: 'home' });
    assert.equal(wrong.status, 422);
    assert.match(wrong.body, /This is not its name/);
    assert.deepEqual(front.asked, []);
    assert.equal((await press(front, '/node/leave', { cluster: 'cluster-attic', confirm: 'Home' })).status, 303);
    assert.deepEqual(front.asked, [['leaveAndJoin', 'cluster-attic']]);
  });
});
