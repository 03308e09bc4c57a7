import { wait } from './reason-entry.ts';

/** Why something does not go on now and will by itself, for a film and for a machine. Codes and sentences: see reasons.ts. */
export const waitReasons = {
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
  missing: wait('Missing', 'It was here before and is gone now; its history is kept for a year in case it returns.'),
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
};
