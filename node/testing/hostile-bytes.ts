import { box, findBox, insertInto, u32 } from './hard-bytes.ts';

/** Containers written byte by byte to be as hostile as their formats allow. */

/** An EBML element; sizes are written in eight bytes. */
export function element(id: string, ...content: (Buffer | string | number)[]): Buffer {
  const body = Buffer.concat(content.map((one) => (typeof one === 'number' ? whole(one) : Buffer.from(one))));
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(body.length) | (1n << 56n));
  return Buffer.concat([Buffer.from(id, 'hex'), size, body]);
}

function whole(value: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(BigInt(value));
  return out;
}

function real(value: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeDoubleBE(value);
  return out;
}

const ebmlHead = element(
  '1a45dfa3',
  element('4286', 1),
  element('42f7', 1),
  element('42f2', 4),
  element('42f3', 8),
  element('4282', 'matroska'),
  element('4287', 4),
  element('4285', 2),
);
const info = (durationMs: number): Buffer => element('1549a966', element('2ad7b1', 1_000_000), element('4489', real(durationMs)));

function track(number: number, type: number, codec: string, ...more: Buffer[]): Buffer {
  return element('ae', element('d7', number), element('73c5', number), element('83', type), element('86', codec), ...more);
}

export function matroska(parts: { tracks: Buffer[]; durationMs?: number; more?: Buffer[] }): Buffer {
  return Buffer.concat([
    ebmlHead,
    element('18538067', info(parts.durationMs ?? 2000), element('1654ae6b', ...parts.tracks), ...(parts.more ?? [])),
  ]);
}

/** Every stream that a film could have, and 4,990 more. */
export function matroskaOfManyTracks(count: number): Buffer {
  return matroska({
    more: [element('1f43b675', element('e7', 0), element('a3', Buffer.from([0x81, 0, 0, 0x80]), Buffer.alloc(100, 7)))],
    tracks: Array.from({ length: count }, (_, n) => track(n + 1, n === 0 ? 1 : 2, n === 0 ? 'V_MPEG4/ISO/AVC' : 'A_AC3')),
  });
}

/** A raw picture of any size that a header can name. */
export function matroskaOfSize(width: number, height: number, codec = 'V_MPEG4/ISO/ASP'): Buffer {
  const picture = element('e0', element('b0', width), element('ba', height));
  const block = element('a3', Buffer.from([0x81, 0, 0, 0x80]), Buffer.alloc(2000, 7));
  return matroska({ tracks: [track(1, 1, codec, picture)], more: [element('1f43b675', element('e7', 0), block)] });
}

/** Elements that are put before the first cluster of a real film; its size becomes "unknown", as live streams have it. */
export function insertIntoMatroska(film: Buffer, ...more: Buffer[]): Buffer {
  const segment = film.indexOf('18538067', 0, 'hex');
  const cluster = film.indexOf('1f43b675', segment, 'hex');
  const out = Buffer.concat([film.subarray(0, cluster), ...more, film.subarray(cluster)]);
  out.write('01ffffffffffffff', segment + 4, 'hex');
  return out;
}

export function chapters(count: number, title: string): Buffer {
  const atoms = Array.from({ length: count }, (_, n) =>
    element('b6', element('73c4', n + 1), element('91', n * 1000), element('80', element('85', title), element('437c', 'eng'))),
  );
  return element('1043a770', element('45b9', ...atoms));
}

export function tags(count: number, value: string): Buffer {
  return element(
    '1254c367',
    element(
      '7373',
      element('63c0'),
      ...Array.from({ length: count }, (_, n) => element('67c8', element('45a3', `TAG${n}`), element('4487', value))),
    ),
  );
}

/** Tags within tags within tags. */
export function nestedTags(depth: number): Buffer {
  let inner = element('67c8', element('45a3', 'deep'), element('4487', 'x'));
  for (let n = 0; n < depth; n++) inner = element('67c8', element('45a3', 'deep'), inner);
  return element('1254c367', element('7373', inner));
}

const ftyp = box('ftyp', Buffer.from('isom\0\0\x02\0isomiso2', 'latin1'));

function mvhd(duration: number): Buffer {
  return box('mvhd', Buffer.alloc(12), u32(1000), u32(duration), Buffer.alloc(80));
}

export function mp4OfManyTracks(count: number): Buffer {
  const hdlr = box('hdlr', Buffer.alloc(8), Buffer.from('soun'), Buffer.alloc(13));
  const one = box('trak', box('tkhd', Buffer.alloc(84)), box('mdia', hdlr));
  return Buffer.concat([ftyp, box('moov', mvhd(2000), ...Array.from({ length: count }, () => one))]);
}

/** Boxes within boxes within boxes. */
export function nestedMp4(depth: number): Buffer {
  let inner = box('free');
  for (let n = 0; n < depth; n++) inner = box('moov', inner);
  return Buffer.concat([ftyp, box('moov', mvhd(2000), inner)]);
}

/** A real film whose header says that it lasts for 49 days. */
export function endlessMp4(film: Buffer): Buffer {
  const out = Buffer.from(film);
  for (const name of ['mvhd', 'tkhd', 'mdhd']) {
    const at = out.indexOf(name, 0, 'latin1');
    if (at > 0) out.writeUInt32BE(0xffff_fff0, at + 4 + (name === 'tkhd' ? 20 : 16));
  }
  return out;
}

/** A table that says: four thousand million samples of one byte each. */
export function sampleBomb(film: Buffer): Buffer {
  const out = Buffer.from(film);
  const at = out.indexOf('stsz', 0, 'latin1');
  out.writeUInt32BE(1, at + 8);
  out.writeUInt32BE(0xffff_fff0, at + 12);
  return out;
}

/** QuickTime's "the data lies in that other file", as an alias with an absolute path. */
export function withExternalData(mov: Buffer, path: string): Buffer {
  const text = Buffer.from(path);
  const name = Buffer.alloc(2 + text.length + (text.length % 2));
  const alias = Buffer.concat([
    Buffer.alloc(10),
    Buffer.concat([Buffer.from([4]), Buffer.alloc(27)]),
    Buffer.alloc(12),
    Buffer.concat([Buffer.from([Math.min(63, text.length)]), text.subarray(0, 63), Buffer.alloc(Math.max(0, 63 - text.length))]),
    Buffer.alloc(16),
    Buffer.from([0, 1, 0, 1]),
    Buffer.alloc(16),
    Buffer.from([0, 2, 0, text.length]),
    text,
    Buffer.alloc(name.length - 2 - text.length),
    Buffer.from([0xff, 0xff, 0, 0]),
  ]);
  const places = ['moov', 'trak', 'mdia', 'minf', 'dinf', 'dref'];
  let [from, to, at] = [0, mov.length, 0];
  for (const place of places) {
    at = findBox(mov, place, from, to);
    [from, to] = [at + 8, at + mov.readUInt32BE(at)];
  }
  // the alias instead of "the data is in this file": the new entry is the second, and every sample entry points at it
  const out = insertInto(mov, places, box('alis', Buffer.alloc(4), alias));
  out.writeUInt32BE(2, at + 12);
  const entry = out.indexOf('avc1', 0, 'latin1');
  out.writeUInt16BE(2, entry + 4 + 6);
  return out;
}

/** An AVI whose subtitle stream holds a playlist: ffmpeg opens such streams with a demuxer of their own. */
export function aviWithPlaylist(playlist: string): Buffer {
  const text = Buffer.from(playlist);
  const gab2 = Buffer.concat([
    Buffer.from('GAB2\0\x02\0', 'latin1'),
    le32(4),
    Buffer.from('s\0\0\0', 'latin1'),
    Buffer.from([4, 0]),
    le32(text.length),
    text,
  ]);
  const header = riff(
    'avih',
    le32(40_000),
    Buffer.alloc(12),
    le32(1),
    Buffer.alloc(4),
    le32(2),
    Buffer.alloc(4),
    le32(64),
    le32(64),
    Buffer.alloc(16),
  );
  const strh = (type: string, codec: string): Buffer =>
    riff('strh', Buffer.from(type + codec, 'latin1'), Buffer.alloc(12), le32(1), le32(25), le32(0), le32(1), Buffer.alloc(20));
  const picture = riff('strf', le32(40), le32(64), le32(64), Buffer.from([1, 0, 24, 0]), Buffer.from('XVID'), Buffer.alloc(20));
  const lists = [list('strl', strh('vids', 'XVID'), picture), list('strl', strh('txts', '\0\0\0\0'), riff('strf', Buffer.alloc(4)))];
  const data = list('movi', riff('00dc', Buffer.alloc(64, 1)), riff('01tx', gab2));
  const body = Buffer.concat([Buffer.from('AVI '), list('hdrl', header, ...lists), data]);
  return Buffer.concat([Buffer.from('RIFF'), le32(body.length), body]);
}

function riff(name: string, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from(name), le32(body.length), body, Buffer.alloc(body.length % 2)]);
}

function list(name: string, ...content: Buffer[]): Buffer {
  return riff('LIST', Buffer.from(name), ...content);
}

function le32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
}

/** JPEG and VP8 frames say their own size: as large as the field allows. */
export function blownUp(film: Buffer, codec: 'mjpeg' | 'vp8', width: number, height: number): Buffer {
  const out = Buffer.from(film);
  const mark = codec === 'mjpeg' ? 'ffc00011' : '9d012a';
  for (let at = out.indexOf(mark, 0, 'hex'); at >= 0; at = out.indexOf(mark, at + 3, 'hex')) {
    if (codec === 'mjpeg') {
      out.writeUInt16BE(height, at + 5);
      out.writeUInt16BE(width, at + 7);
    } else {
      out.writeUInt16LE(width & 0x3fff, at + 3);
      out.writeUInt16LE(height & 0x3fff, at + 5);
    }
  }
  return out;
}
