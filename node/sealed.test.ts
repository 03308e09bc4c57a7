import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { createSealer } from './sealed.ts';

const lost = { name: 'PlainError', message: /Enter it again/, reason: { code: 'secret-lost' } };

describe('sealed secrets', () => {
  test('24: one that was moved to another row, changed, cut, or belongs to another key is asked for again, and is never read', () => {
    const sealer = createSealer(randomBytes(32));
    const [one, two] = [sealer.seal('source/1', 'token of one'), sealer.seal('source/2', 'token of two')];
    assert.equal(sealer.open('source/1', one), 'token of one');
    assert.ok(!one.includes('token') && !Buffer.from(one).toString('base64').includes('token'));
    assert.notEqual(sealer.seal('source/1', 'token of one'), one, 'the same secret never looks the same');
    assert.throws(() => sealer.open('source/1', two), lost, 'swapped rows');
    assert.throws(() => createSealer(randomBytes(32)).open('source/1', one), lost, 'another key');
    for (let at = 0; at < one.length; at++) {
      const changed = one.slice(0, at) + (one[at] === 'A' ? 'B' : 'A') + one.slice(at + 1);
      // the last sign of base64 holds bits that mean nothing
      const opened = ((): string | null => {
        try {
          return sealer.open('source/1', changed);
        } catch {
          return null;
        }
      })();
      assert.ok(opened === null || opened === 'token of one', `a changed sign ${at} gave ${opened}`);
    }
    for (const cut of ['', 's1', one.slice(0, -8), one.split('.').slice(0, 3).join('.'), `s2${one.slice(2)}`, 'token of one'])
      assert.throws(() => sealer.open('source/1', cut), lost, cut);
    assert.throws(() => createSealer(randomBytes(16)), RangeError, 'a key of another length is no key');
  });
});
