import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlainError } from '../errors.ts';
import { findPlace, placeLines, sentLines, type PlaceAnswer } from './notify.ts';

const phone: PlaceAnswer = {
  ...{ id: 1, kind: 'ntfy', name: 'Phone', place: 'https://ntfy.sh', events: ['job.failed'], enabled: true },
  ...{ failingSince: null, lastAnswer: '', lastSentAt: '2026-11-30T09:00:00.000Z' },
};

test('the list says in a word how each place stands', () => {
  const failing = { ...phone, name: 'Attic\u202e', failingSince: '2026-11-30T08:00:00.000Z', lastAnswer: 'ntfy refused it.' };
  assert.deepEqual(placeLines([phone, failing, { ...phone, name: 'Off', enabled: false }, { ...phone, lastSentAt: null }]).split('\n'), [
    '* Phone: works, last told 2026-11-30T09:00:00.000Z, ntfy, https://ntfy.sh, 1 kind of events',
    String.raw`! Attic\u{202e}: failing since 2026-11-30T08:00:00.000Z, ntfy, https://ntfy.sh, 1 kind of events`,
    '    ntfy refused it.',
    '- Off: switched off, ntfy, https://ntfy.sh, 1 kind of events',
    '* Phone: nothing was sent yet, ntfy, https://ntfy.sh, 1 kind of events',
  ]);
  assert.match(placeLines([]), /Nobody is told anything yet/);
});

test('a place is found by its name in any case, and a wrong name says the right ones', () => {
  assert.equal(findPlace([phone], 'PHONE').id, 1);
  assert.throws(
    () => findPlace([phone], 'x'),
    (error) => error instanceof PlainError && /Known: Phone\./.test(error.message),
  );
  assert.throws(() => findPlace([phone], undefined), /Say which place/);
});

test('the log is one line a message', () => {
  const sent = { target: 1, title: 'A test', state: 'sent', answer: 'ntfy took it.', createdAt: '2026-11-30T09:00:00.000Z' };
  assert.equal(sentLines([sent], [phone]), '2026-11-30T09:00:00.000Z  A test → Phone: sent. ntfy took it.');
});
