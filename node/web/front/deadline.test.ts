import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { deadline } from './deadline.ts';

test('a request whose first packet is lost ends in time, and one that is answered is left alone', async (t) => {
  // a name that is never found stands for packets that are never answered: the socket stays on its way
  const lost = request({ host: 'somewhere', lookup: () => undefined, agent: false });
  const why = new Promise<Error>((resolve) => lost.once('error', resolve));
  deadline(lost, 20).end();
  assert.equal((await why).message, 'no answer in time');

  const server = createServer((_asked, answer) => answer.end('here')).listen(0, '127.0.0.1');
  t.after(() => void (server.close(), server.closeAllConnections()));
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const heard = request({ host: '127.0.0.1', port, agent: false });
  const status = new Promise((resolve, reject) => {
    heard.once('error', reject).once('response', (answer) => answer.resume().once('end', () => resolve(answer.statusCode)));
  });
  deadline(heard, 30_000).end();
  assert.equal(await status, 200);
});
