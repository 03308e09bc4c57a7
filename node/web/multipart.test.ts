import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstFile } from './multipart.ts';

const type = 'multipart/form-data; boundary=----x';
const file = Buffer.from('line\r\n----x is not the end\r\n------y neither\r\n\0\xff', 'latin1');
const form = (...parts: [string, Buffer | string][]): Buffer =>
  Buffer.concat([
    ...parts.flatMap(([head, body]) => [Buffer.from(`------x\r\n${head}\r\n\r\n`), Buffer.from(body as string), Buffer.from('\r\n')]),
    Buffer.from('------x--\r\n'),
  ]);
const field = 'Content-Disposition: form-data; name="csrf"';
const upload = 'Content-Disposition: form-data; name="file"; filename="b.gz"\r\nContent-Type: application/gzip';

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(bytes: Buffer, size: number, contentType = type): Promise<Buffer> {
  const found: Buffer[] = [];
  for await (const piece of firstFile(pieces(bytes, size), contentType)) found.push(Buffer.from(piece));
  return Buffer.concat(found);
}

test('the first file of a form is read byte for byte, however it is cut into pieces', async () => {
  const body = form([field, 'token'], [upload, file], [field, 'later']);
  for (const size of [1, 2, 3, 7, 8, 9, 64, body.length]) assert.deepEqual(await read(body, size), file, `pieces of ${size}`);
  assert.deepEqual(await read(form([upload, '']), 5), Buffer.alloc(0));
});

test('a form without a file, one that ends too early and one that is none are called so', async () => {
  await assert.rejects(read(form([field, 'token']), 9), /No file was chosen/);
  await assert.rejects(read(form(['Content-Disposition: form-data; name="file"; filename=""', '']), 9), /No file was chosen/);
  const body = form([upload, file]);
  await assert.rejects(read(body.subarray(0, body.length - 12), 9), /did not come to its end/);
  await assert.rejects(read(Buffer.from(`------x\r\n${'a'.repeat(20_000)}`), 999), /could not be read/);
  await assert.rejects(read(body, 9, 'application/json'), /cannot hold a file/);
});
