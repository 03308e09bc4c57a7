import { crc32, deflateSync } from 'node:zlib';

/** A picture of one row, from colours of three bytes each, as PNG. */
export function pngRow(rgb: Uint8Array): Buffer<ArrayBuffer> {
  const width = Math.floor(rgb.length / 3);
  if (width < 1) throw new TypeError('a picture without a column');
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(1, 4);
  // 8 bits a sample, true colour
  header.set([8, 2], 8);
  const row = Buffer.concat([Buffer.from([0]), rgb.subarray(0, width * 3)]);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(row, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
