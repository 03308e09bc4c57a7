import { keep, hold, fail, note } from './reason-entry.ts';

/**
 * How work ended otherwise than well: a person is needed, the original stays, something broke; and what is to be known
 * although nothing is amiss. Codes and sentences: see reasons.ts.
 */
export const endReasons = {
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
