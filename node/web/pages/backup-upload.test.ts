import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Backups } from '../../core/backups.ts';
import { PlainError } from '../../errors.ts';
import { emptyBooks, webParts } from '../../testing/web.ts';
import { createApp } from '../server.ts';

test('a backup that cannot be taken now is answered at once, and not read into memory first', { timeout: 120_000 }, async (t) => {
  const take: Backups['take'] = () => Promise.reject(new PlainError('Something is being done with the backups already.'));
  const { parts, complaints } = webParts({ db: emptyBooks });
  const app = await createApp({ ...parts, backups: { take } as unknown as Backups });
  t.after(() => app.stop());
  let read = 0;
  const piece = Buffer.from('------x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n');
  // it never comes to its end
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => (++read > 100 ? new Promise(() => {}) : controller.enqueue(piece)),
  });
  const request = new Request('http://localhost/settings/backup/upload', {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=----x' },
    body,
    duplex: 'half',
  } as RequestInit);
  const here = { address: '127.0.0.1', peer: '127.0.0.1', tunnelled: false, secure: false, forwardedFor: null, forwardedProto: null };
  const answer = await app.fetch(request, { visitor: { ...here, asks: 'cli' } });
  assert.equal(answer.status, 303, complaints.join());
  assert.equal(answer.headers.get('location'), '/settings/backup');
  assert.ok(read <= 2, `${read} pieces were read`);
});
