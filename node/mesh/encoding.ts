import * as v from 'valibot';
import { PlainError, messageOf } from '../errors.ts';
import { version } from '../version.ts';

/**
 * The one way from a message to text and back. Text from another node is measured before it is parsed and parsed before
 * it is believed: first its size, then how deep it is nested, then its schema, then whom it claims to speak for.
 */

/** Nothing of ours is nested deeper; deep nesting costs a parser's, and later a recursive reader's, stack. */
const MAX_DEPTH = 64;

/** @throws PlainError when the message is larger than `limit` bytes */
export function encode(body: unknown, limit: number): string {
  const text = JSON.stringify(body);
  const size = Buffer.byteLength(text);
  if (size > limit) throw new PlainError(`A message of ${size} bytes is larger than the mesh allows (${limit}).`);
  return text;
}

/** @throws PlainError that names the first thing that is wrong; never with the text itself, which may be hostile */
export function decode<S extends v.GenericSchema>(schema: S, text: string, what: string): v.InferOutput<S> {
  const checked = v.safeParse(schema, parse(text, what));
  if (checked.success) return checked.output;
  const issue = checked.issues[0];
  if (issue.type === 'variant') throw new PlainError(unknownKind(what, v.getDotPath(issue)), { retry: true });
  throw new PlainError(`A ${what} was refused: ${v.getDotPath(issue) ?? ''} ${messageOf(issue.message).slice(0, 200)}`);
}

/**
 * Which kind it is stays unsaid: the text may be hostile, and the asker knows what he asked. Trying again helps once this
 * machine was upgraded.
 */
function unknownKind(what: string, field: string | null): string {
  return `CodecShift ${version} does not know this kind of ${what}${field ? ` ("${field}")` : ''}. If the other machine runs a newer version, upgrade this one.`;
}

/** JSON that is not nested deeper than anything of ours. */
export function parse(text: string, what: string): unknown {
  if (tooDeep(text)) throw new PlainError(`A ${what} was refused: it is nested too deep.`);
  try {
    return JSON.parse(text);
  } catch {
    throw new PlainError(`A ${what} was refused: it is not JSON.`);
  }
}

/**
 * A message may speak only of the node that sent it, and a lobby passes on only what was said at its own door.
 * @throws PlainError when it speaks for somebody else
 */
export function checkSpeaker(message: unknown, from: string, what: string): void {
  const { node, lobby, asked } = message as { node?: unknown; lobby?: unknown; asked?: unknown };
  const speaker = asked === undefined ? node : lobby;
  if (speaker !== undefined && speaker !== from) throw new PlainError(`A ${what} was refused: it speaks for another node than its sender.`);
}

function tooDeep(text: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (quoted) {
      if (c === 0x5c) i++;
      else if (c === 0x22) quoted = false;
    } else if (c === 0x22) quoted = true;
    else if (c === 0x5b || c === 0x7b) {
      if (++depth > MAX_DEPTH) return true;
    } else if (c === 0x5d || c === 0x7d) depth--;
  }
  return false;
}
