import { convert, done, skip } from './reason-entry.ts';

/**
 * What is decided about a file before anything is done with it: that there is work, that it is as we want it, or that it
 * is left alone on purpose. Codes and sentences: see reasons.ts.
 */
export const fileReasons = {
  // why there is work
  'not-hevc': convert('Not HEVC yet', '{codec|codec}[ {height}p][ at {megabits} Mb/s] will become HEVC.'),
  'older-codec': convert('Older format', '{codec|codec} is an older format[ ({height}p)] and will become HEVC.'),
  'to-av1': convert('Not AV1 yet', '{codec|codec}[ {height}p][ at {megabits} Mb/s] will become AV1.', { profile: 'codec' }),
  rewrap: convert(
    'Re-wrap',
    'The pictures are HEVC already; {from|container} is not well liked by players and becomes {to|container}. Nothing is re-encoded.',
    { profile: 'remux' },
  ),

  // it is how we want it
  'already-hevc': done('Already HEVC', 'It is HEVC already.'),
  'already-av1': done('Already AV1', 'It is AV1 already.'),
  'hevc-stays': done(
    'HEVC stays',
    'It is HEVC, which is efficient already. This library makes AV1 of older formats only: a second encode would lose quality and win little.',
    { profile: 'codec' },
  ),
  'already-efficient-codec': done(
    'Efficient format',
    '{codec|codec} is at least as efficient as HEVC; this library counts it as finished.',
    { profile: 'alsoEfficient' },
  ),
  'made-by-us': done('Made by CodecShift', 'CodecShift made this file; it is never converted a second time.'),
  converted: done('Converted', 'CodecShift converted it[, {saved|size} smaller].'),
  replaced: done('Replaced', 'The original was replaced by its copy[, {saved|size} smaller].'),
  restored: done('Restored', 'A person put the original back; it will not be converted again by itself.'),

  // left alone on purpose: the wishes of the profile
  'already-efficient': skip(
    'Already efficient',
    'It spends only {bitsPerPixel} bits per pixel; below {limit} there is little to win and quality to lose.',
    { profile: 'minBitsPerPixel' },
  ),
  'too-small': skip('Too small', 'It is smaller than the {limitMb} MB this library asks for.', { profile: 'minSizeMb' }),
  'too-short': skip('Too short', 'It is shorter than the {limit|seconds} this library asks for.', { profile: 'minDurationSeconds' }),
  interlaced: skip('Interlaced', 'The picture is interlaced, and this library leaves such files alone.', { profile: 'interlaced' }),
  'hdr-skipped': skip('HDR', 'It is {kind}, and this library leaves HDR alone.', { profile: 'hdr' }),
  'hard-linked': skip('Hard-linked', 'The file has {links} names (seeding or snapshots); replacing one would free nothing.', {
    profile: 'hardLinked',
  }),
  'excluded-path': skip('Excluded path', 'Its path matches “{pattern}”, which this library excludes.', { profile: 'exclude' }),
  'not-included': skip('Not included', 'Its path matches none of the patterns that this library looks at.', { profile: 'include' }),
  'too-large': skip('Too large', 'It is larger than the {limitMb} MB up to which this library converts.', { profile: 'maxSizeMb' }),
  'too-young': skip(
    'Too new',
    'It was added or changed {age|seconds} ago; this library waits until a file is {limit|seconds} old. It is looked at again by itself then.',
    { profile: 'minAgeHours' },
  ),
  'excluded-by-person': skip('Excluded', 'It is left alone, as was wished[ by {by}].'),
  'protected-after-failures': skip('Protected', 'It failed {failures} times, so it is left alone until a person asks for it.'),
  cleared: skip('Taken off the queue', 'The queue was emptied[ by {by}]. “Scan now” brings it back.'),
  'library-disabled': skip('Library off', 'Its library is switched off.'),
  'library-looking': skip(
    'Only looked at',
    'Its library is only looked at so far: nothing is converted before a person says “Start converting”.',
  ),

  'multi-part': skip('In several parts', 'It is one film in {parts} files; converting one of them alone would spoil the whole.'),
  'not-in-source': skip('Not in the media server', '{source} does not list this file. It is looked at once {source} knows it.'),

  // left alone on purpose: what we can't do without losing something
  'dolby-vision': skip('Dolby Vision', 'It is Dolby Vision[ profile {profile}]; a new encode would lose it.'),
  hdr10plus: skip('HDR10+', 'It carries HDR10+ metadata for every scene; a new encode would lose it.'),
  'hdr10plus-unseen': skip(
    'Perhaps HDR10+',
    'It is HDR, and ffprobe {version} cannot see whether {codec|codec} carries HDR10+, which a new encode would lose. From ffmpeg 6.1 on it can be told.',
  ),
  chroma: skip('Rich colour', 'Its colour is stored as {chroma}; a new encode would halve it to 4:2:0.'),
  alpha: skip('Transparency', 'The picture has transparency, which a new encode would lose.'),
  'bit-depth': skip('Over 10 bits', 'It has {bitDepth} bits per colour; a new encode would keep only 10.'),
  'closed-captions': skip('Closed captions', 'Closed captions are inside the picture stream; a new encode could lose them.'),
  'lossless-source': skip('Master', '{codec|codec} is a lossless or mastering format; a master is never replaced by a smaller copy.'),
  'stereo-3d': skip('3D film', 'It is a 3D film[ ({layout})]; a new encode could lose the second eye.'),
  'several-videos': skip('Several films', 'There are {count} film streams in it, and only one can be converted safely.'),
  'stream-not-keepable': skip(
    'Stream can’t be kept',
    'Stream {index} ({codec|codec}[, {language|language}][, “{title}”]) can’t be kept in {container|container}; nothing is dropped, so the file stays as it is.',
  ),
  'odd-dimensions': skip('Odd size', 'The picture is {width}×{height}; a new encode needs even numbers and the picture must not be cut.'),
  'absurd-dimensions': skip('Unusual size', 'The picture is {width}×{height}, which is outside what encoders handle.'),
  turned: skip(
    'Turned picture',
    'Players turn its picture by {degrees}°; the copy would have to be {container|container}, which does not keep that.',
  ),
  'raw-stream': skip('Raw stream', 'It is a raw video stream without timestamps; they would have to be guessed.'),
  'no-duration': skip('No duration', 'The file does not say how long it is, so a copy could not be checked against it.'),
  'no-size': skip('No picture size', 'The file does not say how large its picture is.'),
  'name-taken': skip(
    'Name taken',
    'The name that it would get, “{name}”, is taken[: “{by}” becomes that]. Nothing is overwritten; one of the two needs another name.',
    { retry: true },
  ),
  'read-only': skip('Read-only', 'Its folder can’t be written to, so the file can’t be replaced.', { retry: true }),

  // it is not a film, or not one that we open
  'no-video': skip('No video', 'There is no video in it.'),
  'only-pictures': skip('Only pictures', 'Its only video is cover art; there is no film in it.'),
  'unknown-codec': skip('Unknown codec', 'Its video format[ ({codec})] is not one that CodecShift knows how to convert safely.'),
  'codec-not-allowed': skip('Codec not allowed', 'Its format[ {codec|codec}] is not on the list of those we open, for safety.'),
  'format-not-allowed': skip('Format not allowed', 'Its container[ {format}] is not on the list of those we open, for safety.'),
  'too-many-streams': skip('Too many streams', 'There are more streams in it than a film has[: {count}][, the limit is {limit}].'),
  'overlong-description': skip(
    'Overlong description',
    'What it says about itself is far longer than any film needs (tags, chapters), so it is not opened.',
  ),
  'still-encrypted': skip('Encrypted', 'It is copy-protected; its pictures can’t be read.'),
  'empty-file': skip('Empty', 'The file is empty (0 bytes).', { retry: true }),
  'not-media': skip('Not a film', 'It is not a film[: {message}].'),
  damaged: skip('Damaged', 'The file is damaged and can’t be read as a film[: {message}].'),
  'probe-timeout': skip(
    'Read too slowly',
    'Reading its description took too long[ (over {limit|seconds})]; it will be tried again at the next scan.',
    { retry: true },
  ),
  'probe-failed': skip('Could not be read', 'It could not be looked at[: {message}]; it will be tried again at the next scan.', {
    retry: true,
  }),
  unreadable: skip('Unreadable', 'It can’t be read[: {message}].', { retry: true }),
  symlink: skip(
    'Symbolic link',
    'It is a symbolic link[ to {target}]; links are not followed, so that no file outside the library is touched.',
  ),
  'name-not-utf8': skip(
    'Name not UTF-8',
    'Its name is not valid UTF-8, so it can’t be handed safely to other machines. Renaming it helps.',
  ),
  'name-too-long': skip('Name too long', 'Its name is {bytes} bytes long; no temporary name would fit beside it. A shorter name helps.'),
  'not-a-file': skip('Not a file', 'It is not an ordinary file.'),
  'outside-root': skip('Outside the library', 'The path leads outside the library, so it is not touched.'),
  'another-root': skip('Another library root', 'This folder is a library root of its own; its films belong to that one.'),
  'no-permission': skip('No permission', 'CodecShift may not read it[: {message}].', { retry: true }),
};
