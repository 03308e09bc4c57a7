import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type * as v from 'valibot';
import { PlainError } from '../errors.ts';
import { decode } from './encoding.ts';
import { lobbyAnswer, lobbyQuestion } from './lobby-messages.ts';
import { protocols, topics, type Protocol, type Topic } from './messages.ts';
import { openCertificate, openMembers, openTicket } from './signing.ts';

/**
 * Every message as a released version said it, recorded as `golden/<version>.jsonl`. Such a file is never changed: the
 * machines that say these messages are out there, and so are the reports in their outboxes. A new kind of message is
 * recorded in the file of the version that brings it.
 */
interface Recorded {
  what: string;
  text: string;
  publicKey?: string;
  version: string;
}

const directory = path.join(import.meta.dirname, 'golden');
const recorded: Recorded[] = readdirSync(directory).flatMap((file) =>
  readFileSync(path.join(directory, file), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => ({ ...(JSON.parse(line) as Omit<Recorded, 'version'>), version: file.replace('.jsonl', '') })),
);
const messages = recorded.filter(({ publicKey }) => publicKey === undefined);

function schemaOf(what: string): v.GenericSchema {
  if (what.startsWith('lobby ')) return what === 'lobby question' ? lobbyQuestion : lobbyAnswer;
  const [name, side] = what.split(' ') as [string, string?];
  if (side === undefined) return topics[name as Topic];
  return protocols[name as Protocol][side === 'answer' ? 'response' : 'request'];
}

test('every message of every released version is read, and nothing that it said is lost', () => {
  for (const { what, text, version } of messages) {
    const read = decode(schemaOf(what), text, what);
    assert.deepEqual(JSON.parse(JSON.stringify(read)), JSON.parse(text), `${what} of ${version}`);
  }
});

test('statements that a released version signed, or a later one with more in them, are believed as they are', () => {
  const open = { members: openMembers, certificate: openCertificate, ticket: openTicket };
  const statements = recorded.filter(({ publicKey }) => publicKey !== undefined);
  assert.ok(statements.length >= 6);
  for (const { what, text, publicKey } of statements) {
    const signed = JSON.parse(text) as { payload: string; signature: string };
    const opened = open[what.replace('signed ', '') as keyof typeof open](publicKey!, signed);
    assert.ok(opened, what);
    const written = JSON.stringify(JSON.parse(signed.payload), null, 1);
    assert.equal(openMembers(publicKey!, { ...signed, payload: written }), null, 'the bytes are what was signed, not their meaning');
  }
});

test('each kind of message that this version knows was recorded', () => {
  for (const name of Object.keys(topics))
    assert.ok(
      messages.some(({ what }) => what === name),
      name,
    );
  const sides = Object.keys(protocols).flatMap((name) => [`${name} request`, `${name} answer`]);
  for (const side of [...sides, 'lobby question', 'lobby answer']) {
    const said = messages.filter(({ what }) => what === side).map(({ text }) => JSON.parse(text) as Record<string, unknown>);
    assert.ok(said.length > 0, side);
    for (const [key, value] of kindsOf(schemaOf(side)))
      assert.ok(
        said.some((message) => message[key] === value),
        `${side}: ${key} ${value}`,
      );
  }
});

test('whatever a newer version adds to a message, in whichever place, changes nothing of what an older one reads', () => {
  const extra = fc.dictionary(fc.stringMatching(/^x[a-z]{1,8}$/), fc.jsonValue({ maxDepth: 3 }), { minKeys: 1, maxKeys: 3 });
  fc.assert(
    fc.property(fc.constantFrom(...messages), extra, ({ what, text }, more) => {
      const schema = schemaOf(what);
      const known = decode(schema, text, what);
      const grown = grow(schema, JSON.parse(text), more);
      assert.deepEqual(decode(schema, JSON.stringify(grown), what), known);
    }),
    { numRuns: 400 },
  );
});

test('a kind of message that only a newer version knows is answered with a sentence, not with a broken line', () => {
  for (const { what, text } of messages) {
    for (const [key] of kindsOf(schemaOf(what)).slice(0, 1)) {
      const newer = JSON.stringify({ ...(JSON.parse(text) as object), [key]: 'dream' });
      assert.throws(
        () => decode(schemaOf(what), newer, what),
        (error) => error instanceof PlainError && error.retry && /does not know this kind of .* upgrade this one/.test(error.message),
        what,
      );
    }
  }
});

test('a word that only a newer version knows costs neither a hello nor a progress nor a grant', () => {
  const one = (what: string): Record<string, unknown> => JSON.parse(messages.find((m) => m.what === what)!.text) as Record<string, unknown>;
  const hello = one('hello request');
  const [cpu] = hello['encoders'] as object[];
  const read = decode(protocols.hello.request, JSON.stringify({ ...hello, encoders: [cpu, { ...cpu, codec: 'vvc' }] }), 'hello request');
  assert.deepEqual(
    read.encoders.map(({ codec }) => codec),
    ['hevc'],
    'an encoder for a codec that is not known is not there',
  );
  const told = hello['ffmpeg'] as { builds: object[] };
  const strange = { ...told, builds: [{ ...told.builds[0], from: 'the moon' }] };
  const without = decode(protocols.hello.request, JSON.stringify({ ...hello, ffmpeg: strange }), 'hello request');
  assert.equal(without.ffmpeg, undefined, 'what cannot be understood counts as not said');
  assert.throws(
    () => decode(protocols.hello.request, JSON.stringify({ ...hello, encoders: Array(61).fill(1) }), 'hello request'),
    /refused/,
  );
  const progress = decode(topics.progress, JSON.stringify({ ...one('progress'), phase: 'dreaming' }), 'progress');
  assert.equal(progress.phase, 'encoding', 'its lease is renewed all the same');
  const answer = one('claim answer') as { granted: { findings: object[] } };
  answer.granted.findings.push({ ...answer.granted.findings[0], metric: 'xpsnr' });
  assert.equal(decode(protocols.claim.response, JSON.stringify(answer), 'claim answer').granted?.findings?.length, 1);
});

test('a word that is not known in an order is refused: it is not carried out half', () => {
  const order = JSON.parse(messages.find((m) => m.text.startsWith('{"op":"replace"'))!.text) as object;
  const said = JSON.stringify({ ...order, hardLinked: 'copy-first' });
  assert.throws(() => decode(protocols.grant.request, said, 'grant request'), /hardLinked/);
});

/** The words by which the kinds of a message are told apart. */
function kindsOf(schema: v.GenericSchema): [string, string][] {
  const variant = schema as unknown as { type: string; key: string; options: { entries: Record<string, { literal: string }> }[] };
  return variant.type === 'variant' ? variant.options.map(({ entries }) => [variant.key, entries[variant.key]!.literal]) : [];
}

interface Shape {
  type: string;
  entries?: Record<string, v.GenericSchema>;
  wrapped?: v.GenericSchema;
  item?: v.GenericSchema;
  key?: string;
  options?: v.GenericSchema[];
}

/** The value with `more` in every object whose shape the schema gives; plain data belongs to its sender as it is. */
function grow(schema: v.GenericSchema | undefined, value: unknown, more: object): unknown {
  const shape = schema as unknown as Shape | undefined;
  if (!shape || value === null || typeof value !== 'object') return value;
  if (shape.wrapped) return grow(shape.wrapped, value, more);
  if (Array.isArray(value)) return value.map((one) => grow(shape.item, one, more));
  if (shape.type === 'variant') {
    const kind = (value as Record<string, unknown>)[shape.key!];
    const chosen = shape.options!.find(
      (o) => (o as unknown as { entries: Record<string, { literal: unknown }> }).entries[shape.key!]!.literal === kind,
    );
    return grow(chosen, value, more);
  }
  if (shape.type !== 'object') return value;
  const inner = Object.entries(value).map(([key, one]) => [key, grow(shape.entries![key], one, more)]);
  return { ...more, ...Object.fromEntries(inner) };
}
