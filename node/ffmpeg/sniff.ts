/** What the first bytes of a file say, for a clear word when ffprobe could make nothing of it. */
export type Sniffed = 'film' | 'playlist' | 'other-media' | 'text' | 'zeros' | 'nothing';

const at = (head: Buffer, offset: number, bytes: string): boolean =>
  head.subarray(offset, offset + bytes.length).toString('latin1') === bytes;

export function sniff(head: Buffer): Sniffed {
  if (isFilm(head)) return 'film';
  const start = head
    .subarray(0, 64)
    .toString('latin1')
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart();
  if (/^(#EXTM3U|ffconcat version|v=0\r?\n|<\?xml[^>]*>\s*<MPD|<MPD)/.test(start)) return 'playlist';
  if (isOtherMedia(head)) return 'other-media';
  if (head.length > 0 && head.every((b) => b === 0)) return 'zeros';
  return isText(head) ? 'text' : 'nothing';
}

function isFilm(head: Buffer): boolean {
  const boxes = ['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip', 'pnot'];
  return (
    at(head, 0, '\x1aE\xdf\xa3') ||
    boxes.some((box) => at(head, 4, box)) ||
    (at(head, 0, 'RIFF') && at(head, 8, 'AVI ')) ||
    isTransportStream(head, 188) ||
    isBluRayStream(head) ||
    at(head, 0, '\0\0\x01\xba') ||
    at(head, 0, '\0\0\x01\xb3') ||
    at(head, 0, '0&\xb2u\x8ef\xcf\x11') ||
    at(head, 0, 'FLV') ||
    at(head, 0, 'OggS') ||
    at(head, 0, '\x06\x0e\x2b\x34')
  );
}

function isTransportStream(head: Buffer, packet: number, first = 0): boolean {
  return head.length > first + 3 * packet && [0, 1, 2, 3].every((n) => head[first + n * packet] === 0x47);
}

/** Packets of 192 bytes: four bytes of time stamp before each. */
export function isBluRayStream(head: Buffer): boolean {
  return isTransportStream(head, 192, 4);
}

/** WebM is Matroska with another DocType (element 0x4282). */
export function isWebm(head: Buffer): boolean {
  const docType = at(head, 0, '\x1aE\xdf\xa3') ? head.subarray(0, 128).indexOf('\x42\x82', 0, 'latin1') : -1;
  return docType > 0 && at(head, docType + 3, 'webm');
}

function isOtherMedia(head: Buffer): boolean {
  const marks = [
    'ID3',
    'fLaC',
    'RIFF',
    '.RMF',
    '\xff\xd8\xff',
    '\x89PNG',
    'GIF8',
    'PK\x03\x04',
    'Rar!',
    '7z\xbc\xaf',
    'NUTnut',
    'MThd',
    '\xff\xfb',
    '\xff\xf1',
    '\xff\xf9',
  ];
  return marks.some((mark) => at(head, 0, mark));
}

function isText(head: Buffer): boolean {
  const strange = head.filter((b) => b < 9 || (b > 13 && b < 32 && b !== 27)).length;
  return head.length > 0 && strange === 0;
}
