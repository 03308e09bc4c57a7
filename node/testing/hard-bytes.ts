/** What no option of ffmpeg makes: subtitles of pictures, captions, boxes and matrices, written byte by byte. */

/** A Blu-ray subtitle file (.sup): a filled rectangle at each time, gone a second later. */
export function pictureSubtitles(timesMs: number[]): Buffer {
  return Buffer.concat(timesMs.flatMap((ms, n) => [...shown(ms, 2 * n), ...hidden(ms + 700, 2 * n + 1)]));
}

const [WIDTH, HEIGHT] = [320, 180];
const [WIDE, HIGH] = [64, 16];

function shown(ms: number, number: number): Buffer[] {
  const object = bytes(u16(0), [0, 0], u16(100), u16(140));
  const window = bytes([1, 0], u16(100), u16(140), u16(WIDE), u16(HIGH));
  const palette = bytes([0, 0], [1, 235, 128, 128, 255], [2, 16, 128, 128, 255]);
  // each line: a run of 64 pixels of colour 1, then the end of the line
  const line = [0x00, 0xc0, WIDE, 1, 0x00, 0x00];
  const picture = bytes(u16(WIDE), u16(HIGH), ...Array.from({ length: HIGH }, () => line));
  const drawn = bytes(u16(0), [0, 0xc0], [0, ...u16(picture.length)], [...picture]);
  return [
    segment(ms, 0x16, bytes(u16(WIDTH), u16(HEIGHT), [0x10], u16(number), [0x80, 0, 0, 1], [...object])),
    segment(ms, 0x17, window),
    segment(ms, 0x14, palette),
    segment(ms, 0x15, drawn),
    segment(ms, 0x80, Buffer.alloc(0)),
  ];
}

function hidden(ms: number, number: number): Buffer[] {
  return [
    segment(ms, 0x16, bytes(u16(WIDTH), u16(HEIGHT), [0x10], u16(number), [0, 0, 0, 0])),
    segment(ms, 0x17, bytes([1, 0], u16(100), u16(140), u16(WIDE), u16(HIGH))),
    segment(ms, 0x80, Buffer.alloc(0)),
  ];
}

function segment(ms: number, type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(13);
  head.write('PG', 0, 'latin1');
  head.writeUInt32BE(ms * 90, 2);
  head.writeUInt8(type, 10);
  head.writeUInt16BE(body.length, 11);
  return Buffer.concat([head, body]);
}

function u16(value: number): number[] {
  return [value >> 8, value & 255];
}

function bytes(...parts: number[][]): Buffer {
  return Buffer.from(parts.flat());
}

/** Closed captions (ATSC A/53 in an SEI message) before every picture of an Annex B H.264 stream from the n-th on. */
export function withCaptions(annexB: Buffer, from: number): Buffer {
  const message = [0xb5, 0x00, 0x31, 0x47, 0x41, 0x39, 0x34, 0x03, 0xc1, 0xff, 0xfc, 0x80, 0x80, 0xff];
  const captions = Buffer.from([0, 0, 0, 1, 0x06, 0x04, message.length, ...message, 0x80]);
  const parts: Buffer[] = [];
  let [start, pictures] = [0, 0];
  for (let at = annexB.indexOf('000001', 0, 'hex'); at >= 0; at = annexB.indexOf('000001', at + 3, 'hex')) {
    const type = (annexB[at + 3] ?? 0) & 31;
    // a first slice begins with macroblock 0: the bit '1'
    if ((type !== 1 && type !== 5) || !((annexB[at + 4] ?? 0) & 0x80) || pictures++ < from) continue;
    const cut = annexB[at - 1] === 0 ? at - 1 : at;
    parts.push(annexB.subarray(start, cut), captions);
    start = cut;
  }
  return Buffer.concat([...parts, annexB.subarray(start)]);
}

/** HDR10+ (SMPTE ST 2094-40 in an SEI message), another one before every picture of an Annex B HEVC stream; `from`: of the first. */
export function withHdr10plus(annexB: Buffer, from = 0): Buffer {
  const parts: Buffer[] = [];
  let [start, pictures] = [0, 0];
  for (let at = annexB.indexOf('000001', 0, 'hex'); at >= 0; at = annexB.indexOf('000001', at + 3, 'hex')) {
    const type = ((annexB[at + 3] ?? 0) >> 1) & 63;
    // first_slice_segment_in_pic_flag
    if (type > 31 || !((annexB[at + 5] ?? 0) & 0x80)) continue;
    const cut = annexB[at - 1] === 0 ? at - 1 : at;
    if (pictures++ >= from) parts.push(annexB.subarray(start, cut), hdr10plusMessage(1000 + 37 * pictures));
    else parts.push(annexB.subarray(start, cut));
    start = cut;
  }
  return Buffer.concat([...parts, annexB.subarray(start)]);
}

/** One window without percentiles or curves. */
function hdr10plusMessage(light: number): Buffer {
  const fields: [value: number, width: number][] = [
    [1, 2],
    [1000, 27],
    [0, 1],
    ...[1, 2, 3, 4].map((n): [number, number] => [light * 64 + n + 1, 17]),
    [0, 4],
    [513, 10],
    [0, 3],
  ];
  const bits = fields.map(([value, width]) => value.toString(2).padStart(width, '0')).join('');
  const body = (bits.match(/.{1,8}/g) ?? []).map((byte) => parseInt(byte.padEnd(8, '0'), 2));
  const message = [0xb5, 0x00, 0x3c, 0x00, 0x01, 0x04, 0x01, ...body];
  return Buffer.from([0, 0, 0, 1, 39 << 1, 1, 0x04, message.length, ...escaped(message), 0x80]);
}

/** Two zeros are never followed by less than four in a NAL unit. */
function escaped(body: number[]): number[] {
  return body.flatMap((byte, n) => (byte <= 3 && n >= 2 && body[n - 1] === 0 && body[n - 2] === 0 ? [3, byte] : [byte]));
}

/** The display matrix of the first track, clockwise degrees (ISO/IEC 14496-12, 8.3.2). */
export function turned(mp4: Buffer, degrees: 0 | 90 | 180 | 270): Buffer {
  const out = Buffer.from(mp4);
  const header = out.indexOf('tkhd', 0, 'latin1');
  if (header < 0 || out[header + 4] !== 0) throw new Error('this MP4 has no version 0 track header');
  const [a, b] = ({ 0: [1, 0], 90: [0, 1], 180: [-1, 0], 270: [0, -1] } as const)[degrees];
  const matrix = [a * 65536, b * 65536, 0, -b * 65536, a * 65536, 0, 0, 0, 0x4000_0000];
  for (const [n, value] of matrix.entries()) out.writeInt32BE(value, header + 44 + n * 4);
  return out;
}

/** HDR10's static metadata in the sample entry of an MP4 whose `moov` lies behind its `mdat`: no offset changes. */
export function withStaticHdr(mp4: Buffer, entry: string): Buffer {
  const display = [13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450];
  const mdcv = box('mdcv', Buffer.concat([...display.map((v) => Buffer.from(u16(v))), u32(10_000_000), u32(50)]));
  const clli = box('clli', Buffer.from([...u16(1012), ...u16(387)]));
  return insertInto(mp4, ['moov', 'trak', 'mdia', 'minf', 'stbl', 'stsd', entry], Buffer.concat([mdcv, clli]));
}

/** Appends to the last box of a path and lengthens all around it; the first track is taken. */
export function insertInto(mp4: Buffer, path: string[], addition: Buffer): Buffer {
  const places: number[] = [];
  let [from, to] = [0, mp4.length];
  for (const name of path) {
    const at = findBox(mp4, name, from, to);
    places.push(at);
    to = at + mp4.readUInt32BE(at);
    from = at + (name === 'stsd' || name === 'dref' ? 16 : 8);
  }
  const out = Buffer.concat([mp4.subarray(0, to), addition, mp4.subarray(to)]);
  for (const at of places) out.writeUInt32BE(mp4.readUInt32BE(at) + addition.length, at);
  return out;
}

export function findBox(mp4: Buffer, name: string, from: number, to: number): number {
  for (let at = from; at + 8 <= to;) {
    if (mp4.toString('latin1', at + 4, at + 8) === name) return at;
    const size = mp4.readUInt32BE(at);
    if (size === 0) break;
    at += size === 1 ? Number(mp4.readBigUInt64BE(at + 8)) : size;
  }
  throw new Error(`no box ${name}`);
}

export function box(name: string, ...content: Buffer[]): Buffer {
  const size = 8 + content.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([u32(size), Buffer.from(name, 'latin1'), ...content]);
}

export function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value >>> 0);
  return out;
}
