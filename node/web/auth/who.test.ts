import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Right } from '../../core/access.ts';
import { mayDo, type Who } from './who.ts';

const all: Right[] = ['public', 'self', 'read', 'queue', 'admin', 'metrics', 'hook', 'host'];
const allowed = (who: Who): Right[] => all.filter((right) => mayDo(who, right));

test('21: the command line of the coordinating machine does everything, that of another one works on the queue and no more', () => {
  const here = allowed({ kind: 'host', remote: false, open: false });
  assert.deepEqual(here, ['public', 'read', 'queue', 'admin', 'metrics', 'hook', 'host']);
  assert.deepEqual(allowed({ kind: 'host', remote: true, open: false }), ['public', 'read', 'queue']);
});

test('where nobody has to sign in, another machine may what everybody may, but never make itself an admin', () => {
  const there = allowed({ kind: 'host', remote: true, open: true });
  assert.deepEqual(there, ['public', 'read', 'queue', 'admin', 'metrics', 'hook']);
});
