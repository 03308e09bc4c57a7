import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { AudioStream, Probe, Stream, VideoStream } from './media.ts';
import { filmStreams } from './media.ts';
import { defaultProfile } from './profile.ts';
import { reasonEntry, sentence } from './reasons.ts';
import type { Evidence, Verdict } from './verdict.ts';
import { judge, needsOriginalDecode } from './verdict.ts';
import { capturedPair, pairNames } from '../testing/fixtures.ts';

/** Pairs whose output is truly not the original, with the reason. All others were made well and must be accepted. */
const badPairs: Record<string, string> = {
  // random bytes in the middle: ffmpeg gives up there
  'clip-broken': 'duration-differs',
  // ffmpeg 5.1 forgets how long the last frame of a VFR film stands: 1.4 seconds are missing
  'mediabunny-cursed-vfr.mp4': 'duration-differs',
};

suite('a real conversion is accepted:', () => {
  for (const name of pairNames.filter((pair) => !(pair in badPairs))) {
    test(name, () => {
      const verdict = judge(evidence(name));
      assert.deepEqual(failed(verdict), []);
      assert.equal(verdict.accepted, true);
    });
  }
});

suite('a real conversion that lost something is refused:', () => {
  for (const [name, code] of Object.entries(badPairs)) test(name, () => assert.equal(codeOf(judge(evidence(name))), code));
});

type Edit = (e: Evidence) => void;
const film =
  (change: Partial<VideoStream>): Edit =>
  (e) =>
    void Object.assign(filmStreams(e.output)[0]!, change);
const bothFilms =
  (before: Partial<VideoStream>, after: Partial<VideoStream>): Edit =>
  (e) => {
    Object.assign(filmStreams(e.original)[0]!, before);
    Object.assign(filmStreams(e.output)[0]!, after);
  };
const nth = (probe: Probe, kind: Stream['kind'], at = 0): Stream => probe.streams.filter((s) => s.kind === kind)[at]!;
const stream =
  (kind: Stream['kind'], change: Partial<AudioStream> | Record<string, unknown>, at = 0): Edit =>
  (e) =>
    void Object.assign(nth(e.output, kind, at), change);
const without =
  (kind: Stream['kind'], at = 0): Edit =>
  (e) => {
    const gone = nth(e.output, kind, at);
    e.output.streams = e.output.streams.filter((s) => s !== gone);
  };
const color =
  (change: Partial<VideoStream['color']>): Edit =>
  (e) =>
    void Object.assign(filmStreams(e.output)[0]!.color, change);
const hdr10 = { kind: 'hdr10', dolbyVisionProfile: null, masteringDisplay: 'G(1,2)', contentLight: '1000,400' } as const;

/** From here on the pair with everything in it: three sound tracks, two subtitles, chapters, a font, a cover. */
const rows: [string, Edit, string][] = [
  ['nothing changed', () => {}, 'accepted'],
  ['another container', (e) => void (e.output.container = 'mp4'), 'container-differs'],
  ['no film', (e) => void (e.output.streams = e.output.streams.filter((s) => s !== filmStreams(e.output)[0])), 'video-differs'],
  ['still H.264', film({ codec: 'h264' }), 'video-differs'],
  ['8 bits instead of 10', film({ bitDepth: 8 }), 'video-differs'],
  ['a profile that few players know', film({ codecProfile: 'Rext' }), 'video-differs'],
  ['4:4:4 instead of 4:2:0', film({ chroma: '4:4:4' }), 'video-differs'],
  ['a second film', (e) => e.output.streams.push({ ...filmStreams(e.output)[0]!, index: 99 }), 'video-differs'],
  ['the film lost its title', film({ title: null }), 'streams-differ'],
  ['an error while decoding', (e) => e.decodeErrors.push('invalid NAL'), 'decode-errors'],
  ['half a second shorter', (e) => void (e.output.durationMs! -= 500), 'duration-differs'],
  ['one frame longer', (e) => void (e.output.durationMs! += 40), 'accepted'],
  ['no duration', (e) => void (e.output.durationMs = null), 'duration-differs'],
  ['a sound track cut short inside a whole film', stream('audio', { durationMs: 1000 }, 1), 'duration-differs'],
  ['one frame less', (e) => void (e.outputFrames.frames -= 1), 'frames-differ'],
  ['one frame more', (e) => void (e.outputFrames.frames += 1), 'frames-differ'],
  ['no frames at all', (e) => void (e.originalFrames.frames = e.outputFrames.frames = 0), 'frames-differ'],
  ['a sound track less', without('audio', 2), 'streams-differ'],
  ['a sound track more', (e) => e.output.streams.push({ ...nth(e.output, 'audio'), index: 99 }), 'streams-differ'],
  ['sound tracks in another order', (e) => void (e.output.streams = e.output.streams.toReversed()), 'streams-differ'],
  ['another language', stream('audio', { language: 'fre' }), 'streams-differ'],
  ['the same language spelt in the other ISO code', stream('audio', { language: 'deu' }), 'accepted'],
  ['a language lost', stream('audio', { language: null }), 'streams-differ'],
  ['another title', stream('audio', { title: 'Stereo' }), 'streams-differ'],
  ['a commentary that says so no more', stream('audio', { disposition: [] }, 1), 'streams-differ'],
  ['a default that moved', stream('audio', { disposition: ['comment', 'default'] }, 1), 'streams-differ'],
  ['stereo instead of mono', stream('audio', { channels: 6 }), 'streams-differ'],
  ['another sample rate', stream('audio', { sampleRate: 44_100 }), 'streams-differ'],
  ['another sound codec', stream('audio', { codec: 'aac' }), 'streams-differ'],
  ['a subtitle less', without('subtitle'), 'streams-differ'],
  ['a forced subtitle that is so no more', stream('subtitle', { disposition: [] }), 'streams-differ'],
  ['another subtitle codec', stream('subtitle', { codec: 'subrip' }, 1), 'streams-differ'],
  ['a font less', without('attachment'), 'attachments-differ'],
  ['a font of another name', stream('attachment', { fileName: 'x.ttf' }), 'attachments-differ'],
  [
    'no cover',
    (e) => void (e.output.streams = e.output.streams.filter((s) => !s.disposition.includes('attached_pic'))),
    'attachments-differ',
  ],
  ['a chapter less', (e) => void e.output.chapters.pop(), 'chapters-differ'],
  ['no chapters', (e) => void (e.output.chapters = []), 'chapters-differ'],
  ['a chapter of another name', (e) => void (e.output.chapters[1]!.title = 'Ende'), 'chapters-differ'],
  ['a chapter moved by half a second', (e) => void (e.output.chapters[1]!.startMs += 500), 'chapters-differ'],
  ['a chapter moved by less than a frame', (e) => void (e.output.chapters[1]!.startMs += 20), 'accepted'],
  ['the title lost', (e) => void (e.output.tags = {}), 'tags-differ'],
  ['an encoder tag more', (e) => void (e.output.tags['ENCODER'] = 'Lavf'), 'accepted'],
  ['other primaries', color({ primaries: 'bt2020' }), 'colour-differs'],
  ['another transfer', color({ transfer: 'smpte2084' }), 'colour-differs'],
  ['full range', color({ range: 'pc' }), 'colour-differs'],
  ['limited range said where it was not told', color({ range: 'tv' }), 'accepted'],
  ['HDR lost', bothFilms({ hdr: hdr10 }, { hdr: null }), 'hdr-differs'],
  ['another mastering display', bothFilms({ hdr: hdr10 }, { hdr: { ...hdr10, masteringDisplay: 'G(3,4)' } }), 'hdr-differs'],
  ['light levels lost', bothFilms({ hdr: hdr10 }, { hdr: { ...hdr10, contentLight: null } }), 'hdr-differs'],
  ['HDR kept', bothFilms({ hdr: hdr10 }, { hdr: { ...hdr10 } }), 'accepted'],
  ['another height', film({ height: 176 }), 'geometry-differs'],
  ['turned', film({ rotation: 90 }), 'geometry-differs'],
  ['wider pixels', film({ sampleAspectRatio: '4:3' }), 'geometry-differs'],
  ['square pixels, said or not', film({ sampleAspectRatio: null }), 'accepted'],
  ['3D that says so no more', bothFilms({ tags: { stereo_mode: 'left_right' } }, {}), 'geometry-differs'],
  ['sound 200 ms late', stream('audio', { startMs: 200 }, 1), 'sync-differs'],
  ['larger than the original', (e) => void (e.outputBytes = e.originalBytes + 1), 'not-smaller'],
  ['just as large', (e) => void (e.outputBytes = e.originalBytes), 'not-smaller'],
  ['a little smaller than the margin asks', (e) => void (e.outputBytes = Math.ceil(e.originalBytes * 0.91)), 'small-saving'],
  ['an empty output', (e) => void (e.outputBytes = 0), 'suspiciously-small'],
  ['a thousandth of the original', (e) => void (e.outputBytes = Math.ceil(e.originalBytes / 1000)), 'suspiciously-small'],
  [
    'smaller, but also without sound: the harm is named',
    (e) => (without('audio')(e), void (e.outputBytes = e.originalBytes * 2)),
    'streams-differ',
  ],
];

suite('the verdict when the output has', () => {
  for (const [name, edit, expected] of rows) {
    test(name, () => {
      const e = evidence('clip-everything');
      edit(e);
      const verdict = judge(e);
      assert.equal(codeOf(verdict), expected, JSON.stringify(failed(verdict)));
      if (!verdict.accepted) assert.doesNotMatch(sentence(verdict.reason), /\?|undefined|NaN/);
    });
  }
});

suite('a damaged original', () => {
  test('is held for a person instead of blaming the output for its errors', () => {
    const e = evidence('clip-film');
    e.decodeErrors = ['error while decoding MB 3 4'];
    e.originalDecodeErrors = ['error while decoding MB 3 4'];
    const verdict = judge(e);
    assert.equal(codeOf(verdict), 'source-damaged');
    assert.equal(!verdict.accepted && reasonEntry(verdict.reason.code).kind, 'hold');
  });

  test('explains a shorter output too', () => {
    const e = { ...evidence('clip-broken'), originalDecodeErrors: ['invalid data'] };
    assert.equal(codeOf(judge(e)), 'source-damaged');
  });

  test('does not explain a missing sound track', () => {
    const e = { ...evidence('clip-film'), originalDecodeErrors: ['invalid data'] };
    without('audio')(e);
    assert.equal(codeOf(judge(e)), 'streams-differ');
  });

  test('is looked for only when the output gives cause', () => {
    assert.equal(needsOriginalDecode(evidence('clip-film')), false);
    assert.equal(needsOriginalDecode({ ...evidence('clip-film'), decodeErrors: ['x'] }), true);
    assert.equal(needsOriginalDecode({ ...evidence('clip-film'), decodeErrors: ['x'], originalDecodeErrors: [] }), false);
    assert.equal(needsOriginalDecode(evidence('clip-broken')), true);
    assert.equal(needsOriginalDecode({ ...evidence('clip-film'), outputFrames: { frames: 49, counted: 'decoded' } }), true);
  });
});

test('a long film may not lose half a percent of its end', () => {
  const e = evidence('clip-film');
  e.original.durationMs = 3 * 3600_000;
  e.output.durationMs = 3 * 3600_000 - 1500;
  assert.equal(codeOf(judge(e)), 'duration-differs');
});

test('a re-wrap need not be smaller, but must not grow', () => {
  const e = evidence('clip-film');
  filmStreams(e.original)[0]!.codec = 'hevc';
  filmStreams(e.original)[0]!.bitDepth = 10;
  e.plan = { ...e.plan, action: 'remux', video: null };
  e.copied = { original: 'a', output: 'a', messages: false };
  e.outputBytes = e.originalBytes + 10;
  assert.equal(codeOf(judge(e)), 'accepted');
  e.outputBytes = e.originalBytes * 1.1;
  assert.equal(codeOf(judge(e)), 'not-smaller');
});

test('a re-wrap is believed only when its pictures are proved to be the same bits, and with HDR10+ every message, too', () => {
  const e = evidence('clip-film');
  const film = filmStreams(e.original)[0]!;
  film.codec = 'hevc';
  film.bitDepth = 10;
  e.plan = { ...e.plan, action: 'remux', video: null };
  const verdictOn = (copied: Evidence['copied']): string => codeOf(judge({ ...e, copied }));
  assert.equal(verdictOn({ original: 'a', output: 'a', messages: false }), 'accepted');
  assert.equal(verdictOn({ original: 'a', output: 'b', messages: false }), 'pictures-differ');
  for (const copied of [undefined, { original: null, output: null, messages: true }, { original: 'a', output: null, messages: true }])
    assert.equal(verdictOn(copied), 'not-enough-trust');
  const hdr10plus = { kind: 'hdr10plus' as const, dolbyVisionProfile: null, masteringDisplay: null, contentLight: null };
  for (const probe of [e.original, e.output]) filmStreams(probe)[0]!.hdr = hdr10plus;
  assert.equal(verdictOn({ original: 'a', output: 'a', messages: false }), 'not-enough-trust');
  assert.equal(verdictOn({ original: 'a', output: 'b', messages: true }), 'hdr-differs');
  assert.equal(verdictOn({ original: 'a', output: 'a', messages: true }), 'accepted');
});

test('an encode whose pictures were not looked at, or showed nothing, is not believed', () => {
  const e = evidence('clip-film');
  for (const pictures of [undefined, [], [{ ...samePiece, pictures: 0 }]])
    assert.equal(codeOf(judge({ ...e, pictures })), 'not-enough-trust');
});

test('every check is shown with both values in words, also after the first that failed', () => {
  const e = evidence('clip-everything');
  e.output.container = 'avi';
  const { checks } = judge(e);
  assert.ok(checks.length >= 12);
  assert.ok(checks.every(({ original, output }) => original !== '' && output !== ''));
  assert.deepEqual(new Set(checks.map(({ name }) => name)).size, 15);
});

/** Each harms any output that was accepted; a number picks where. */
const harms: Record<string, (e: Evidence, pick: number) => boolean> = {
  'fewer streams': (e, pick) => e.output.streams.splice(pick % e.output.streams.length, 1).some((s) => s.kind !== 'data'),
  'another duration': (e, pick) => {
    e.output.durationMs! += (pick % 2 ? 1 : -1) * (2100 + pick);
    return true;
  },
  'other frames': (e, pick) => {
    e.outputFrames.frames += 1 + (pick % 50);
    return true;
  },
  'changed HDR': (e, pick) => {
    const output = filmStreams(e.output)[0]!;
    output.hdr = {
      kind: output.hdr?.kind === 'hdr10' ? 'hlg' : 'hdr10',
      dolbyVisionProfile: null,
      masteringDisplay: String(pick),
      contentLight: null,
    };
    return true;
  },
  'larger size': (e, pick) => {
    e.outputBytes = e.originalBytes + pick;
    return true;
  },
  'decode errors': (e, pick) => {
    e.decodeErrors = Array.from({ length: 1 + (pick % 3) }, () => 'error');
    return true;
  },
  'another picture size': (e, pick) => {
    filmStreams(e.output)[0]!.width += 2 + 2 * pick;
    return true;
  },
  'another language of sound': (e, pick) => {
    const sounds = e.output.streams.filter((s) => s.kind === 'audio');
    if (sounds.length > 0) sounds[pick % sounds.length]!.language = 'vol';
    return sounds.length > 0;
  },
};

test('no output is accepted that has fewer streams, another length, other HDR, more bytes, or any other harm', () => {
  const good = fc.constantFrom(...pairNames.filter((name) => !(name in badPairs)));
  fc.assert(
    fc.property(good, fc.constantFrom(...Object.keys(harms)), fc.nat(5000), (name, harm, pick) => {
      const e = evidence(name);
      fc.pre(harms[harm]!(e, pick));
      assert.equal(judge(e).accepted, false, `${name} with ${harm}`);
    }),
    { numRuns: 1000 },
  );
});

const samePiece = { atMs: 0, pictures: 25, shown: 25, difference: 1, worst: 2, elsewhere: 1, moved: 20, contrast: 40 };

function evidence(name: string): Evidence {
  const { plan, original, output, originalBytes, frames } = capturedPair(name);
  return {
    plan,
    original,
    output,
    // the clips are too short for their sizes to mean anything
    originalBytes,
    outputBytes: Math.floor(originalBytes / 2),
    profile: defaultProfile,
    originalFrames: { frames: frames[0], counted: 'decoded' },
    outputFrames: { frames: frames[1], counted: 'decoded' },
    decodeErrors: [],
    originalDecodeErrors: null,
    pictures: [samePiece],
  };
}

function codeOf(verdict: Verdict): string {
  return verdict.accepted ? 'accepted' : verdict.reason.code;
}

function failed(verdict: Verdict): string[] {
  return verdict.checks.filter(({ passed }) => !passed).map(({ name, original, output }) => `${name}: ${original} | ${output}`);
}
