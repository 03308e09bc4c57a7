import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareVersions, fitOf, versionNote, whyApart, whyIdle, type Program } from './compatibility.ts';

const program = (version: string, min: number, max: number): Program => ({ version, speaks: { min, max } });
const range = fc.tuple(fc.nat(50), fc.nat(50)).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) }));
const any = fc.record({ version: fc.oneof(fc.string(), fc.constantFrom('0.1.0', '0.2.0', '1.0.0-rc.1')), speaks: range });

test('two programs work together when there is a protocol that both speak, whatever their versions are called', () => {
  assert.equal(fitOf(program('0.3.0', 1, 2), program('0.1.0', 1, 1)), 'older');
  assert.equal(fitOf(program('0.1.0', 1, 1), program('0.3.0', 1, 2)), 'newer');
  assert.equal(fitOf(program('0.3.0', 2, 3), program('0.3.0', 2, 3)), 'same');
  assert.equal(fitOf(program('0.3.0', 2, 3), program('0.9.0', 1, 1)), 'too-old');
  assert.equal(fitOf(program('0.9.0', 1, 1), program('0.3.0', 2, 3)), 'too-new');
});

test('both sides come to the same judgement, in the same words, and name the same machine to upgrade', () => {
  const mirrored = { same: 'same', older: 'newer', newer: 'older', 'too-old': 'too-new', 'too-new': 'too-old' };
  fc.assert(
    fc.property(any, any, (a, b) => {
      assert.equal(fitOf(b, a), mirrored[fitOf(a, b)]);
      assert.equal(whyApart({ ...a, name: 'a' }, { ...b, name: 'b' }), whyApart({ ...b, name: 'b' }, { ...a, name: 'a' }));
      const share = Math.max(a.speaks.min, b.speaks.min) <= Math.min(a.speaks.max, b.speaks.max);
      assert.equal(whyApart({ ...a, name: 'a' }, { ...b, name: 'b' }) === null, share);
    }),
  );
});

test('a machine that cannot work says which versions meet, which machine to upgrade, and that nothing is lost', () => {
  const [old, young] = [program('0.1.0', 1, 1), program('0.3.0', 2, 3)];
  assert.equal(
    whyApart({ ...young, name: 'atlas' }, { ...old, name: 'tower' }),
    'tower runs CodecShift 0.1.0, which is too old to work with atlas (0.3.0). Upgrade tower.',
  );
  const idle = whyIdle(old, { ...young, name: 'atlas' });
  assert.match(
    idle!,
    /^This machine runs CodecShift 0\.1\.0, the coordinator atlas 0\.3\.0: .* Upgrade this machine\. .* handed in afterwards\.$/,
  );
  assert.match(whyIdle(young, { ...old, name: 'atlas' })!, / Upgrade atlas\. /);
  assert.equal(whyIdle(old, { ...program('0.2.0', 1, 2), name: 'atlas' }), null);
});

test('the list of machines marks the older one, and says whether that matters', () => {
  const atlas = program('0.3.0', 1, 2);
  assert.equal(versionNote(atlas, atlas), '');
  assert.match(versionNote(atlas, program('0.1.0', 1, 1)), /^Older than the coordinator, which runs 0\.3\.0\. They work together; /);
  assert.match(versionNote(atlas, program('0.1.0', 1, 1), 'no more'), /cannot stand in as coordinator any more/);
  assert.match(versionNote(atlas, program('0.4.0', 2, 3)), /upgrade the other machines/);
  assert.match(versionNote(program('0.3.0', 2, 3), program('0.1.0', 1, 1)), /^Too old .* Upgrade this machine; it takes no work/);
  assert.match(versionNote(program('0.1.0', 1, 1), program('0.3.0', 2, 3)), /Upgrade the coordinator/);
});

test('versions are put in order by their numbers; a release comes after what was tried before it', () => {
  const inOrder = ['0.1.0', '0.2.0-beta.1', '0.2.0', '0.9.9', '0.10.0', '1.0.0-rc.1', '1.0.0', '1.0.0.1'];
  assert.equal(compareVersions('1.0.0+linux', '1.0.0+mac'), 0);
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => assert.equal(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a)), 0)),
  );
  for (let i = 1; i < inOrder.length; i++) assert.ok(compareVersions(inOrder[i - 1]!, inOrder[i]!) < 0);
});
