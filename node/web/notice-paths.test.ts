import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noticeEventNames, TEST_EVENT } from '../core/notice-events.ts';
import { noticeWords } from '../core/notice-words.ts';
import { emptyBooks, webParts } from '../testing/web.ts';
import { createApp } from './server.ts';

test('every message links to a page that there is', async () => {
  const made = await createApp(webParts({ db: emptyBooks }).parts);
  const pages = made.app.routes.filter(({ method }) => method === 'GET').map(({ path }) => path);
  made.stop();
  const isPage = (path: string): boolean => pages.some((page) => new RegExp(`^${page.replaceAll(/:\w+/g, '[^/]+')}$`).test(path));
  const item = { jobId: 7, nodeId: '12D3KooWabc', title: 'x' };
  const facts = [{ ...item }, { ...item, library: 'Films' }, {}];
  for (const event of [...noticeEventNames, TEST_EVENT])
    for (const count of [1, 3])
      for (const fact of facts) {
        const { path } = noticeWords({ event, count, items: [fact] });
        assert.ok(isPage(path), `${event}: ${path}`);
      }
  assert.equal(isPage('/nowhere'), false);
});
