import * as v from 'valibot';
import { joinAnswer, joinRequest } from './meet-messages.ts';
import { id, nodeId, signed, text } from './message-fields.ts';
import { clusterId } from './signing.ts';

/**
 * What is said at a lobby, `/codecshift/lobby/1`: one question and one answer to a stream, JSON with its length before it.
 *
 *   look      who are you, and do you belong to a cluster? Says the same of the asker, so that both know of each other
 *   join      may I join your cluster? Only this one is passed on to the coordinator
 *   standing  the newest signed list of members: shows a machine that was removed that it was
 */
export const LOBBY_PROTOCOL = '/codecshift/lobby/1';
export const MAX_QUESTION_BYTES = 8 * 1024;
export const MAX_ANSWER_BYTES = 128 * 1024;

/** shown on consoles and pages: what steers a terminal or turns the reading direction is left out */
const name = v.pipe(text(63), v.transform(plainName));

const cluster = v.pipe(
  v.object({ id: text(40), name, publicKey: text(100), established: v.boolean(), nodes: v.pipe(id, v.maxValue(500)) }),
  // the key in its one right spelling: the pairing code is made of its text
  v.check(({ publicKey }) => Buffer.from(publicKey, 'base64url').toString('base64url') === publicKey, 'not a key'),
  v.check(({ id, publicKey }) => clusterId(publicKey) === id, 'not the id of that key'),
);
const statement = v.object({
  node: nodeId,
  name,
  version: text(40),
  addresses: v.pipe(v.array(text(300)), v.maxLength(10)),
  cluster: v.nullable(cluster),
  lookingMs: v.nullable(id),
  founding: v.boolean(),
  session: text(40),
  tick: id,
});

export const lobbyQuestion = v.variant('ask', [
  v.object({
    ask: v.literal('look'),
    self: statement,
    /** the asker knows that the asked one claims the founding of a cluster */
    knows: v.boolean(),
  }),
  v.object({ ask: v.literal('join'), ...joinRequest.entries }),
  v.object({ ask: v.literal('standing') }),
]);
export const lobbyAnswer = v.variant('to', [
  v.object({ to: v.literal('look'), self: statement }),
  v.object({ to: v.literal('join'), answer: joinAnswer }),
  v.object({ to: v.literal('standing'), members: v.nullable(signed) }),
  v.object({ to: v.literal('refused'), why: text(500) }),
]);
export type LobbyQuestion = v.InferOutput<typeof lobbyQuestion>;
export type LobbyAnswer = v.InferOutput<typeof lobbyAnswer>;

/** A name as it may be shown: without control, format and private characters. */
export function plainName(given: string): string {
  return given.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '').trim() || 'without a name';
}
