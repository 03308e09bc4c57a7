import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { PlainError } from '../errors.ts';
import { requestOver, type BulkAddress } from './bulk-client.ts';
import { createFrameReader } from './bulk-frame.ts';
import { bulkStage, MIB, type Stage } from './bulk-stage.ts';
import { tlsSettings } from './bulk-tls.ts';

const code = (wanted: string) => (error: unknown) => error instanceof PlainError && error.reason?.code === wanted;

test('a whole file arrives, whatever its size', async (t) => {
  for (const bytes of [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 12_345]) {
    const stage = await bulkStage(t, { bytes });
    const seen: number[] = [];
    assert.deepEqual(await stage.fetch({ onProgress: (n) => seen.push(n) }), { sha256: stage.sha256 });
    assert.ok(readFileSync(stage.target).equals(stage.bytes));
    assert.equal(seen.at(-1) ?? 0, bytes);
  }
});

test('any range is answered with blocks cut at whole mebibytes, a bad one with 416', async (t) => {
  const stage = await bulkStage(t);
  const address = stage.address();
  for (const [range, from, end] of [
    ['bytes=0-0', 0, 1],
    ['bytes=1000-1100000', 1000, 1_100_001],
    [`bytes=${2 * MIB}-`, 2 * MIB, stage.bytes.length],
    ['bytes=5-99999999', 5, stage.bytes.length],
  ] as const) {
    const { status, body } = await get(address, '/', { range });
    assert.equal(status, 206);
    const reader = createFrameReader({ from, end, withBlocks: true });
    reader.push(body);
    const blocks: Buffer[] = [];
    for (let frame = reader.next(); frame?.kind === 'block'; frame = reader.next()) blocks.push(Buffer.from(frame.block!));
    assert.ok(Buffer.concat(blocks).equals(stage.bytes.subarray(from, end)), range);
  }
  for (const range of ['bytes=9-3', `bytes=${stage.bytes.length}-`, 'bytes=-5', 'bytes=0-1,3-4', 'lines=1-2'])
    assert.equal((await get(address, '/', { range })).status, 416, range);
  assert.equal((await get(address, '/../source')).status, 404);
});

test('what an earlier try left is kept, also when only its own hashes can tell that it is good', async (t) => {
  for (const known of [true, false]) {
    const stage = await bulkStage(t);
    writeFileSync(stage.target, stage.bytes.subarray(0, 3 * MIB + 500));
    const seen: number[] = [];
    const { sha256 } = await stage.fetch({ sha256: known ? stage.sha256 : null, onProgress: (n) => seen.push(n) });
    assert.deepEqual([sha256, seen[0]], [stage.sha256, 4 * MIB]);
  }
});

test('a flipped bit in what an earlier try left is found, and only what follows is fetched again', async (t) => {
  for (const known of [true, false]) {
    for (const kept of [4 * MIB, 5 * MIB + 77]) {
      const stage = await bulkStage(t);
      const partial = Buffer.from(stage.bytes.subarray(0, kept));
      partial[2 * MIB + 3]! ^= 1;
      writeFileSync(stage.target, partial);
      const seen: number[] = [];
      const { sha256 } = await stage.fetch({ sha256: known ? stage.sha256 : null, onProgress: (n) => seen.push(n) });
      assert.equal(sha256, stage.sha256);
      assert.ok(readFileSync(stage.target).equals(stage.bytes));
      assert.equal(seen.filter((n) => n <= 2 * MIB).length, 0);
    }
  }
});

test('a file that is here already and right is not asked for again; a longer one is cut', async (t) => {
  const stage = await bulkStage(t);
  writeFileSync(stage.target, Buffer.concat([stage.bytes, Buffer.from('more')]));
  const open = (): never => assert.fail('nobody needs to be asked');
  assert.deepEqual(await stage.fetch({ sha256: stage.sha256, open }), { sha256: stage.sha256 });
  assert.equal(statSync(stage.target).size, stage.bytes.length);
});

test('a block that arrives damaged is fetched again; one that always does ends it', async (t) => {
  const stage = await bulkStage(t);
  const twice = await damaging(t, stage, 2 * MIB + 100, 2);
  assert.deepEqual(await stage.fetch({ open: twice.open }), { sha256: stage.sha256 });
  assert.ok(readFileSync(stage.target).equals(stage.bytes));
  assert.equal(twice.damaged(), 2);

  truncateSync(stage.target, 0);
  const always = await damaging(t, stage, 2 * MIB + 100, Infinity);
  await assert.rejects(stage.fetch({ open: always.open }), code('hash-mismatch'));
  assert.equal(always.damaged(), 4);
  assert.equal(statSync(stage.target).size, 0, 'nobody may go on from it');
});

test('bytes that are not the promised ones end it, however well they arrived', async (t) => {
  const stage = await bulkStage(t);
  await assert.rejects(stage.fetch({ sha256: '0'.repeat(64) }), code('hash-mismatch'));
});

test('a source that changes while it is sent is never taken for whole', async (t) => {
  const changes: Record<string, (stage: Stage) => void> = {
    touched: ({ source }) => utimesSync(source, 1000, 1000),
    grown: ({ source }) => appendFileSync(source, 'more'),
    shrunk: ({ source }) => truncateSync(source, 17 * MIB),
    exchanged: ({ source, bytes }) => {
      writeFileSync(`${source}.new`, bytes);
      renameSync(`${source}.new`, source);
    },
  };
  for (const [how, change] of Object.entries(changes)) {
    const stage = await bulkStage(t, { bytes: 20 * MIB });
    let changed = false;
    const onProgress = (bytes: number): void => {
      if (bytes >= MIB && !changed) change(stage);
      changed = true;
    };
    await assert.rejects(stage.fetch({ onProgress, open: async () => stage.address() }), code('file-changed'), how);
    assert.equal(statSync(stage.target).size, 0, how);
  }
});

test('a link, a folder and a file of another size are not given out', async (t) => {
  const stage = await bulkStage(t);
  mkdirSync(join(stage.folder, 'directory'));
  execFileSync('ln', ['-s', stage.source, join(stage.folder, 'link')]);
  for (const [name, sizeBytes] of [
    ['link', stage.bytes.length],
    ['directory', 4096],
    ['source', 5],
    ['gone', 5],
  ] as const) {
    const key = stage.server.offerFile({ file: join(stage.folder, name), sizeBytes, reader: 'r', seconds: 60 });
    const { status, body } = await get({ ...stage.address(), ...key }, '/');
    assert.deepEqual([status, body.length], [409, 0], name);
  }
});

test('a connection that breaks and a key that ran out only mean a fresh key; what has arrived stays', async (t) => {
  const stage = await bulkStage(t, { bytes: 12 * MIB });
  let opened = 0;
  let last: BulkAddress | null = null;
  const seen: number[] = [];
  const { sha256 } = await stage.fetch({
    async open() {
      opened += 1;
      // a key that nobody knows any more
      if (opened === 2) return { ...stage.address(), identity: 'x'.repeat(24) };
      const address = stage.address();
      last = address;
      return address;
    },
    onProgress(bytes) {
      seen.push(bytes);
      if (seen.length === 3) stage.server.revoke(last!.identity);
    },
  });
  assert.deepEqual([sha256, opened], [stage.sha256, 3]);
  // at most the very last block is ever asked for again
  assert.ok(seen.length <= 13, String(seen.length));
});

test('silence is given up and tried anew; a refusal for good ends it; so does the signal', async (t) => {
  const stage = await bulkStage(t);
  const psk = Buffer.alloc(32, 1);
  const silent = createServer({ ...tlsSettings, pskCallback: () => psk }, (_request, response) =>
    response.writeHead(200, { 'content-length': 9e6 }),
  );
  silent.listen(0);
  await once(silent, 'listening');
  t.after(() => closeAll(silent));
  const { port } = silent.address() as AddressInfo;
  const mute = { host: '127.0.0.1', port, identity: 'mute', key: psk.toString('base64url'), sizeBytes: stage.bytes.length };
  let asked = 0;
  const open = async () => (asked++ === 0 ? mute : stage.address());
  assert.deepEqual(await stage.fetch({ open, stallMs: 3000 }), { sha256: stage.sha256 });
  assert.ok(asked >= 2, 'a machine that stood still may have taken its own silence for the other one’s once more');

  truncateSync(stage.target, 0);
  let refusals = 0;
  const refusing = async (): Promise<never> => {
    refusals += 1;
    throw new PlainError('no', { retry: refusals < 3, reason: { code: 'file-changed' } });
  };
  await assert.rejects(stage.fetch({ open: refusing }), code('file-changed'));
  assert.equal(refusals, 3);

  const abort = new AbortController();
  const fetching = stage.fetch({ open: async () => mute, signal: abort.signal });
  setImmediate(() => abort.abort(new Error('enough')));
  await assert.rejects(fetching, /enough/);
});

test('an offer that is stopped ends in the middle of a block, and its key opens nothing any more', async (t) => {
  const stage = await bulkStage(t, { bytes: 40 * MIB });
  const stop = new AbortController();
  const address = stage.address({ stop: stop.signal });
  const response = await begin(address);
  response.resume();
  await once(response, 'data');
  stop.abort();
  await assert.rejects(once(response, 'end'), { code: 'ECONNRESET' });
  assert.equal(response.complete, false);
  await assert.rejects(get(address, '/'));
});

test('an offer that nobody uses dies; one in use lives on', async (t) => {
  const stage = await bulkStage(t, { bytes: 40 * MIB });
  const [used, unused] = [stage.address({ seconds: 15 }), stage.address({ seconds: 15 })];
  const response = await begin(used);
  // timers of one process fire in their order: the one that ends the unused offer has come before this one
  await pause(15_600);
  await assert.rejects(get(unused, '/'));
  let received = 0;
  for await (const chunk of response) received += (chunk as Buffer).length;
  assert.ok(received > 40 * MIB);
});

test('a reader that does not read holds two blocks and what the kernel buffers, not the file', async (t) => {
  if (!existsSync('/proc/self/io')) return t.skip('bytes read are counted by Linux only');
  const stage = await bulkStage(t, { bytes: 200 * MIB });
  const before = bytesRead();
  const response = await begin(stage.address());
  response.pause();
  let last = -1;
  await until(async () => {
    await pause(150);
    // reading the counter is counted too
    const still = bytesRead() - last < 64 * 1024;
    last = bytesRead();
    return still;
  });
  // reading is counted for the socket too: at most both sides of it
  assert.ok(bytesRead() - before < 60 * MIB, `${((bytesRead() - before) / MIB).toFixed(1)} MiB`);
  response.destroy();
});

test('a cap is kept on both sides, counted in the time that the bytes must take', async (t) => {
  const bytes = 2_000_000;
  for (const side of ['sender', 'receiver']) {
    const cap = (): number => 16;
    const stage = await bulkStage(t, { bytes, ...(side === 'sender' && { mbps: cap }) });
    const started = performance.now();
    await stage.fetch(side === 'receiver' ? { mbps: cap } : {});
    // 16 Mb/s are 2,000 bytes a millisecond: 1 s, less the free burst and the piece that is paid for afterwards
    assert.ok(performance.now() - started >= 1000 - 200 - 64 - 10, side);
  }
});

test('two transfers that were handed the same cap share it', async (t) => {
  const cap = (): number => 16;
  const stages = await Promise.all([bulkStage(t, { bytes: 1_000_000 }), bulkStage(t, { bytes: 1_000_000 })]);
  const started = performance.now();
  await Promise.all(stages.map((stage) => stage.fetch({ mbps: cap })));
  assert.ok(performance.now() - started >= 1000 - 200 - 64 - 10);
});

test('a full disk is told in words, before or in the middle', async (t) => {
  const stage = await bulkStage(t, { bytes: 6 * MIB });
  const small = mkdtempSync(join(tmpdir(), 'codecshift-small-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small], { stdio: 'ignore' });
  } catch {
    rmdirSync(small);
    return t.skip('a small disk can only be mounted by root');
  }
  t.after(() => {
    execFileSync('umount', ['-l', small]);
    rmdirSync(small);
  });
  await assert.rejects(stage.fetch({ target: join(small, 'target') }), code('no-space'));
  // room is there when it begins, and somebody else takes it meanwhile
  const other = await bulkStage(t, { bytes: 3 * MIB });
  const onProgress = (): void => {
    try {
      writeFileSync(join(small, 'other'), Buffer.alloc(4 * MIB));
    } catch {
      // as full as it gets
    }
  };
  await assert.rejects(other.fetch({ target: join(small, 'second'), onProgress }), code('disk-full'));
});

/** A holder that flips a bit at one offset of the file, so many times, on its way from the real one. */
async function damaging(t: TestContext, stage: Stage, at: number, times: number) {
  const psk = Buffer.alloc(32, 9);
  let damaged = 0;
  const server = createServer({ ...tlsSettings, pskCallback: () => psk }, (asked, response) => {
    const from = Number(/bytes=(\d+)/.exec(asked.headers.range ?? '')?.[1] ?? 0);
    const real = get(stage.address(), asked.url!, { range: asked.headers.range! });
    const answer = real.then(({ status, body }) => {
      const headers = 36 * (Math.floor(at / MIB) - Math.floor(from / MIB) + 1);
      if (asked.url === '/' && from <= at && damaged < times) {
        body[headers + at - from]! ^= 4;
        damaged += 1;
      }
      response.writeHead(status, { 'content-length': body.length }).end(body);
    });
    // the real holder stops first when the test is over
    answer.catch(() => response.destroy());
  });
  server.listen(0);
  await once(server, 'listening');
  t.after(() => closeAll(server));
  const { port } = server.address() as AddressInfo;
  const address = { host: '127.0.0.1', port, identity: 'damaging', key: psk.toString('base64url'), sizeBytes: stage.bytes.length };
  return { open: async () => address, damaged: () => damaged };
}

async function begin(address: BulkAddress, path = '/', headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const asked = requestOver(address, { method: 'GET', path, headers });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  asked.on('error', () => undefined);
  return response;
}

async function get(address: BulkAddress, path: string, headers: Record<string, string> = {}): Promise<{ status: number; body: Buffer }> {
  const response = await begin(address, path, headers);
  return { status: response.statusCode!, body: Buffer.concat(await response.toArray()) };
}

function closeAll(server: Server): void {
  server.closeAllConnections();
  server.close();
}

function bytesRead(): number {
  return Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))![1]);
}

async function until(done: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 120_000; performance.now() < deadline;) if (await done()) return;
  assert.fail('it did not come to that in time');
}
