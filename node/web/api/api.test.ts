import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PlainError } from '../../errors.ts';
import { fillNodeSample } from '../../testing/node-sample.ts';
import { fillPageSample } from '../../testing/page-sample.ts';
import { webSuite } from '../../testing/web-suite.ts';
import { startWeb, type TestWeb } from '../../testing/web.ts';

// The API over real HTTP and a real database; only the commands are played.

const house = webSuite({
  browser: false,
  fill: async (leader, sample) => ({ ...(await fillPageSample(leader, sample)), machines: await fillNodeSample(leader, sample) }),
});

interface Answer {
  status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- what the answer holds is what the tests check
  body: Record<string, any>;
}
type Call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;

async function serve(
  t: { after(fn: () => Promise<void>): void },
  answer?: (name: string, args: unknown[]) => unknown,
): Promise<{ web: TestWeb; call: Call }> {
  const web = await startWeb({ after: (fn) => t.after(fn) }, { db: house.db, ...(answer ? { answer } : {}) });
  const call: Call = async (method, path, body, headers = {}) => {
    const response = await fetch(`${web.url}/api/v1${path}`, {
      method,
      headers: {
        authorization: 'Bearer a-secret-of-this-test',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    assert.match(response.headers.get('content-type') ?? '', /^application\/json/, `${method} ${path} answers JSON`);
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  };
  return { web, call };
}

/** A POST that is allowed and comes to exactly this one command. */
async function asksFor(
  { web, call }: { web: TestWeb; call: Call },
  path: string,
  body: unknown,
  command: { name: string; args: readonly unknown[] },
): Promise<void> {
  web.asked.length = 0;
  const { status } = await call('POST', path, body);
  assert.ok(status < 300, `${path}: ${status}`);
  assert.deepEqual(
    web.asked.map(({ name, args }) => ({ name, args })),
    [command],
    path,
  );
}

describe('reading', () => {
  test('status says what runs, what waits and what was won', async (t) => {
    const { call } = await serve(t);
    const { status, body } = await call('GET', '/status');
    assert.equal(status, 200);
    assert.equal(body['jobs'].running, house.sample.running.length);
    assert.equal(body['running'].length, house.sample.running.length);
    assert.equal(body['paused'], false);
    assert.deepEqual([body['state'], body['version'], body['queued']], ['running', '0.1.0', body['jobs'].waiting]);
    assert.deepEqual(
      body['active'].map((one: { id: number }) => one.id),
      body['running'].map((one: { id: number }) => one.id),
    );
    assert.ok(body['nodes'].online > 0 && body['nodes'].total > body['nodes'].online, JSON.stringify(body['nodes']));
    assert.equal(body['nodes'].pending, 1);
    assert.ok(body['disk'].every((one: { freeBytes: number }) => one.freeBytes >= 0));
    assert.equal(body['libraries'].find((l: { name: string }) => l.name === 'Shorts').problem.includes('not there'), true);
  });

  test('a list is walked forwards and backwards by cursor without losing or repeating a row', async (t) => {
    const { call } = await serve(t);
    const seen: number[] = [];
    let after: string | null = null;
    let last: Answer['body'] = {};
    do {
      const page: Answer = await call('GET', `/jobs?limit=47${after ? `&after=${after}` : ''}`);
      last = page.body;
      seen.push(...page.body['items'].map((j: { id: number }) => j.id));
      after = page.body['after'];
    } while (after);
    const [counted] = await house.db.query<{ n: number }>(`select count(*) as n from jobs where state = 'available'`);
    assert.equal(seen.length, counted!.n);
    assert.equal(new Set(seen).size, seen.length);
    const back: number[] = [];
    let cursor: string | null = last['before'];
    while (cursor) {
      const page: Answer = await call('GET', `/jobs?limit=47&before=${cursor}`);
      back.unshift(...page.body['items'].map((j: { id: number }) => j.id));
      cursor = page.body['before'];
    }
    assert.deepEqual([...back, ...last['items'].map((j: { id: number }) => j.id)], seen);
    // nobody takes an empty page, or the first one once more, for the end
    for (const made of ['AAAA', 'bm90aGluZw', 'W10']) assert.equal((await call('GET', `/jobs?after=${made}`)).status, 422, made);
  });

  test('filters narrow the list, and every item carries its reason as code and sentence', async (t) => {
    const { call } = await serve(t);
    const films = await call('GET', `/jobs?library=${house.sample.libraries.films}&format=vc1`);
    assert.deepEqual(
      films.body['items'].map((j: { title: string }) => j.title),
      ['D.O.A.'],
    );
    const running = async (filter: string) =>
      (await call('GET', `/jobs?state=running${filter}`)).body['items'].map((j: { title: string }) => j.title);
    assert.equal((await running('')).length, house.sample.running.length);
    assert.deepEqual(await running('&q=metro'), ['Metropolis']);
    assert.deepEqual(await running('&priority=low'), []);
    const failed = await call('GET', '/jobs?state=failed');
    assert.equal(failed.body['items'][0].reason.code, 'protected-after-failures');
    assert.match(failed.body['items'][0].reason.sentence, /failed 3 times/);
  });

  test('one job comes with its plan, tries and checks', async (t) => {
    const { call } = await serve(t);
    const { body } = await call('GET', `/jobs/${house.more.replacedJob}`);
    assert.equal(body['outcome'], 'replaced');
    assert.equal(body['attempts'].length, 2);
    assert.equal(body['attempts'][0].verdict.accepted, true);
    assert.equal(body['plan'].streams.length, 4);
  });

  test('settings come with their version and what overrides them', async (t) => {
    const { call } = await serve(t);
    const { body } = await call('GET', '/settings');
    const tries = body['items'].find((s: { key: string }) => s.key === 'jobs.maxFailures');
    assert.deepEqual([tries.version, tries.default], [2, 3]);
  });
});

describe('files', () => {
  test('a list is filtered by status, reason and name, and each file says why in a sentence', async (t) => {
    const { call } = await serve(t);
    const { body } = await call('GET', '/files?status=skipped&limit=200');
    assert.ok(body['items'].length > 0);
    for (const file of body['items']) {
      assert.equal(file.status, 'skipped');
      assert.ok(file.reason.sentence.length > 3);
    }
    const { code } = body['items'][0].reason;
    const same = await call('GET', `/files?reason=${code}&limit=200`);
    assert.ok(same.body['items'].length > 0);
    assert.ok(same.body['items'].every((f: { reason: { code: string } }) => f.reason.code === code));
    assert.deepEqual((await call('GET', '/files?q=no-film-is-called-so')).body['items'], []);
  });

  test('one file comes with its probe, its jobs and its originals', async (t) => {
    const { call } = await serve(t);
    const [original] = await house.db.query<{ id: number; file: number }>(
      `select id, file_id as file from originals where file_id is not null limit 1`,
    );
    const { status, body } = await call('GET', `/files/${original!.file}`);
    assert.equal(status, 200);
    assert.ok(body['originals'].some((o: { id: number }) => o.id === original!.id));
    assert.ok(body['jobs'].length > 0);
    assert.ok('probe' in body);
    assert.equal((await call('GET', '/files/999999')).status, 404);
  });
});

describe('nodes', () => {
  test('every machine comes with what is known about it, those that only ask too', async (t) => {
    const { call } = await serve(t);
    const { body } = await call('GET', '/nodes');
    const named = (name: string) => body['items'].find((n: { name: string }) => n.name === name);
    assert.equal(named('atlas').coordinator, true);
    assert.equal(named('atlas').running.length, house.sample.running.length);
    assert.equal(named('nuc').candidate, true);
    assert.deepEqual([named('basement').standing, named('basement').code], ['pending', '4F29KQ']);
    assert.equal(named('tower').roots[0].provedAt, null);
    assert.equal(named('macmini').away, true);
    assert.deepEqual(named('nuc').speeds, [{ encoder: 'hevc_qsv', pixelsPerSecond: 430e6, runs: 88 }]);
  });

  test('the log of another machine is read there; the one that coordinates and one that is not there have none of that kind', async (t) => {
    const line = { seq: 1, time: '2026-11-01T10:00:00.000Z', level: 'warn', room: 'mesh', msg: 'slow', rest: '' };
    const { web, call } = await serve(t, () => [line]);
    const { tower } = house.more.machines;
    assert.deepEqual((await call('GET', `/nodes/${tower}/logs?level=warn`)).body, { items: [line] });
    assert.deepEqual(
      web.asked.map(({ name, args }) => [name, ...args]),
      [['readLog', { nodeId: tower, level: 'warn', room: null, words: '' }]],
    );
    for (const id of ['nobody', house.sample.nodeId]) assert.equal((await call('GET', `/nodes/${id}/logs`)).status, 404);
  });

  test('each route asks for exactly one command', async (t) => {
    const { web, call } = await serve(t, (name) => (name === 'createJoinToken' ? { id: 'one', token: 'cs1.one' } : undefined));
    const { basement, tower, nuc, token, filmsRoot } = house.more.machines;
    const schedule = [{ days: [1], from: '22:00', to: '07:00' }];
    for (const [path, body, name, args] of [
      [`/nodes/${basement}/approve`, undefined, 'approveNode', [basement]],
      [`/nodes/${basement}/reject`, {}, 'declineNode', [basement, 'reject']],
      [`/nodes/${basement}/later`, {}, 'declineNode', [basement, 'later']],
      [`/nodes/${tower}/remove`, undefined, 'removeNode', [tower]],
      [`/nodes/${tower}/pause`, undefined, 'changeNode', [tower, { paused: true }]],
      [`/nodes/${tower}/resume`, undefined, 'changeNode', [tower, { paused: false }]],
      [`/nodes/${tower}/drain`, undefined, 'changeNode', [tower, { draining: true }]],
      [`/nodes/${tower}/undrain`, undefined, 'changeNode', [tower, { draining: false }]],
      [`/nodes/${nuc}/hand-over`, undefined, 'handOver', [nuc]],
      [`/nodes/${nuc}/detect`, undefined, 'detectEncoders', [nuc]],
      [`/nodes/${nuc}/try-again`, { bench: 7 }, 'liftBench', [7]],
      [`/nodes/${tower}`, { slots: null, schedule }, 'changeNode', [tower, { slots: null, schedule }]],
      [
        `/nodes/${tower}/roots`,
        { root: filmsRoot, path: '/mnt/films' },
        'locateRoot',
        [{ node: tower, root: filmsRoot, path: '/mnt/films' }],
      ],
      ['/nodes/tokens', {}, 'createJoinToken', [{ label: '', uses: 1, hours: 24 }]],
      [`/nodes/tokens/${token}/revoke`, undefined, 'revokeJoinToken', [token]],
      ['/libraries', { path: '/mnt/films', node: tower }, 'addLibrary', [{ path: '/mnt/films', node: tower }]],
    ] as const)
      await asksFor({ web, call }, path, body, { name, args });
  });

  test('wishes that make no sense are refused with the field named, and machines that are not there with 404', async (t) => {
    const { web, call } = await serve(t);
    for (const [path, body, status, field] of [
      [`/nodes/${house.more.machines.tower}`, { slots: 65 }, 422, 'slots'],
      [`/nodes/${house.more.machines.tower}`, { mbps: 0 }, 422, 'mbps'],
      [`/nodes/${house.more.machines.tower}`, { schedule: [{ days: [], from: '1', to: '2' }] }, 422, 'schedule'],
      [`/nodes/${house.more.machines.tower}`, { standing: 'approved' }, 422, 'standing'],
      [`/nodes/${house.more.machines.tower}/roots`, { root: '../x', path: '/a' }, 422, 'root'],
      [`/nodes/${house.more.machines.tower}/approve`, { force: true }, 422, 'force'],
      ['/nodes/tokens', { uses: 0 }, 422, 'uses'],
      ['/nodes/nobody/approve', {}, 404, null],
      ['/nodes/tokens/none/revoke', {}, 404, null],
    ] as const) {
      const answer = await call('POST', path, body);
      assert.equal(answer.status, status, `${path}: ${JSON.stringify(answer.body)}`);
      if (field)
        assert.ok(
          answer.body['error'].problems.some((p: { path: string }) => p.path === field),
          JSON.stringify(answer.body),
        );
    }
    assert.deepEqual(web.asked, []);
  });
});

describe('acting', () => {
  test('each route asks for exactly one command, as the command line', async (t) => {
    const { web, call } = await serve(t, (name) => (name.startsWith('retry') ? 77 : undefined));
    const job = house.sample.waiting[0]!;
    const [original] = await house.db.query<{ id: number; file: number }>(
      `select id, file_id as file from originals where file_id is not null limit 1`,
    );
    const { id: kept, file } = original!;
    for (const [path, body, name, args] of [
      ['/pause', undefined, 'pauseAll', []],
      ['/resume', {}, 'resumeAll', []],
      ['/scan', {}, 'scan', [null]],
      ['/scan', { library: 2 }, 'scan', [2]],
      [`/jobs/${job}/cancel`, undefined, 'cancelJob', [job]],
      [`/jobs/${job}/pause`, undefined, 'pauseJob', [job]],
      [`/jobs/${job}/resume`, undefined, 'resumeJob', [job]],
      [`/jobs/${job}/retry`, undefined, 'retryJob', [job]],
      [`/jobs/${job}/top`, undefined, 'moveJobs', [{ ids: [job] }, 'top']],
      [`/jobs/${job}/end`, undefined, 'moveJobs', [{ ids: [job] }, 'end']],
      [`/jobs/${job}/priority`, { priority: 'high' }, 'prioritise', [{ ids: [job] }, 'high']],
      [`/files/${file}/retry`, undefined, 'retryFile', [file]],
      [`/files/${file}/exclude`, {}, 'excludeFile', [file]],
      [`/files/${file}/include`, undefined, 'includeFile', [file]],
      [`/originals/${kept}/restore`, undefined, 'restore', [kept]],
      [`/originals/${kept}/accept`, undefined, 'acceptCopy', [kept]],
      ['/clear', { confirm: true }, 'clearQueue', []],
      ['/libraries', { path: '/mnt/films', profile: { quality: 20 } }, 'addLibrary', [{ path: '/mnt/films', profile: { quality: 20 } }]],
    ] as const) {
      await asksFor({ web, call }, path, body, { name, args });
      assert.equal(web.asked[0]!.by.via, 'cli');
    }
  });

  test('what cannot be read is refused with the field named, and nothing is asked for', async (t) => {
    const { web, call } = await serve(t);
    const job = house.sample.waiting[0]!;
    for (const [method, path, body, status, field] of [
      ['POST', '/clear', {}, 422, 'confirm'],
      ['POST', '/clear', { confirm: 'yes' }, 422, 'confirm'],
      ['POST', '/libraries', {}, 422, 'path'],
      ['POST', '/libraries', { path: '' }, 422, 'path'],
      ['POST', '/libraries', { path: 'a\0b' }, 422, 'path'],
      ['POST', '/libraries', { path: '/a', proifle: {} }, 422, 'proifle'],
      ['POST', '/libraries', { path: '/a', profile: { quality: 99 } }, 422, 'profile.quality'],
      ['POST', '/libraries', { path: '/a', profile: { ffmpegArgs: '-y' } }, 422, 'profile.ffmpegArgs'],
      ['POST', '/scan', { library: '1' }, 422, 'library'],
      ['POST', '/scan', { library: 1.5 }, 422, 'library'],
      ['POST', '/scan', { library: 1e300 }, 422, 'library'],
      ['POST', `/jobs/${job}/priority`, { priority: 'urgent' }, 422, 'priority'],
      ['POST', `/jobs/${job}/cancel`, { force: true }, 422, 'force'],
      ['POST', '/settings', { changes: [] }, 422, 'changes'],
      ['POST', '/pause', '{"a":', 400, null],
      ['POST', '/pause', [1], 422, null],
      ['POST', '/pause', [], 422, ''],
      ['POST', '/pause', 'null', 422, null],
      ['GET', '/files?status=lost', undefined, 422, 'status'],
      ['GET', '/files?reason=because', undefined, 422, 'reason'],
      ['GET', '/files?sort=colour', undefined, 422, 'sort'],
      ['POST', '/files/999999/retry', undefined, 404, null],
      ['POST', '/originals/999999/restore', undefined, 404, null],
      ['POST', '/originals/999999/accept', undefined, 404, null],
      ['GET', '/jobs?state=lost', undefined, 422, 'state'],
      ['GET', '/jobs?limit=0', undefined, 422, 'limit'],
      ['GET', '/jobs?limit=1000', undefined, 422, 'limit'],
      ['GET', '/jobs?after=%00', undefined, 422, 'after'],
      ['GET', '/jobs?stat=failed', undefined, 422, 'stat'],
      ['GET', '/jobs?library=1&library=2', undefined, 422, 'library'],
      ['GET', '/jobs/999999', undefined, 404, null],
      ['GET', '/jobs?library=99999999999', undefined, 422, 'library'],
      ['GET', '/files?library=99999999999', undefined, 422, 'library'],
      ['GET', '/activity?library=99999999999', undefined, 422, 'library'],
      ['GET', '/notifications/log?target=99999999999', undefined, 422, 'target'],
      ['GET', '/libraries?nope=1', undefined, 422, 'nope'],
      ['POST', '/nodes/%00/pause', undefined, 404, null],
      ['GET', '/jobs/abc', undefined, 404, null],
      ['POST', '/jobs/999999/cancel', undefined, 404, null],
      ['GET', '/nothing', undefined, 404, null],
      ['DELETE', '/jobs/1', undefined, 404, null],
    ] as const) {
      const answer = await call(method, path, body);
      assert.equal(answer.status, status, `${method} ${path} ${JSON.stringify(body)}: ${JSON.stringify(answer.body)}`);
      assert.equal(answer.body['error'].status, status);
      assert.ok(answer.body['error'].code && answer.body['error'].message, path);
      if (field)
        assert.ok(
          answer.body['error'].problems.some((p: { path: string }) => p.path === field),
          `${path} names ${field}: ${JSON.stringify(answer.body)}`,
        );
    }
    assert.equal(web.asked.length, 0);
  });

  test('a body that is not declared as JSON is not guessed at', async (t) => {
    const { call } = await serve(t);
    const answer = await call('POST', '/clear', '{"confirm":true}', { 'content-type': 'text/plain' });
    assert.equal(answer.status, 415);
  });

  test('a wish that cannot be met is a 409 with its sentence; a fault shows nothing of the inside', async (t) => {
    const { call } = await serve(t, (name) => {
      if (name === 'addLibrary') throw new PlainError('There is no folder /mnt/films on this machine.');
      throw new Error('secret detail of postgres://user:pass@host');
    });
    const wish = await call('POST', '/libraries', { path: '/mnt/films' });
    assert.deepEqual([wish.status, wish.body['error'].message], [409, 'There is no folder /mnt/films on this machine.']);
    const fault = await call('POST', '/pause');
    assert.equal(fault.status, 500);
    assert.ok(!JSON.stringify(fault.body).includes('pass'));
  });

  test('settings that somebody else changed meanwhile come back as a conflict with their value', async (t) => {
    const { call } = await serve(t, (name) =>
      name === 'saveSettings' ? [{ key: 'jobs.maxFailures', problem: 'was changed meanwhile', current: 7 }] : undefined,
    );
    const { status, body } = await call('POST', '/settings', { changes: [{ key: 'jobs.maxFailures', value: 4, version: 1 }] });
    assert.equal(status, 409);
    assert.deepEqual(body['error'].problems, [{ path: 'jobs.maxFailures', problem: 'was changed meanwhile', current: 7 }]);
  });
});

describe('who may', () => {
  test('without the secret and from another page nothing is changed', async (t) => {
    const { web } = await serve(t);
    for (const headers of [
      {},
      { authorization: 'Bearer wrong' },
      { origin: 'http://evil.example' },
      { 'sec-fetch-site': 'cross-site' },
    ] as Record<string, string>[]) {
      const response = await fetch(`${web.url}/api/v1/pause`, { method: 'POST', headers });
      assert.equal(response.status, 403, JSON.stringify(headers));
    }
    assert.equal(web.asked.length, 0);
  });

  test('no answer allows another page to read it', async (t) => {
    const { web } = await serve(t);
    const response = await fetch(`${web.url}/api/v1/status`, { headers: { origin: 'http://evil.example' } });
    assert.equal(response.headers.get('access-control-allow-origin'), null);
  });
});
