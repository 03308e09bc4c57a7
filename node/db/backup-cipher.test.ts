import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decrypted, encrypted } from './backup-cipher.ts';

const passphrase = 'ten letters and more';

async function all(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const read: Buffer[] = [];
  for await (const piece of pieces) read.push(piece);
  return Buffer.concat(read);
}

async function* of(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

test('a head that asks for gigabytes of memory or hours of work is refused before anything is computed', async () => {
  const [head, ...rest] = await Array.fromAsync(encrypted(of(Buffer.from('books')), passphrase));
  assert.equal(String(await all(decrypted(of(Buffer.concat([head!, ...rest])), passphrase))), 'books');
  const cost = head!.length - 16 - 3;
  for (const [logN, r, p] of [
    [20, 16, 1],
    [20, 8, 1],
    [21, 8, 1],
    [17, 8, 5],
    [13, 8, 1],
    [17, 0, 1],
  ]) {
    const asked = Buffer.concat([head!, ...rest]);
    asked.set([logN!, r!, p!], cost);
    await assert.rejects(all(decrypted(of(asked), passphrase)), /head of the encrypted backup is damaged/, `${logN} ${r} ${p}`);
  }
});
