/**
 * Pictures that ffmpeg wrote one behind the other (its "mjpeg" format), apart again. Walks the markers: a segment may hold
 * any bytes, and only behind "start of scan" is FF D9 the end. What is cut off or no JPEG ends the list.
 */
export function splitJpegs(bytes: Buffer): Buffer[] {
  const pictures: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = endOfPicture(bytes, at);
    if (end === null) break;
    pictures.push(bytes.subarray(at, end));
    at = end;
  }
  return pictures;
}

function endOfPicture(bytes: Buffer, start: number): number | null {
  if (bytes.length < start + 4 || bytes.readUInt16BE(start) !== 0xffd8) return null;
  for (let at = start + 2; at + 2 <= bytes.length;) {
    if (bytes[at] !== 0xff) return null;
    const marker = bytes[at + 1]!;
    if (marker === 0xd9) return at + 2;
    const length = at + 4 <= bytes.length ? bytes.readUInt16BE(at + 2) : 0;
    if (length < 2) return null;
    at += 2 + length;
    if (marker === 0xda) at = endOfScan(bytes, at);
  }
  return null;
}

/** The place of the first marker behind entropy-coded bytes: not a stuffed FF, not a restart. */
function endOfScan(bytes: Buffer, from: number): number {
  for (let at = from; at + 1 < bytes.length; at++) {
    if (bytes[at] !== 0xff) continue;
    const next = bytes[at + 1]!;
    if (next !== 0 && next !== 0xff && (next < 0xd0 || next > 0xd7)) return at;
  }
  return bytes.length;
}
