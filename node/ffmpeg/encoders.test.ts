import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { codecOf, encoderNames, type EncoderName } from '../core/encoder-choice.ts';
import type { VideoStream } from '../core/media.ts';
import { everyFfmpeg } from '../testing/ffmpeg-tools.ts';
import { encodeArguments, type ArgumentsInput } from './args.ts';
import { encodeCases, film } from '../testing/encode-cases.ts';
import { av1Crf, encoderArguments, encoderRows, type EncoderWish } from './encoders.ts';
import { safeGlobals, safeInput } from './sandbox.ts';

/** Set to "write", the golden files are made anew from what the code does: look at the difference before you commit it. */
const rewrite = process.env['CODECSHIFT_GOLDEN'] === 'write';

describe('the exact arguments of each encoder', () => {
  for (const name of encoderNames) {
    test(`are those of golden/${name}.txt`, () => {
      const made = Object.entries(encodeCases(name))
        .map(([about, job]) => `# ${about}\n${line(job)}\n`)
        .join('\n');
      const file = join(import.meta.dirname, 'golden', `${name}.txt`);
      if (rewrite) writeFileSync(file, made);
      assert.equal(made, readFileSync(file, 'utf8'));
    });
  }
});

/** The lists against hostile media are the same for each and tested elsewhere. */
function line(job: ArgumentsInput): string {
  return encodeArguments(job).join(' ').replace(safeGlobals.join(' '), '…').replace(safeInput.join(' '), '…');
}

/** Options of every encoder in ffmpeg, which its own list does not name. */
const general = new Set(['b', 'bf', 'q', 'global_quality', 'profile']);

for (const { name: build, tools } of await everyFfmpeg()) {
  describe(`the options that we use exist in ${build}`, () => {
    for (const name of encoderNames) {
      const help = execFileSync(tools.ffmpeg.path, ['-hide_banner', '-h', `encoder=${name}`], { encoding: 'utf8' });
      const known = optionsOf(help);
      const skip = /^Encoder /m.test(help) ? false : `this ffmpeg was built without ${name}`;
      test(name, { skip }, () => {
        for (const [option, value] of optionsUsed(name)) {
          if (general.has(option) && !known.has(option)) continue;
          const words = known.get(option);
          assert.ok(words, `-${option} is no option of ${name}`);
          // 10 bit came to AMF with ffmpeg 7.1: before, its test encode says so and the films go elsewhere
          if (name === 'hevc_amf' && value === 'main10') continue;
          if (Number.isNaN(Number(value)) && words.size > 0) assert.ok(words.has(value), `-${option} ${value} of ${name}`);
        }
      });
    }
  });
}

/** Options by name, each with the words that it takes; none where it takes any text or number. */
function optionsOf(help: string): Map<string, Set<string>> {
  const options = new Map<string, Set<string>>();
  let words = new Set<string>();
  for (const text of help.split('\n')) {
    const option = /^ {2}-([\w-]+) +<\w+>/.exec(text)?.[1];
    if (option) options.set(option, (words = new Set()));
    const word = /^ {5}(\S+)/.exec(text)?.[1];
    if (word) words.add(word);
  }
  return options;
}

/** Every name and value over all speeds, depths and devices. */
function optionsUsed(name: EncoderName): Set<[string, string]> {
  const used = new Set<[string, string]>();
  const hdr10 = (film.hdr as VideoStream['hdr']) ?? null;
  for (const speed of ['fast', 'medium', 'slow'] as const)
    for (const bitDepth of [8, 10] as const) {
      const wish: EncoderWish = { quality: 22, speed, bitDepth, hdr10 };
      const args = encoderArguments({ name, device: name.endsWith('_nvenc') ? '1' : null, bFrames: true }, wish, 0);
      for (let i = 0; i < args.length; i += 2) {
        const option = args[i]!.replace(/^-|:0$/g, '');
        if (option !== 'c' && option !== 'pix_fmt') used.add([option, args[i + 1]!]);
      }
    }
  return used;
}

test('each encoder says what it makes and whether it is hardware', () => {
  for (const name of encoderNames) {
    assert.equal(encoderRows[name].codec, codecOf(name));
    assert.equal(encoderRows[name].hardware, !name.startsWith('lib'));
  }
});

test('a better wish never gives a coarser number, on any encoder’s scale, and every number is one that the encoder takes', () => {
  for (const name of encoderNames) {
    let last = -Infinity;
    for (let quality = 14; quality <= 34; quality += 0.5) {
      const args = encoderArguments({ name, device: null }, { quality, speed: 'medium', bitDepth: 10 }, 0);
      const at = args.findIndex((a) => /^-(crf|cq|global_quality|qp|qp_i|q):0$/.test(a));
      const number = Number(args[at + 1]) * (args[at] === '-q:0' ? -1 : 1);
      assert.ok(number >= last, `${name} at ${quality}`);
      last = number;
    }
  }
  for (const quality of [14, 18, 22, 28, 34]) assert.ok(av1Crf(quality) >= 1 && av1Crf(quality) <= 63);
});
