import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../log.ts';
import { createBulkServer } from '../mesh/bulk-server.ts';
import type { Mesh } from '../mesh/mesh.ts';
import { until } from '../testing/mesh-nodes.ts';
import { dashboardWay } from './dashboard.ts';

const log = createLog({ level: 'silent', pretty: false });

test('the way to the dashboard is there whenever somebody comes, however long nobody did, and is found anew when it broke', async (t) => {
  const server = createBulkServer({ port: 0, mbps: () => 0, log });
  await server.start();
  t.after(() => server.stop());
  const keys: string[] = [];
  let tried = 0;
  const request = async () => {
    const key = server.offerHttp({
      handler: (asked, answer) => {
        if (asked.url === '/healthz') tried++;
        answer.end('page');
      },
      reader: 'self',
      seconds: 5,
    });
    keys.push(key.identity);
    return { op: 'open', port: server.port(), ...key, sizeBytes: 0 };
  };
  const way = dashboardWay({
    mesh: { self: 'self', request } as unknown as Mesh,
    coordinator: () => 'other',
    hostOf: () => '127.0.0.1',
    onChange: () => {},
    log,
    everyMs: 20,
    keepMs: 800,
  });
  way.start();
  t.after(() => way.stop());
  const ask = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const asked = way.tunnel()!({ method: 'GET', path: '/', headers: { host: 'localhost' } });
      asked.once('response', (answer) => (answer.resume(), resolve(answer.statusCode!)));
      asked.once('error', reject);
      asked.end();
    });
  // its key lives five seconds without use, and this is more than ten
  await until('nobody came for a while', () => tried >= 14 && way.tunnel() !== null);
  assert.equal(await ask(), 200);
  const before = keys.length;
  server.revoke(keys.at(-1)!); // the other machine was away, or this one slept
  await until('another key', () => keys.length > before && way.tunnel() !== null);
  assert.equal(await ask(), 200);
});
