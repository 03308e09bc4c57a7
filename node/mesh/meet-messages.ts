import * as v from 'valibot';
import { data, hex64, id, nodeId, protocolRange, signed, text, uuid } from './message-fields.ts';

/**
 * How machines come to know each other: `meet` between two members on every new connection, `join` for a stranger. What the
 * stranger says and is answered is the same at a lobby (lobby-messages.ts) as on its way from there to the coordinator.
 */

const addresses = v.pipe(v.array(text(300)), v.maxLength(30));
const peers = v.pipe(v.array(v.object({ node: nodeId, addresses })), v.maxLength(200));
export const meeting = v.object({
  node: nodeId,
  name: text(63),
  version: text(40),
  speaks: v.optional(protocolRange),
  cluster: text(40),
  membersVersion: id,
  /** only when the other side's version, if known, is older */
  members: v.nullable(signed),
  certificate: v.nullable(signed),
  peers,
  /** milliseconds since 1970 by this node's clock */
  time: v.number(),
});

/** What a stranger says at the lobby, and what it is answered. */
export const joinRequest = v.object({
  node: nodeId,
  name: text(63),
  version: text(40),
  speaks: v.optional(protocolRange),
  platform: text(60),
  hardware: data,
  /** SHA-256 of `reveal`; sent first, so that nobody can search for a node key that gives a wanted code */
  commit: hex64,
  /** sent once the cluster's nonce is known */
  reveal: v.nullable(text(100)),
  token: v.nullable(v.object({ id: uuid, proof: hex64 })),
});
export const joinAnswer = v.variant('state', [
  /** the request was written down; `nonce` goes into the code of both sides */
  v.object({ state: v.literal('pending'), cluster: text(40), name: text(63), publicKey: text(100), nonce: text(100) }),
  v.object({
    state: v.literal('approved'),
    cluster: text(40),
    name: text(63),
    publicKey: text(100),
    members: signed,
    certificate: v.nullable(signed),
    peers,
    /** HMAC of the token's secret over cluster key and node id: the cluster proves that it knows the token too */
    proof: v.nullable(hex64),
  }),
  v.object({ state: v.literal('refused'), cluster: text(40), name: text(63), why: text(500) }),
  /** this member cannot reach the coordinator now */
  v.object({ state: v.literal('away'), why: text(500) }),
]);

export const meet = { request: meeting, response: meeting } as const;
export const join = { request: v.object({ asked: joinRequest, address: text(100), lobby: nodeId }), response: joinAnswer } as const;
