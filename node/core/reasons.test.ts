import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { endReasons } from './end-reasons.ts';
import { fileReasons } from './file-reasons.ts';
import { defaultProfile } from './profile.ts';
import { isReasonCode, label, reason, reasonCodes, reasonEntry, sentence } from './reasons.ts';
import { waitReasons } from './wait-reasons.ts';

test('every code that any room gives is in the list', () => {
  const node = join(import.meta.dirname, '..');
  const unknown: string[] = [];
  for (const file of globSync('**/*.ts', { cwd: node })) {
    if (file.endsWith('.test.ts')) continue;
    const text = readFileSync(join(node, file), 'utf8');
    for (const [, code] of text.matchAll(/(?:(?<![\w.])code: |(?<![\w.])reason\()'([a-z0-9-]+)'/g))
      if (!isReasonCode(code)) unknown.push(`${file}: ${code}`);
  }
  assert.deepEqual(unknown, []);
});

test('no code stands in two tables, of which only one would count', () => {
  const tables = [fileReasons, waitReasons, endReasons].flatMap((table) => Object.keys(table));
  assert.deepEqual(tables, reasonCodes);
});

test('everything that the research names as a reason for skipping has its word', () => {
  const named = [
    'already-hevc',
    'already-efficient-codec',
    'already-efficient',
    'small-saving',
    'too-small',
    'too-short',
    'hdr-skipped',
    'dolby-vision',
    'hdr10plus',
    'no-able-encoder',
    'interlaced',
    'in-use',
    'hard-linked',
    'file-changed',
    'excluded-path',
    'excluded-by-person',
    'protected-after-failures',
    'read-only',
    'no-space',
  ];
  assert.deepEqual(
    named.filter((code) => !isReasonCode(code)),
    [],
  );
});

test('every reason has a short label and a sentence that stands without any parameter but those it always has', () => {
  for (const code of reasonCodes) {
    const { label: short, sentence: template } = reasonEntry(code);
    assert.match(code, /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
    assert.ok(short.length > 2 && short.length <= 24, `${code}: ${short}`);
    assert.match(template, /[.!?]\]?$/, code);
    assert.equal([...template].filter((c) => c === '[').length, [...template].filter((c) => c === ']').length, code);
    const formats = [...template.matchAll(/\|(\w+)\}/g)].map((m) => m[1]!);
    assert.deepEqual(
      formats.filter((f) => !['codec', 'container', 'language', 'size', 'percent', 'seconds'].includes(f)),
      [],
      code,
    );
  }
});

test('a reason that a profile field causes names a field that exists', () => {
  for (const code of reasonCodes) {
    const { profile } = reasonEntry(code);
    assert.ok(profile === null || profile in defaultProfile, code);
  }
});

test('labels tell reasons apart wherever a filter lists them', () => {
  const skips = reasonCodes.filter((code) => ['skip', 'done'].includes(reasonEntry(code).kind));
  assert.equal(new Set(skips.map((code) => reasonEntry(code).label)).size, skips.length);
});

test('a sentence is filled from parameters with human numbers and names', () => {
  assert.equal(sentence(reason('not-hevc', { codec: 'h264', height: 2160, megabits: 41.8 })), 'H.264 2160p at 41.8 Mb/s will become HEVC.');
  assert.equal(
    sentence(reason('no-space', { where: '/tmp', needed: 38_200_000_000, free: 999_600 })),
    'There is not enough free space in /tmp: 38.2 GB needed, 1.0 MB free.',
  );
  assert.equal(sentence(reason('too-short', { limit: 5400 })), 'It is shorter than the 1.5 h this library asks for.');
  assert.equal(
    sentence(reason('small-saving', { saved: 4.26, limit: 10 })),
    'The copy would be only 4.3 % smaller; this library asks for 10 %.',
  );
});

test('a part in brackets is left out when one of its parameters is missing', () => {
  assert.equal(sentence(reason('ffmpeg-failed')), 'ffmpeg ended with an error.');
  assert.equal(sentence(reason('ffmpeg-failed', { message: 'no such filter' })), 'ffmpeg ended with an error: no such filter.');
  assert.equal(sentence(reason('not-hevc', { codec: 'h264', height: null })), 'H.264 will become HEVC.');
});

test('a message that is a sentence of its own does not end in two full stops', () => {
  assert.match(sentence({ code: 'unreadable', params: { message: 'The node p cannot be reached.' } }), /: The node p cannot be reached\.$/);
  assert.match(sentence({ code: 'unreadable', params: { message: 'no such file' } }), /: no such file\.$/);
});

test('a code of another version shows as words', () => {
  assert.equal(label({ code: 'moon-too-bright' }), 'Moon too bright');
  assert.equal(sentence({ code: 'moon-too-bright' }), 'Moon too bright. (This version of CodecShift has no better words for it.)');
  assert.equal(reasonEntry('moon-too-bright').retry, false);
});

test('codes named like parts of JavaScript objects are strangers too', () => {
  for (const code of ['constructor', '__proto__', 'toString', '']) {
    assert.equal(isReasonCode(code), false);
    assert.equal(typeof sentence({ code }), 'string');
  }
});

test('untrusted text can’t break out of its sentence', () => {
  const text = sentence(reason('ffmpeg-failed', { message: `a\u202eb\u0000c\n{exit}[x]${'z'.repeat(1000)}` }));
  assert.doesNotMatch(text, /[\u202e\p{Cc}]/u);
  assert.ok(text.includes('{exit}[x]') && text.length < 360);
});

test('no parameters whatever make a sentence throw or blank', () => {
  const params = fc.dictionary(
    fc.constantFrom('codec', 'message', 'limit', 'output', 'original', 'constructor'),
    fc.oneof(fc.string(), fc.double()),
  );
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom<string>(...reasonCodes), fc.string()), params, (code, some) =>
      assert.notEqual(sentence({ code, params: some }).trim(), ''),
    ),
  );
});
