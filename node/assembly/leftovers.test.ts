import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { openWorkspace } from '../files/workspace.ts';
import { createLog } from '../log.ts';
import { dropWorkForOthers } from './leftovers.ts';

test('work for one cluster is there after a restart, and gone before another cluster could take it for its own', async (t) => {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'codecshift-leftovers-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const workspace = await openWorkspace(dataDir);
  const log = createLog({ level: 'fatal', pretty: true });
  const belong = (cluster: string): Promise<void> => dropWorkForOthers({ dataDir, cluster, workspace, log });
  const outbox = path.join(dataDir, 'outbox');
  const reports = (): string[] => readdirSync(outbox).filter((name) => name.endsWith('.json'));

  await belong('first');
  writeFileSync(path.join(outbox, '1-1.json'), '{}');
  writeFileSync(path.join(await workspace.create(7), 'output.mkv'), 'film');
  await belong('first');
  assert.deepEqual([reports(), await workspace.list()], [['1-1.json'], [7]]);

  await belong('second');
  assert.deepEqual([reports(), await workspace.list()], [[], []]);
  await belong('second');
  assert.ok(existsSync(outbox));
});

test('work of an older build, which did not say for whom it is, stays', async (t) => {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'codecshift-leftovers-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const workspace = await openWorkspace(dataDir);
  await workspace.create(3);
  await dropWorkForOthers({ dataDir, cluster: 'first', workspace, log: createLog({ level: 'fatal', pretty: true }) });
  assert.deepEqual(await workspace.list(), [3]);
});
