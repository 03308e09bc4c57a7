import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { absurdProbe, eagerProfile, likelyProbe } from '../testing/any-probe.ts';
import type { AttachmentStream, AudioStream, Disposition, Probe, Stream, SubtitleStream, VideoStream } from './media.ts';
import { filmStreams } from './media.ts';
import { makePlan, type WorkPlan } from './plan.ts';
import type { FileFacts } from './plan-rules.ts';
import type { Profile } from './profile.ts';
import { isReasonCode, sentence } from './reasons.ts';
import { judge, needsOriginalDecode, type Evidence } from './verdict.ts';

/**
 * What plan and verdict promise together, on films that nobody has: everything in the file is named; a faithful output is
 * accepted; whatever is taken from it afterwards is seen. The verdict's own tests do the same on real pairs.
 */
const RUNS = Number(process.env['CODECSHIFT_PROPERTY_RUNS'] ?? 400);

const facts: FileFacts = {
  path: 'Films/Metropolis.mkv',
  fingerprint: { sizeBytes: 1, mtimeMs: 1, inode: '1', links: 1, hash: 'x' },
  madeByUs: false,
  readOnly: false,
};

suite('a plan', () => {
  test('names every stream exactly once, kept or dropped for a reason', () => {
    let work = 0;
    check(
      fc.property(likelyProbe, eagerProfile, (probe, profile) => {
        const plan = makePlan(probe, facts, profile);
        assert.ok(isReasonCode(plan.reason.code));
        if (plan.action === 'skip') return;
        work++;
        const named = [...plan.streams, ...plan.dropped].map(({ index }) => index).toSorted((a, b) => a - b);
        assert.deepEqual(
          named,
          probe.streams.map(({ index }) => index),
        );
        assert.ok(plan.dropped.every(({ reason }) => isReasonCode(reason.code)));
        // only what the container says in another way may go: never a sound track, never a font
        const gone = plan.dropped.map(({ index }) => probe.streams.find((s) => s.index === index)!.kind);
        assert.ok(
          gone.every((kind) => kind === 'data' || kind === 'subtitle'),
          gone.join(),
        );
        for (const { index, action, codec } of plan.streams)
          if (action === 'copy') assert.equal(codec, probe.streams.find((s) => s.index === index)!.codec);
      }),
    );
    assert.ok(work > RUNS / 20, `only ${work} of ${RUNS} were work: this test says nothing`);
  });

  test('never flattens: no new encode of Dolby Vision, HDR10+, transparency, rich colour or captions', () => {
    check(
      fc.property(likelyProbe, eagerProfile, (probe, profile) => {
        const plan = makePlan(probe, facts, profile);
        if (plan.action !== 'transcode') return;
        const film = filmStreams(probe)[0]!;
        assert.ok(film.hdr === null || film.hdr.kind === 'hdr10' || film.hdr.kind === 'hlg');
        assert.ok(film.chroma === '4:2:0' || film.chroma === '4:0:0');
        assert.ok(!film.hasAlpha && !film.closedCaptions);
      }),
    );
  });

  test('never fails on a probe of absurd values, says why, and expects a size that can be stored', () => {
    check(
      fc.property(absurdProbe, eagerProfile, (probe, profile) => {
        const plan = makePlan(probe, facts, profile);
        assert.ok(sentence(plan.reason).length > 0);
        if (plan.action === 'skip') return;
        assert.ok(Number.isSafeInteger(plan.expectedBytes) && plan.expectedBytes >= 0, `expects ${plan.expectedBytes} bytes`);
      }),
    );
  });
});

suite('a verdict', () => {
  test('accepts the faithful output of any plan', () => {
    check(
      fc.property(likelyProbe, eagerProfile, (probe, profile) => {
        const e = evidenceFor(probe, profile);
        if (!e) return;
        const verdict = judge(e);
        assert.deepEqual(
          verdict.checks.filter(({ passed }) => !passed),
          [],
        );
        assert.equal(needsOriginalDecode(e), false);
      }),
    );
  });

  test('sees whatever is taken from a faithful output', () => {
    // of each kind so many that really struck: the rarest happens to one film in hundreds
    for (const [harm, strike] of Object.entries(harms))
      fc.assert(
        fc.property(likelyProbe, eagerProfile, fc.nat(1000), (probe, profile, pick) => {
          const e = evidenceFor(probe, profile);
          fc.pre(e !== null && strike(e, pick));
          const verdict = judge(e);
          assert.equal(verdict.accepted, false, `accepted an output with ${harm}`);
          assert.ok(!verdict.accepted && sentence(verdict.reason).length > 0);
        }),
        { numRuns: Math.ceil(RUNS / 250), maxSkipsPerRun: 5000 },
      );
  });

  test('never fails, and accepts nothing that is absurd', () => {
    const count = fc.record({ frames: fc.oneof(fc.nat(), fc.double()), counted: fc.constantFrom('packets' as const, 'decoded' as const) });
    check(
      fc.property(
        likelyProbe,
        absurdProbe,
        absurdProbe,
        eagerProfile,
        count,
        count,
        fc.double(),
        (good, before, after, profile, a, b, size) => {
          const plan = makePlan(good, facts, profile);
          if (plan.action === 'skip') return;
          for (const original of [good, before]) {
            const e: Evidence = {
              plan,
              profile,
              original,
              output: after,
              originalBytes: size,
              outputBytes: size / 2,
              originalFrames: a,
              outputFrames: b,
              decodeErrors: [],
              originalDecodeErrors: null,
            };
            needsOriginalDecode(e);
            assert.ok(judge(e).checks.length > 0);
          }
        },
      ),
    );
  });
});

function check<T>(property: fc.IProperty<T>, numRuns = RUNS): void {
  fc.assert(property, { numRuns });
}

/** What a perfect encoder and muxer would make of a plan; null when the plan is to leave the file alone. */
function evidenceFor(original: Probe, profile: Profile): Evidence | null {
  const plan = makePlan(original, facts, profile);
  if (plan.action === 'skip') return null;
  const output = { ...structuredClone(original), container: plan.container, streams: plan.streams.map((_, n) => made(plan, original, n)) };
  const remux = plan.action === 'remux';
  return {
    plan,
    profile,
    original,
    output,
    originalBytes: original.sizeBytes,
    outputBytes: remux ? original.sizeBytes : Math.floor(original.sizeBytes / 2),
    originalFrames: { frames: 1500, counted: 'packets' },
    outputFrames: { frames: 1500, counted: 'decoded' },
    decodeErrors: [],
    originalDecodeErrors: null,
    ...(remux
      ? { copied: { original: 'bits', output: 'bits', messages: filmStreams(original)[0]!.hdr?.kind === 'hdr10plus' } }
      : { pictures: [{ atMs: 0, pictures: 25, shown: 25, difference: 1, worst: 2, elsewhere: 1, moved: 20, contrast: 40 }] }),
  };
}

function made(plan: WorkPlan, original: Probe, index: number): Stream {
  const planned = plan.streams[index]!;
  const stream = structuredClone(original.streams.find((s) => s.index === planned.index)!);
  const output = { ...stream, index, codec: planned.codec };
  if (planned.action !== 'encode' || output.kind !== 'video') return output;
  const bitDepth = plan.video!.bitDepth;
  const fieldOrder = plan.video!.deinterlace ? 'progressive' : output.fieldOrder;
  return {
    ...output,
    bitDepth,
    fieldOrder,
    chroma: '4:2:0',
    codecProfile: bitDepth === 10 && planned.codec === 'hevc' ? 'Main 10' : 'Main',
  };
}

type Harm = (e: Evidence, pick: number) => boolean;

/** Picks one of the output's streams and changes it; false when there is none that it could be done to. */
const toOne =
  <T extends Stream>(
    which: (stream: Stream, e: Evidence) => stream is T,
    change: (stream: T, pick: number, e: Evidence) => unknown,
  ): Harm =>
  (e, pick) => {
    const all = e.output.streams.filter((stream): stream is T => which(stream, e));
    return all.length > 0 && change(all[pick % all.length]!, pick, e) !== false;
  };
const heard = (s: Stream): s is AudioStream | SubtitleStream => s.kind === 'audio' || s.kind === 'subtitle';
const named = (s: Stream): s is AudioStream | SubtitleStream | VideoStream =>
  heard(s) || (s.kind === 'video' && !s.disposition.includes('attached_pic'));
const isFilm = (s: Stream): s is VideoStream => s.kind === 'video' && !s.disposition.includes('attached_pic');
const isSound = (s: Stream): s is AudioStream => s.kind === 'audio';
const film = (change: (film: VideoStream, pick: number, e: Evidence) => unknown): Harm => toOne(isFilm, change);
/** What a track may be called: a transport stream knows only two of these words. */
const spokenIn = ({ output }: Evidence): Disposition[] =>
  output.container === 'mpegts' || output.container === 'm2ts'
    ? ['hearing_impaired', 'visual_impaired']
    : ['forced', 'comment', 'hearing_impaired', 'visual_impaired'];

const harms: Record<string, Harm> = {
  'a stream less': (e, pick) => e.output.streams.splice(pick % e.output.streams.length, 1).length > 0,
  'two streams swapped': (e, pick) => {
    const at = e.output.streams.findIndex((s, n) => n >= pick % e.output.streams.length && heard(s) && heard(e.output.streams[n + 1] ?? s));
    const [a, b] = [e.output.streams[at], e.output.streams[at + 1]];
    if (!a || !b || a.kind !== b.kind || (a.codec === b.codec && a.language === b.language) || a.codec === b.codec) return false;
    e.output.streams.splice(at, 2, b, a);
    return true;
  },
  'a sound track more': toOne(isSound, (s, _pick, e) => e.output.streams.push({ ...s, index: 99 })),
  'another codec': toOne(heard, (s) => (s.codec = 'speex')),
  'another language': toOne(named, (s) => (s.language = 'vol')),
  'another title': toOne(named, (s) => (s.title = 'another')),
  'a disposition less': toOne(heard, (s, pick, e) => {
    const there = spokenIn(e).filter((word) => s.disposition.includes(word));
    if (there.length === 0) return false;
    s.disposition = s.disposition.filter((word) => word !== there[pick % there.length]);
  }),
  'a disposition more': toOne(heard, (s, pick, e) => {
    const free = spokenIn(e).filter((one) => !s.disposition.includes(one));
    const word = free[pick % free.length];
    if (!word) return false;
    s.disposition = [...s.disposition, word];
  }),
  'fewer channels': toOne(isSound, (s) => (s.channels += 1)),
  'another sample rate': toOne(isSound, (s) => (s.sampleRate = 8000)),
  'sound out of step': toOne(isSound, (s, pick) => (s.startMs! += pick % 2 ? 300 : -300)),
  'a sound track cut short': toOne(isSound, (s) => (s.durationMs! -= 2500)),
  'a font of another name': toOne(
    (s): s is AttachmentStream => s.kind === 'attachment',
    (s) => (s.fileName = 'z'),
  ),
  'a chapter less': (e) => e.output.chapters.pop() !== undefined,
  'a chapter renamed': (e) => e.output.chapters.length > 0 && Boolean((e.output.chapters[0]!.title = 'another')),
  'a title lost': (e) => 'title' in e.original.tags && delete e.output.tags['title'],
  'another container': (e) => (e.output.container = 'avi') === 'avi',
  'another length': (e, pick) => (e.output.durationMs! += (pick % 2 ? 1 : -1) * (2100 + pick)) > 0,
  'a frame less': (e, pick) => (e.outputFrames.frames -= 1 + (pick % 9)) > 0,
  'a frame more': (e, pick) => (e.outputFrames.frames += 1 + (pick % 9)) > 0,
  'other bits than were to be copied': (e) => e.copied !== undefined && Boolean((e.copied.output = 'others')),
  'other pictures': (e) => e.pictures !== undefined && Boolean((e.pictures[0]!.difference = e.pictures[0]!.worst = 200)),
  'no picture to look at': (e) => e.pictures !== undefined && (e.pictures[0]!.pictures = 0) === 0,
  'decode errors': (e) => e.decodeErrors.push('invalid NAL unit') > 0,
  'no smaller size': (e, pick) => (e.outputBytes = Math.ceil(e.originalBytes * (e.plan.action === 'remux' ? 1.03 : 1)) + pick) > 0,
  'next to nothing in it': (e) => (e.outputBytes = Math.floor(e.originalBytes / 200)) >= 0,
  'HDR lost': film((s) => s.hdr !== null && ((s.hdr = null), true)),
  'HDR invented': film(
    (s) => s.hdr === null && ((s.hdr = { kind: 'hdr10', dolbyVisionProfile: null, masteringDisplay: null, contentLight: null }), true),
  ),
  'another kind of HDR': film((s) => s.hdr !== null && ((s.hdr = { ...s.hdr, kind: s.hdr.kind === 'hdr10' ? 'hlg' : 'hdr10' }), true)),
  'another mastering display': film((s) => s.hdr !== null && ((s.hdr = { ...s.hdr, masteringDisplay: 'G(0,0)' }), true)),
  'other light levels': film((s) => s.hdr !== null && ((s.hdr = { ...s.hdr, contentLight: '1,1' }), true)),
  'other primaries': film((s) => (s.color = { ...s.color, primaries: 'film' })),
  'another transfer curve': film((s) => (s.color = { ...s.color, transfer: 'linear' })),
  'another matrix': film((s) => (s.color = { ...s.color, space: 'fcc' })),
  'another range': film((s) => (s.color = { ...s.color, range: s.color.range === 'pc' ? 'tv' : 'pc' })),
  'turned pictures': film((s) => (s.rotation = (s.rotation + 90) % 360) >= 0),
  'other pixels': film((s) => (s.sampleAspectRatio = '7:5')),
  'another width': film((s) => (s.width += 2)),
  'other bits': film((s) => (s.bitDepth = 12)),
  'other chroma': film((s) => (s.chroma = '4:4:4')),
  'the old codec': film((s, _pick, e) => e.plan.action === 'transcode' && ((s.codec = 'mpeg4'), true)),
};
