import assert from 'node:assert/strict';
import { test } from 'node:test';
import { profileFields, profileProblems, wholeProfile } from './profile-fields.ts';
import { defaultProfile, type Profile } from './profile.ts';

test('every wish of a profile has exactly one field, and the defaults are lawful', () => {
  assert.deepEqual(profileFields.map((f) => f.key).toSorted(), Object.keys(defaultProfile).toSorted());
  assert.deepEqual(profileProblems(defaultProfile), []);
});

test('each unlawful wish is named with a sentence', () => {
  const wrong = {
    quality: 22.5,
    speed: 'warp',
    tenBit: 1,
    minSavingPercent: 91,
    alsoEfficient: ['av1', 'h264'],
    exclude: ['x'.repeat(301)],
    shoe: 42,
  };
  const problems = Object.fromEntries(profileProblems(wrong).map(({ key, problem }) => [key, problem]));
  assert.deepEqual(problems, {
    quality: 'must be a whole number',
    speed: 'must be fast, medium or slow',
    tenBit: 'must be on or off',
    minSavingPercent: 'must be 90 or less',
    alsoEfficient: 'may hold only av1, vp9 or vvc',
    exclude: 'has a pattern of more than 300 characters',
    shoe: 'is not part of a profile',
  });
  for (const value of [Number.NaN, Infinity, '22', null, undefined]) assert.equal(profileProblems({ quality: value }).length, 1);
});

test('a profile stored by an earlier version is completed by the defaults', () => {
  const old = { quality: 20 } as Profile;
  assert.deepEqual(wholeProfile(old), { ...defaultProfile, quality: 20 });
});
