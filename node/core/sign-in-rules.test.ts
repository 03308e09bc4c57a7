import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admit, groupsOf, namesIn, type SignInRules } from './sign-in-rules.ts';

const none: SignInRules = {
  groupsClaim: 'groups',
  adminGroups: [],
  viewerGroups: [],
  adminEmails: [],
  viewerEmails: [],
  requireVerified: true,
};
const rules: SignInRules = {
  ...none,
  adminGroups: ['admins'],
  viewerGroups: ['family'],
  adminEmails: ['ann@example.org'],
  viewerEmails: ['@example.org'],
};

test('nobody comes in without a rule, whatever the provider says', () => {
  const answer = admit({ sub: '1', email: 'ann@example.org', email_verified: true, groups: ['admins', ''] }, none);
  assert.equal(answer.role, null);
  assert.match('why' in answer ? answer.why : '', /no group and no e-mail address is allowed/);
});

test('a group or a verified address gives the role, the greater one of two', () => {
  assert.equal(admit({ groups: ['family', 'admins'] }, rules).role, 'admin');
  assert.equal(admit({ groups: 'family' }, rules).role, 'viewer');
  assert.equal(admit({ email: 'Ann@Example.org', email_verified: true }, rules).role, 'admin');
  assert.equal(admit({ email: 'bob@example.org', email_verified: 'true' }, rules).role, 'viewer');
  for (const claims of [
    { groups: ['Admins'] },
    { groups: { admins: true } },
    { groups: [['admins']] },
    { email: 'bob@sub.example.org', email_verified: true },
    { email: 'bob@evil.test@example.org', email_verified: true },
    { email: 'x@notexample.org', email_verified: true },
    { email: ['ann@example.org'], email_verified: true },
    { preferred_username: 'ann@example.org', email_verified: true },
  ])
    assert.equal(admit(claims, rules).role, null, JSON.stringify(claims));
});

test('an address that is not verified is refused with the sentence that helps, unless a person allows it', () => {
  const answer = admit({ email: 'ann@example.org', email_verified: false }, rules);
  assert.match('why' in answer ? answer.why : '', /not verified \(Authentik since 2025\.10 always does\)/);
  assert.equal(admit({ email: 'ann@example.org' }, { ...rules, requireVerified: false }).role, 'admin');
});

test('groups are found by a dotted path, and only in what the provider said itself', () => {
  assert.deepEqual(groupsOf({ realm_access: { roles: ['a', 1, 'b'] } }, 'realm_access.roles'), ['a', 'b']);
  const zitadel = { 'urn:zitadel:iam:org:project:roles': { admins: { '2189': 'home.test' }, family: { '2189': 'home.test' }, note: 'x' } };
  assert.deepEqual(groupsOf(zitadel, 'urn:zitadel:iam:org:project:roles'), ['admins', 'family']);
  assert.deepEqual(groupsOf({ 'https://x.test/roles': ['a'] }, 'https://x.test/roles'), ['a']);
  for (const path of ['__proto__', 'constructor.name', 'a.b.c', '', 'realm_access.roles.length'])
    assert.deepEqual(groupsOf({ realm_access: { roles: ['a'] } }, path), [], path);
  assert.deepEqual(namesIn(' a, b c\n,a\n'), ['a', 'b c']);
});
