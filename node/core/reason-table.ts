import type { Profile } from './profile.ts';
import type { ReasonEntry, ReasonKind } from './reasons.ts';

/**
 * The closed list of reasons. Add here first; never rename a code (rows keep it for years), never reuse one.
 * Sentences say what was found and, where it matters, what happens next.
 */
export const reasonTable = {
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
  'not-media': skip('Not a film', 'It has the name of a film, but it is not one[: {message}].'),
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

  // goes on by itself
  settling: wait('Still being written', 'It is still growing or very new; it is looked at again soon.'),
  queued: wait('Waiting', 'It waits in the queue.'),
  paused: wait('Paused', 'Work is paused[ by {by}].'),
  'outside-schedule': wait('Outside schedule', 'It waits until the schedule allows work[: {until}].', { setting: 'schedule' }),
  'waiting-for-node': wait('Waits for a node', 'No node that could do it is free or here.'),
  'no-able-encoder': wait('No able encoder', 'No node here has an encoder for it[ ({bitDepth} bits)][ as this library asks: {wish}].', {
    profile: 'encoder',
  }),
  'no-encoder': wait('No encoder', 'This node has no working[ {codec|codec}] encoder for it[ ({bitDepth} bits)][ that keeps {hdr}].', {
    profile: 'encoder',
  }),
  'no-hardware-encoder': wait(
    'No hardware encoder',
    'This library asks for hardware, and this node has no working hardware encoder for it[ ({bitDepth} bits)][ that makes {codec|codec}][ that keeps {hdr}].',
    { profile: 'encoder' },
  ),
  'retry-later': wait('Tries again later', 'An attempt failed; it is tried again[ at {at}][; the reason was: {message}].'),
  'in-use': wait('In use', 'Somebody is watching or reading it right now; it is tried again later.', { retry: true }),
  playing: wait('Being watched', '{who} {how} it[ on {source}]; it is replaced once nobody does.', { retry: true }),
  'watched-lately': wait(
    'Watched lately',
    'It was played on {source} a moment ago; it is replaced {minutes} minutes after nobody plays it any more.',
    { retry: true, setting: 'safety' },
  ),
  'use-unknown': wait(
    'Use unknown',
    'Whether anybody watches it could not be learnt[ from {source}][: {message}]; it is replaced once that is known.',
    {
      retry: true,
    },
  ),
  'no-space': wait('Not enough space', 'There is not enough free space[ in {where}][: {needed|size} needed, {free|size} free].', {
    retry: true,
  }),
  missing: wait('Missing', 'It was here before and is gone now; its history is kept in case it returns.'),
  'root-not-mounted': wait(
    'Not mounted',
    'The library’s folder[ {path}] is not there; perhaps the disk is not mounted. Nothing was forgotten.',
    { retry: true },
  ),
  'keeper-away': wait('Library machine away', 'The machine that holds the file is not reachable.', { retry: true }),
  'keeper-unproved': wait(
    'Disk not proved',
    'The library’s disk is reachable only on a machine where it was not yet shown to be the same disk and not a copy.',
    { retry: true },
  ),

  // why one machine does not take it
  'node-away': wait('Machine away', '{node} is not reachable now.'),
  'node-paused': wait('Machine paused', '{node} is paused.'),
  'node-draining': wait('Machine draining', '{node} finishes what it has and begins nothing new.'),
  'on-battery': wait('On battery', 'Paused: on battery[ ({percent|percent})]. Goes on when plugged in.'),
  'too-hot': wait('Too hot', 'Paused: too hot[ ({celsius} °C)]. Goes on when it has cooled down.'),
  'machine-in-use': wait('In use', 'Paused: somebody uses this machine. Goes on {minutes} minutes after the last touch.'),
  'machine-shared': wait(
    'One at once',
    'Only one encode at once while somebody uses this machine, until {minutes} minutes after the last touch.',
  ),
  'after-hours': wait('Outside its hours', 'Paused: outside its hours ({hours}).[ Goes on {opens}.]'),
  'finishing-hours': wait('Outside its hours', 'Outside its hours ({hours}): what runs is finished, nothing new begins[ before {opens}].'),
  'one-at-once': wait(
    'In use',
    'Paused: somebody uses this machine, so only one encode goes on. Goes on {minutes} minutes after the last touch.',
  ),
  'outside-hours': wait('Outside its hours', '{node} works {hours}[; it begins again {opens}].'),
  'no-encoder-here': wait('No encoder here', '{node} has no working encoder for it; {needs} is needed.', { profile: 'encoder' }),
  'encoder-benched': wait(
    'Encoder benched',
    '{encoder}[ on {node}] made {bad} bad copies among its last {outputs}[, the last one: {cause}], so it is not used for now.',
  ),
  'no-trusted-encoder': wait(
    'Encoder benched',
    '{node} has no encoder for it that may be used now: {encoders} made bad copies there and waits for another chance.',
  ),
  'left-for-second-look': wait(
    'Left for another',
    'Left for {node}, so that this machine, which has the library, can check what another made.',
  ),
  'device-busy': wait('Device busy', 'Every device that may encode it is taken; it begins as soon as one is free.'),
  'measuring-first': wait('Measuring first', 'Its next free slot measures a few films first, as a person asked.'),
  'ffmpeg-refused': wait(
    'ffmpeg refused',
    'No film is opened on this machine[: {says}]. Install a newer ffmpeg there, or allow this one by starting CodecShift with --allow-vulnerable-ffmpeg.',
    { retry: true },
  ),
  'no-slots': wait('Encodes nothing', '{node} is set to encode nothing.'),
  'all-slots-busy': wait('Busy', '{node} is busy[: all of its slots ({slots}) are taken].'),
  'better-elsewhere': wait(
    'Sooner elsewhere',
    'It is left to {better}, where it will be finished in {there|seconds} instead of {here|seconds} on {node}.',
  ),
  'fetch-later': wait('Not fetched early', 'So few files wait that none is fetched early: whichever machine is free first takes it.', {
    setting: 'network',
  }),
  'fetch-off': wait('Not fetched early', 'Files are not fetched early, as the settings wish.', { setting: 'network' }),
  'swap-unfinished': wait(
    'Not finished yet',
    'The disk did not let the replacement be finished or taken back[: {message}]. Nothing is lost: both files are kept, and it goes on as soon as the disk lets it.',
    { retry: true },
  ),
  'not-coordinator': wait('Not the coordinator', 'This machine does not coordinate now; the one that does is asked instead.', {
    retry: true,
  }),
  'database-away': wait('Database away', 'The database is not reachable; finished work is kept and handed in later.', { retry: true }),
  'shutting-down': wait('Stopping', 'CodecShift is stopping; the job goes on after the next start.', { retry: true }),

  // needs a person
  'root-is-another': hold(
    'Another disk',
    'Another disk or folder is mounted in its place[ ({path})]; it is not the library we knew, so nothing is touched.',
  ),
  'node-pending': hold('Waits for approval', '{node} waits until a person approves it.'),
  'node-rejected': hold('Not let in', '{node} was not let into this cluster.'),
  'node-revoked': hold('Removed machine', '{node} was removed from this cluster.'),
  'root-damaged': hold(
    'Marker damaged',
    'The file[ {path}] that says which library this is can’t be read, so nothing is touched until it is put back or removed.',
  ),
  'root-refused': hold('Not a film folder', '{path} {why}.'),
  'source-damaged': hold(
    'Original damaged',
    'The original itself has errors[: {message}]; no copy of it could be checked. It stays as it is.',
  ),
  'locked-by-another': hold('Locked by another', 'Another program or node has locked the file[ since {since}][ ({owner})].', {
    retry: true,
  }),
  'target-exists': hold('Name taken', 'There is already a file called “{name}”, and it is not overwritten.'),
  'foreign-file': hold('Not ours', 'A temporary-looking file lies beside it that CodecShift did not make[: {name}].'),
  'not-enough-trust': hold('Needs a look', 'The copy could not be proved equal[: {message}]; a person should look.'),
  'swap-removed': hold(
    'Removed in the middle',
    '{node} was putting the new file into place and was removed before it said how that ended. The film under the name is whole, and the original is there or in the trash folder of that disk. It is finished when {node} comes back; if it never does, cancel it here and scan the library.',
  ),
  'swap-unclear': hold(
    'Swap unclear',
    'A replacement was interrupted, and recovery would have to guess[: {message}]. Both files are kept.',
  ),

  // an output was made, and the original stays
  'small-saving': keep('Saving too small', 'The copy would be only {saved|percent} smaller; this library asks for {limit|percent}.', {
    profile: 'minSavingPercent',
  }),
  'not-smaller': keep('Not smaller', 'The copy came out no smaller than the original[ ({output|size} against {original|size})].', {
    profile: 'quality',
  }),
  'output-too-large': keep(
    'Grew too large',
    'The copy grew past the size at which it would be worth it[ ({limit|size})], so the encode was stopped.',
    { profile: 'minSavingPercent' },
  ),
  'suspiciously-small': keep(
    'Suspiciously small',
    'The copy is only {percent|percent} of the original; that is too little to be believed.',
  ),
  'container-differs': keep('Wrong container', 'The copy is {output|container}, planned was {planned|container}.'),
  'video-differs': keep('Wrong video', 'The copy’s video is {output}, planned was {planned}.'),
  'decode-errors': keep('Errors in the copy', 'The copy does not decode cleanly[: {message}].', { retry: true }),
  'duration-differs': keep('Duration differs', 'The copy lasts {output|seconds}, the original {original|seconds}.', { retry: true }),
  'frames-differ': keep('Frames differ', 'The copy has {output} frames, the original {original}.', { retry: true }),
  'pictures-differ': keep('Pictures differ', 'The copy does not show what the original shows[ at {at}][: {message}].', { retry: true }),
  'streams-differ': keep('Streams differ', 'The copy’s {kind} are not those of the original: {output} instead of {original}.'),
  'attachments-differ': keep('Attachments differ', 'The copy’s attachments are not those of the original: {output} instead of {original}.'),
  'chapters-differ': keep('Chapters differ', 'The copy’s chapters are not those of the original: {output} instead of {original}.'),
  'tags-differ': keep('Tags differ', 'The copy lost what the file says about itself: {output} instead of {original}.'),
  'colour-differs': keep('Colour differs', 'The copy’s colour description is {output}, the original’s {original}.'),
  'hdr-differs': keep('HDR differs', 'The copy’s HDR description is {output}, the original’s {original}.'),
  'geometry-differs': keep('Picture shape differs', 'The copy’s picture is {output}, the original’s {original}.'),
  'sync-differs': keep('Sound out of step', 'Sound and picture start {output} ms apart in the copy, {original} ms in the original.'),
  'quality-too-low': keep('Quality too low', 'The copy scored {output} against the original; {limit} is asked.', { profile: 'quality' }),
  'file-changed': keep('File changed', 'The file changed while it was worked on; it is looked at again.', { retry: true }),
  'original-gone': keep('File gone', 'The original was moved or deleted while it was worked on.'),

  // something broke
  'ffmpeg-failed': fail('ffmpeg failed', 'ffmpeg ended with an error[ ({exit})][: {message}].', { retry: true }),
  'ffmpeg-missing': fail('No ffmpeg', 'ffmpeg was not found or can’t be started[: {message}].', { retry: true, setting: 'ffmpeg' }),
  'encoder-failed': fail('Encoder failed', 'The encoder[ {encoder}][ on {device}] could not be used[: {message}].', {
    retry: true,
    profile: 'encoder',
  }),
  stalled: fail('Stalled', 'The encode made no progress for {seconds|seconds} and was stopped.', { retry: true }),
  timeout: fail('Took too long', 'It took too long[ (over {limit|seconds})] and was stopped.', { retry: true }),
  'out-of-memory': fail('Out of memory', 'The encode was stopped because memory ran out.', { retry: true }),
  'disk-full': fail('Disk full', 'The disk ran full[ ({where})].', { retry: true }),
  'input-output-error': fail('Disk error', 'Reading or writing failed[: {message}].', { retry: true }),
  'source-unreachable': fail('Could not fetch', 'The file could not be fetched from its library[: {message}].', { retry: true }),
  'ticket-refused': fail('Not handed out', 'The machine that holds the file did not hand it out[: {why}].', { retry: true }),
  'delivery-failed': fail('Delivery failed', 'The copy could not be handed to the library’s machine[: {message}].', { retry: true }),
  'hash-mismatch': fail('Damaged on the way', 'The copy arrived different from how it was sent; it was thrown away.', { retry: true }),
  'swap-failed': fail('Could not replace', 'The original could not be replaced[: {message}]; it is untouched.', { retry: true }),
  'verify-failed': fail('Could not check', 'The copy could not be checked[: {message}].', { retry: true }),
  'restore-failed': fail('Could not restore', 'The original could not be put back[: {message}]; both files are kept.', { retry: true }),
  'source-away': fail('Media server away', '{source} does not answer[: {message}].', { retry: true }),
  'source-refuses': fail('Sign in again', '{source} no longer accepts the sign-in. Sign in again on its page.'),
  'source-is-another': fail('Another server', 'Another server answers at the address of {source}; it was told nothing.'),
  'source-odd': fail('Odd answer', '{source} gave an answer that makes no sense[: {message}].', { retry: true }),
  'source-listing-old': note('Older listing', '{source} could not be asked[: {message}]; what it listed {ago|seconds} ago was used.'),
  'source-library-gone': note(
    'Not offered any more',
    '{source} does not offer the library “{library}” any more; what it listed last was used.',
  ),
  'source-told-only': note('Told', '{source} was told and took the message; it has no entry of this file that could be read back.'),
  'source-new-entry': note(
    'New entry',
    '{source} took the new file for a new film: what it knew of the old one (watched, added) is not with it.',
  ),
  'source-entry-changed': note('Entry changed', '{source} shows the new file, but {message}.'),
  'source-off': note('Switched off', '{source} is switched off here, so it was not told.'),
  'source-unmapped': fail('Path unknown', '{source} says “{path}”, and no library here is known under that path.'),
  'source-unconfirmed': fail('Not confirmed', '{source} was told of the new file but still shows the old one.', { retry: true }),
  'secret-lost': fail('Secret lost', 'The stored sign-in cannot be opened with the key of this machine. Enter it again.'),
  'address-forbidden': fail('Address not allowed', 'Nothing is asked at {address}: no media server can be there.'),
  'scan-failed': fail('Scan failed', 'The library could not be scanned[: {message}].', { retry: true }),
  'session-lost': fail(
    'Encoder session lost',
    'The encoder[ {encoder}] lost its session while it stood still[: {message}]; the job starts again.',
    { retry: true },
  ),
  'machine-slept': fail('Machine slept', 'The machine slept in the middle, and the encode did not survive it; the job starts again.', {
    retry: true,
  }),
  'cleanup-failed': fail('Clean-up stopped', 'The clean-up stopped[: {message}].', { retry: true }),
  'lost-node': fail('Node lost', 'The node[ {node}] went silent; the job goes to another attempt.', { retry: true }),
  'came-back': fail(
    'Machine was away',
    'Its machine was silent for too long and came back later; the film is not to blame, so it counts as no failure.',
    { retry: true },
  ),
  'lease-lost': fail('Lease lost', 'The node lost its right to this attempt, so its result was not used.', { retry: true }),
  interrupted: fail('Interrupted', 'The program stopped in the middle; the job starts again.', { retry: true }),
  'shut-down': fail('Shut down', 'The node was shut down; the job starts again elsewhere or later.', { retry: true }),
  'cancelled-by-person': fail('Cancelled', 'Cancelled[ by {by}].'),
  superseded: fail('Overtaken', 'Something newer made this job needless[: {message}].'),
  'internal-error': fail('Our mistake', 'CodecShift made a mistake[: {message}]; the file is untouched.', { retry: true }),

  // to be known about one stream
  'styling-lost': note('Styling lost', '{from|codec} becomes {to|codec}: the words and times stay, colours and positions are lost.'),
  'container-changes': note(
    'Other container',
    '{from|container} can’t hold the new film with everything in this file; the copy is {to|container}.',
  ),
  'timecode-regenerated': note('Timecode', 'The timecode track is made anew from the file’s timecode.'),
  'timecode-as-tag': note('Timecode', 'The timecode track is kept as a tag.'),
  'chapter-track': note('Chapters', 'It only names the chapters, and those are kept as chapters.'),
  'disc-navigation': note('Disc navigation', 'It holds the jumps of a disc menu, which mean nothing outside the disc.'),
  'padded-to-ten': note('10 bit', 'Encoded with 10 bits for smoother dark scenes.', { profile: 'tenBit' }),
  'goal-too-short': note('Too short to measure', 'The film is too short to try settings on pieces of it.'),
  'goal-not-measured': note('Could not be measured', 'Pieces of the film could not be tried[: {message}].'),
  deinterlaced: note('Deinterlaced', 'The interlaced picture becomes progressive.', { profile: 'interlaced' }),
};

interface More {
  retry?: boolean;
  profile?: keyof Profile;
  setting?: string;
}

type Made = (label: string, sentence: string, more?: More) => ReasonEntry;

// function declarations are hoisted, so the table can stand first
function convert(...a: Parameters<Made>): ReasonEntry {
  return entry('convert', ...a);
}
function done(...a: Parameters<Made>): ReasonEntry {
  return entry('done', ...a);
}
function skip(...a: Parameters<Made>): ReasonEntry {
  return entry('skip', ...a);
}
function keep(...a: Parameters<Made>): ReasonEntry {
  return entry('keep', ...a);
}
function hold(...a: Parameters<Made>): ReasonEntry {
  return entry('hold', ...a);
}
function wait(label: string, sentence: string, more: More = {}): ReasonEntry {
  return entry('wait', label, sentence, { retry: true, ...more });
}
function fail(...a: Parameters<Made>): ReasonEntry {
  return entry('fail', ...a);
}
function note(...a: Parameters<Made>): ReasonEntry {
  return entry('note', ...a);
}

function entry(kind: ReasonKind, label: string, sentence: string, more: More = {}): ReasonEntry {
  return {
    kind,
    label,
    sentence,
    retry: more.retry ?? false,
    profile: more.profile ?? null,
    setting: more.setting ?? null,
  };
}
