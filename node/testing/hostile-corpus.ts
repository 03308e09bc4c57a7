import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as made from './hostile-bytes.ts';
import { clip } from './media.ts';

/**
 * Files that want something: to make ffmpeg open another file, call another machine, eat all memory, or never end. Each lies
 * under the name of a film.
 */
export interface Trap {
  name: string;
  /** absolute */
  path: string;
  /** codes with which it may be refused; 'any' for what may as well be a film, if only it ends */
  answers: string[] | 'any';
}

export interface Bait {
  /** a file that nobody may open, absolute */
  canary: string;
  /** a film that nobody may open, absolute */
  film: string;
  /** of a listener on 127.0.0.1 */
  port: number;
}

const refusals = ['format-not-allowed', 'not-media', 'damaged'];

/** Scripts, lists and descriptions that lead elsewhere. */
export async function layTextTraps(folder: string, bait: Bait): Promise<Trap[]> {
  const { canary, film, port } = bait;
  const web = `http://127.0.0.1:${port}`;
  const hls = (...lines: string[]): string => ['#EXTM3U', '#EXT-X-TARGETDURATION:2', ...lines, '#EXT-X-ENDLIST', ''].join('\n');
  const texts: Record<string, string> = {
    'hls film.mkv': hls('#EXTINF:2,', `file://${film}`),
    'hls plain path.mp4': hls('#EXTINF:2,', film),
    'hls canary.mkv': hls('#EXTINF:2,', `file://${canary}`),
    'hls web.ts': hls('#EXTINF:2,', `${web}/segment.ts`),
    'hls concat.mkv': hls('#EXTINF:2,', `concat:${web}/a.m3u8|subfile,,start,0,end,20,,:${canary}`),
    'hls key.mkv': hls(`#EXT-X-KEY:METHOD=AES-128,URI="file://${canary}"`, '#EXTINF:2,', `file://${film}`),
    'hls map.mkv': hls(`#EXT-X-MAP:URI="${web}/init.mp4"`, '#EXTINF:2,', 'segment.m4s'),
    'hls master.mkv': `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n${web}/list.m3u8\n`,
    'hls after a mark.mkv': `\ufeff${hls('#EXTINF:2,', `file://${film}`)}`,
    'concat.mkv': `ffconcat version 1.0\nfile '${film}'\n`,
    'concat web.avi': `ffconcat version 1.0\nfile '${web}/a.ts'\n`,
    'concat list without a head.mkv': `file '${film}'\nfile '${canary}'\n`,
    'metadata.mkv': `;FFMETADATA1\ntitle=x\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=9\ntitle=${canary}\n`,
    'session.mkv': `v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video ${port} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n`,
    'dash.mkv': `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>${web}/a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>`,
    'imf.mkv': `<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016"><Id>x</Id></CompositionPlaylist>`,
    'asx.wmv': `<asx version="3.0"><entry><ref href="${web}/a.wmv"/></entry></asx>`,
    'reference.wmv': `[Reference]\r\nRef1=${web}/a.wmv\r\n`,
    'picture.mkv': `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="file://${canary}" width="9" height="9"/></svg>`,
    'entity.mkv': `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file://${canary}">]><MPD>&e;</MPD>`,
    'script.avi': `AviSource("${film}")\nImport("${canary}")\n`,
    'script.mkv': `import vapoursynth as vs\nvs.core.lsmas.LWLibavSource("${film}").set_output()\n`,
    'index.mkv': `# VobSub index file, v7\nsize: 720x576\nid: en, index: 0\ntimestamp: 00:00:01:000, filepos: 000000000\n`,
    'microdvd.mkv': `{0}{25}a\n{26}{50}b\n{51}{75}c\n`.repeat(20),
    'subrip.mkv': '1\n00:00:00,100 --> 00:00:00,900\nwords\n\n'.repeat(20),
    'sami.mkv': '<SAMI><BODY><SYNC Start=0><P>x</P></SYNC></BODY></SAMI>\n'.repeat(20),
    'screen.mkv': `\u001b[2J\u001b[1;31m${'ansi art '.repeat(200)}`,
    'graph.mkv': `movie=${film},format=yuv420p\n`,
    'frame%03d.mkv': `${canary}\n`,
    'm3u.mkv': `#EXTM3U\n${film}\n`,
    'pls.mkv': `[playlist]\nFile1=${web}/a.ts\nNumberOfEntries=1\n`,
    'smooth.ismv': `<?xml version="1.0"?><SmoothStreamingMedia MajorVersion="2" Duration="1"><StreamIndex Url="${web}/x"/></SmoothStreamingMedia>`,
  };
  return await Promise.all(Object.entries(texts).map(([name, text]) => lay(folder, name, text, refusals)));
}

/** Real containers with something wrong inside. */
export async function layByteTraps(folder: string, bait: Bait): Promise<Trap[]> {
  const film = await readFile(await clip('film'));
  const mp4 = await readFile(await clip('pictureInMp4'));
  const mov = await readFile(await clip('timecode'));
  const vp8 = await readFile(await clip('vp8'));
  const list = `#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\nfile://${bait.film}\n#EXTINF:10.0,\nhttp://127.0.0.1:${bait.port}/a\n#EXT-X-ENDLIST\n`;
  const all: [string, Buffer, Trap['answers']][] = [
    ['5000 tracks.mkv', made.matroskaOfManyTracks(5000), ['too-many-streams']],
    ['5000 tracks.mp4', made.mp4OfManyTracks(5000), ['too-many-streams', 'damaged']],
    ['65535 by 65535.mkv', made.matroskaOfSize(65_535, 65_535), ['absurd-dimensions', 'no-size', 'damaged']],
    ['16384 by 1.mkv', made.matroskaOfSize(16_384, 1), ['absurd-dimensions', 'no-size', 'damaged']],
    ['4 thousand million wide.mkv', made.matroskaOfSize(0xffff_ffff, 0xffff_ffff), ['absurd-dimensions', 'no-size', 'damaged']],
    ['largest vp8.webm', made.blownUp(vp8, 'vp8', 16_383, 16_383), 'any'],
    ['deep tags.mkv', made.insertIntoMatroska(film, made.nestedTags(2000)), 'any'],
    ['deep boxes.mp4', made.nestedMp4(2000), ['damaged']],
    ['100000 chapters.mkv', made.insertIntoMatroska(film, made.chapters(100_000, 'x')), ['overlong-description']],
    ['long chapter title.mkv', made.insertIntoMatroska(film, made.chapters(3, 'x'.repeat(5_000_000))), ['overlong-description']],
    ['9000 tags.mkv', made.insertIntoMatroska(film, made.tags(9_000, 'y'.repeat(500))), ['overlong-description']],
    ['for 49 days.mp4', made.endlessMp4(mp4), 'any'],
    ['four thousand million samples.mp4', made.sampleBomb(mp4), 'any'],
    ['external data.mov', made.withExternalData(mov, bait.film), 'any'],
    ['playlist as subtitle.avi', made.aviWithPlaylist(list), 'any'],
    ['zeros.mkv', Buffer.alloc(1 << 20), ['damaged']],
    ['nothing.mkv', Buffer.alloc(0), ['empty-file']],
    ['one byte.mkv', Buffer.from([0x1a]), ['not-media', 'damaged']],
    ['only a head.mkv', film.subarray(0, 40), ['damaged', 'not-media', 'no-video']],
  ];
  return await Promise.all(all.map(([name, bytes, answers]) => lay(folder, name, bytes, answers)));
}

/** A film cut off at every tenth of its length. */
export async function layCutFilms(
  folder: string,
  kinds: readonly ('film' | 'pictureInMp4' | 'interlacedTs' | 'xvid')[],
  tenths: number[],
): Promise<Trap[]> {
  const traps: Trap[] = [];
  for (const kind of kinds) {
    const from = await clip(kind);
    const bytes = await readFile(from);
    const extension = from.slice(from.lastIndexOf('.'));
    for (const tenth of tenths)
      traps.push(
        await lay(folder, `${kind} cut at ${tenth}0%${extension}`, bytes.subarray(0, Math.floor((bytes.length * tenth) / 10)), 'any'),
      );
  }
  return traps;
}

/** Names that look like options, protocols, patterns, filters and commands; the film behind each is a good one. */
export async function layNames(folder: string): Promise<Trap[]> {
  const film = await readFile(await clip('film'));
  const names = [
    '-version.mkv',
    '-i.mkv',
    '--help',
    'a%03d.mkv',
    '%%d%s%n.mkv',
    'it\'s "quoted".mkv',
    'http:x.mkv',
    'file:x.mkv',
    'pipe:0.mkv',
    'concat:a|b.mkv',
    'subfile,,start,0,,:x.mkv',
    'new\nline.mkv',
    'tab\t.mkv',
    '*?.mkv',
    '[0:v]null;.mkv',
    '$(touch pwned).mkv',
    '`id`.mkv',
    "'; rm -rf x.mkv",
    'back\\slash.mkv',
    '\u202eflipped.mkv',
    'x'.repeat(240) + '.mkv',
    '. .mkv',
    '日本語.mkv',
    'e\u0301.mkv',
  ];
  return await Promise.all(names.map((name) => lay(join(folder, 'names'), name, film, 'any')));
}

async function lay(folder: string, name: string, bytes: string | Buffer, answers: Trap['answers']): Promise<Trap> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
  return { name, path, answers };
}
