import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { PlainError } from '../../errors.ts';
import { fillNodeSample } from '../../testing/node-sample.ts';
import { webSuite } from '../../testing/web-suite.ts';
import { asked, visit as open } from '../../testing/visit.ts';

// The Nodes page as a browser without scripts asks for it; only the commands are written down instead of carried out.

const house = webSuite({ browser: false, fill: fillNodeSample });

const visit = (t: TestContext, answer?: (name: string, args: unknown[]) => unknown) => open(t, house.db, answer);

describe('the page', () => {
  test('shows who asks with the code to compare, and each member with its state', async (t) => {
    const { get } = await visit(t);
    const html = await get('/nodes');
    assert.match(html, /basement<\/bdi> wants to join/);
    assert.match(html, /<span aria-hidden="true">4F2 9KQ<\/span>/);
    assert.match(html, /Compare it with the code on its own screen/);
    for (const words of [
      'Could coordinate',
      'Keeper of Films, Shorts, TV',
      '47\u00a0s ahead',
      'Older than the coordinator, which runs 0.1.0. They work together',
      'Resting until',
      'fps at 1080p',
    ])
      assert.ok(html.includes(words), words);
    assert.match(html, /A copy, or not proved yet: it may be read, nothing is replaced there/);
    assert.match(html, /href="\/node">Why can’t I see my other machine/);
    assert.equal(html.match(/class="card node-card"/g)?.length, 4, 'a machine that only asks is no member');
  });

  test('the coordinator’s role is offered only to another machine that has the database', async (t) => {
    const html = await (await visit(t)).get('/nodes');
    assert.deepEqual(
      [...html.matchAll(/action="\/nodes\/([\w-]+)\/hand-over"/g)].map((m) => m[1]),
      [house.more.nuc],
    );
  });

  test('of a machine whose name no database can hold, or in a library beyond every number, is not broken', async (t) => {
    const { ask } = await visit(t);
    assert.equal((await ask('/nodes/%00')).status, 404);
    for (const page of ['/queue', '/history', '/files']) assert.equal((await ask(`${page}?lib=99999999999`)).status, 200, page);
  });

  test('the Overview counts members only, and says who wants to join', async (t) => {
    const html = await (await visit(t)).get('/');
    assert.match(html, /Nodes <span class="cnt">4<\/span>/);
    assert.match(html, /href="\/nodes#ask-node-basement"/);
  });
});

describe('a click', () => {
  test('asks for exactly one command and comes back to the page', async (t) => {
    const { web, post } = await visit(t);
    const { basement, tower, nuc } = house.more;
    for (const [path, name, args] of [
      [`/nodes/${basement}/approve`, 'approveNode', [basement]],
      [`/nodes/${basement}/reject`, 'declineNode', [basement, 'reject']],
      [`/nodes/${basement}/later`, 'declineNode', [basement, 'later']],
      [`/nodes/${tower}/pause`, 'changeNode', [tower, { paused: true }]],
      [`/nodes/${tower}/resume`, 'changeNode', [tower, { paused: false }]],
      [`/nodes/${tower}/drain`, 'changeNode', [tower, { draining: true }]],
      [`/nodes/${tower}/undrain`, 'changeNode', [tower, { draining: false }]],
      [`/nodes/${nuc}/hand-over`, 'handOver', [nuc]],
      [`/nodes/${tower}/detect`, 'detectEncoders', [tower]],
      [`/nodes/tokens/${house.more.token}/revoke`, 'revokeJoinToken', [house.more.token]],
    ] as const) {
      web.asked.length = 0;
      const answer = await post(path);
      assert.deepEqual([answer.status, answer.to], [303, '/nodes'], path);
      assert.deepEqual(asked(web), [{ name, args }], path);
      assert.equal(web.asked[0]!.by.via, 'page');
    }
  });

  test('about a machine that is not there is a 404 and asks for nothing', async (t) => {
    const { web, post } = await visit(t);
    for (const path of ['/nodes/nobody/approve', '/nodes/nobody', '/nodes/nobody/remove', `/nodes/${house.more.basement}/remove`])
      assert.equal((await post(path, [['typed', 'x']])).status, 404, path);
    assert.deepEqual(web.asked, []);
  });

  test('that cannot be obeyed says why on the page', async (t) => {
    const { get, post, web } = await visit(t, () => {
      throw new PlainError('nuc does not answer, so it cannot coordinate.');
    });
    assert.equal((await post(`/nodes/${house.more.nuc}/hand-over`)).status, 303);
    assert.equal(web.asked.length, 1);
    assert.match(await get('/nodes'), /nuc does not answer, so it cannot coordinate\./);
  });
});

describe('join tokens', () => {
  test('are shown once, with the command to type', async (t) => {
    const { web, get, post } = await visit(t, (name) => (name === 'createJoinToken' ? { id: 'x', token: 'cs-one-two' } : undefined));
    const fields: [string, string][] = [
      ['label', 'Attic <b>'],
      ['uses', '2'],
      ['hours', '48'],
    ];
    const answer = await post('/nodes/tokens', fields);
    assert.equal(answer.status, 200);
    assert.ok(answer.html.includes('npm start -- --join cs-one-two'));
    assert.deepEqual(asked(web), [{ name: 'createJoinToken', args: [{ label: 'Attic <b>', uses: 2, hours: 48 }] }]);
    assert.ok(!(await get('/nodes')).includes('cs-one-two'), 'and never again');
  });

  test('with a mistake nothing is made and the typed values stay', async (t) => {
    const { web, post } = await visit(t);
    const answer = await post('/nodes/tokens', [
      ['label', 'Attic'],
      ['uses', '0'],
      ['hours', '48'],
    ]);
    assert.equal(answer.status, 422);
    assert.match(answer.html, /Say for how many machines/);
    assert.match(answer.html, /value="Attic"/);
    assert.deepEqual(web.asked, []);
  });
});

describe('the settings of one machine', () => {
  test('are saved as one wish', async (t) => {
    const { web, post } = await visit(t);
    const fields: [string, string][] = [
      ['slots', '2'],
      ['mbps', ''],
      ['days-0', '1'],
      ['days-0', '2'],
      ['from-0', '22:00'],
      ['to-0', '07:00'],
      ['from-1', ''],
      ['to-1', ''],
    ];
    const answer = await post(`/nodes/${house.more.tower}`, fields);
    assert.deepEqual([answer.status, answer.to], [303, `/nodes/${house.more.tower}`]);
    assert.deepEqual(asked(web), [
      { name: 'changeNode', args: [house.more.tower, { slots: 2, mbps: null, schedule: [{ days: [1, 2], from: '22:00', to: '07:00' }] }] },
    ]);
  });

  test('what it is considerate of is saved with them; a limit that makes no sense is a 422 that names the field', async (t) => {
    const { web, post } = await visit(t);
    const fields = (charge: string): [string, string][] => [
      ...([
        ['onBattery', 'below'],
        ['batteryBelow', charge],
        ['whenHot', 'run'],
        ['hotAbove', '85'],
      ] as [string, string][]),
      ...([
        ['whenUsed', 'fewer'],
        ['idleMinutes', '10'],
        ['niceness', 'idle'],
        ['coresFree', '2'],
        ['afterHours', 'pause'],
      ] as [string, string][]),
    ];
    await post(`/nodes/${house.more.tower}`, fields('40'));
    const manners = { onBattery: 'pause', batteryBelow: 40, whenHot: 'run', whenUsed: 'fewer', idleMinutes: 10, niceness: 'idle' };
    assert.deepEqual(asked(web), [
      {
        name: 'changeNode',
        args: [
          house.more.tower,
          { slots: null, mbps: null, schedule: [], manners: { ...manners, coresFree: 2, afterHours: 'pause', keepAwake: false } },
        ],
      },
    ]);
    const answer = await post(`/nodes/${house.more.tower}`, fields('400'));
    assert.equal(answer.status, 422);
    assert.match(answer.html, /href="#f-batteryBelow">The charge below which it pauses/);
    assert.match(answer.html, /<option value="fewer" data-limited selected>/, 'nothing that was typed is lost');
  });

  test('hours that make no sense are a 422 that names the line', async (t) => {
    const { web, post } = await visit(t);
    const answer = await post(`/nodes/${house.more.tower}`, [
      ['days-0', '1'],
      ['from-0', '22:00'],
      ['to-0', 'late'],
    ]);
    assert.equal(answer.status, 422);
    assert.match(answer.html, /href="#f-hours-0">Line 1 ends at no time of day/);
    assert.deepEqual(web.asked, []);
  });

  test('a path is told to the machine, and what it says about it stands beside the field', async (t) => {
    let problem = '';
    const { web, post } = await visit(t, (name) => {
      if (name === 'locateRoot' && problem) throw new PlainError(problem);
    });
    const fields: [string, string][] = [
      ['root', house.more.filmsRoot],
      ['path', '/mnt/films'],
    ];
    assert.equal((await post(`/nodes/${house.more.tower}/roots`, fields)).status, 303);
    assert.deepEqual(asked(web), [
      { name: 'locateRoot', args: [{ node: house.more.tower, root: house.more.filmsRoot, path: '/mnt/films' }] },
    ]);
    problem = 'There is no folder /mnt/films on tower.';
    const answer = await post(`/nodes/${house.more.tower}/roots`, fields);
    assert.equal(answer.status, 422);
    assert.ok(answer.html.includes(problem) && answer.html.includes('value="/mnt/films"'));
    const strange = await post(`/nodes/${house.more.tower}/roots`, [
      ['root', '00000000-0000-0000-0000-000000000000'],
      ['path', '/mnt'],
    ]);
    assert.equal(strange.status, 404);
  });

  test('a machine is removed only when its name was typed', async (t) => {
    const { web, get, post } = await visit(t);
    const path = `/nodes/${house.more.tower}/remove`;
    assert.match(await get(path), /It loses every right at once/);
    assert.equal((await post(path, [['typed', 'towel']])).status, 422);
    assert.deepEqual(web.asked, []);
    assert.deepEqual((await post(path, [['typed', ' tower ']])).to, '/nodes');
    assert.deepEqual(asked(web), [{ name: 'removeNode', args: [house.more.tower] }]);
  });

  test('the cluster gets another name, never an empty one', async (t) => {
    const { web, post } = await visit(t);
    assert.equal((await post('/nodes/cluster', [['name', '  ']])).status, 422);
    assert.equal((await post('/nodes/cluster', [['name', ' Holiday home ']])).status, 303);
    assert.deepEqual(asked(web), [{ name: 'renameCluster', args: ['Holiday home'] }]);
  });
});

describe('a library and its machines', () => {
  test('a new one asks on which machine the folder is, the coordinating one first', async (t) => {
    const { web, get, post } = await visit(t);
    const html = await get('/library');
    assert.match(html, /On which machine<\/span><select[^>]*><option value="node-atlas">atlas<\/option>/);
    assert.ok(!html.includes('<option value="node-basement"'), 'a machine that only asks is not offered');
    const answer = await post('/library', [
      ['node', house.more.tower],
      ['path', '/srv/more'],
      ['name', ''],
    ]);
    assert.equal(answer.status, 303);
    assert.deepEqual(asked(web), [{ name: 'addLibrary', args: [{ path: '/srv/more', node: house.more.tower }] }]);
  });

  test('its page says where each machine has it, what the check found, and takes another path', async (t) => {
    let problem = '';
    const { web, get, post } = await visit(t, (name) => {
      if (name === 'locateRoot' && problem) throw new PlainError(problem);
    });
    const path = `/library/${house.sample.libraries.films}`;
    const html = await get(path);
    for (const words of [
      '/srv/media/films',
      '/mnt/atlas/films',
      'not proved yet',
      'nothing is replaced there',
      'D:\\media\\films',
      'read-only',
    ])
      assert.ok(html.includes(words), words);
    const fields: [string, string][] = [
      ['node', house.more.mac],
      ['path', '/Volumes/films'],
    ];
    assert.equal((await post(`${path}/locate`, fields)).to, `${path}#places`);
    assert.deepEqual(asked(web), [
      { name: 'locateRoot', args: [{ node: house.more.mac, root: house.more.filmsRoot, path: '/Volumes/films' }] },
    ]);
    problem = 'There is no marker in /Volumes/films on macmini.';
    const refused = await post(`${path}/locate`, fields);
    assert.equal(refused.status, 422);
    assert.ok(refused.html.includes(problem) && refused.html.includes('value="/Volumes/films"'));
  });

  test('a waiting file says on which machines it can run and why not on the others', async (t) => {
    const { get } = await visit(t);
    const html = await get(`/jobs/${house.sample.waiting[0]}`);
    assert.match(html, /Where it can run/);
    assert.ok(html.includes('tower is paused.'));
    assert.ok(!html.includes('basement'));
    assert.ok(!(await get(`/jobs/${house.sample.running[0]}`)).includes('Where it can run'));
  });
});
