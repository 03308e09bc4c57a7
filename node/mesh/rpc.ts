import type { Connection, Stream } from '@libp2p/interface';
import * as v from 'valibot';
import type { Reason } from '../core/reasons.ts';
import { PlainError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { createBuckets } from './bucket.ts';
import { decode, encode, parse } from './encoding.ts';
import { frames } from './frame.ts';
import { MAX_MESSAGE_BYTES, protocols, type Protocol } from './messages.ts';

/**
 * Requests over libp2p: one stream for each, opened by the asker, one frame there and one back.
 *
 *   asker                         answerer
 *   open /codecshift/claim/1 ──▶  too many, too often, not admitted? refused without reading
 *   request ─────────────────▶    read within 10 s, at most 256 KiB, schema, speaker, handler
 *   ◀──────────────── {"answer": …} or {"error": "a sentence", "retry": true, "reason"?: …}
 */
export interface RpcServer {
  /** answers one stream; never throws */
  serve(protocol: Protocol, stream: Stream, connection: Connection): Promise<void>;
}

export const protocolId = (protocol: Protocol): string => `/codecshift/${protocol}/1`;

const MAX_FRAME = MAX_MESSAGE_BYTES + 1024;
const READ_MS = 10_000;
const MAX_AT_ONCE = 32;
/** before a connection is admitted nothing may be asked but these */
const FOR_ANYONE: readonly Protocol[] = ['meet', 'join'];

const failure = v.object({
  error: v.pipe(v.string(), v.maxLength(4000)),
  retry: v.boolean(),
  reason: v.optional(
    v.object({
      code: v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,63}$/)),
      params: v.optional(v.record(v.string(), v.union([v.string(), v.number()]))),
    }),
  ),
});

export function createRpcServer(parts: {
  admitted: (connection: Connection) => Promise<boolean>;
  /** why this connection's program and ours are too far apart for anything but to meet; null when they fit */
  apart: (connection: Connection) => string | null;
  answer: (protocol: Protocol, text: string, connection: Connection) => Promise<string>;
  log: Log;
}): RpcServer {
  const asking = new Map<string, number>();
  const often = createBuckets(200, 400);
  return {
    async serve(protocol, stream, connection) {
      const from = connection.remotePeer.toString();
      const now = asking.get(from) ?? 0;
      asking.set(from, now + 1);
      try {
        const io = frames(stream, MAX_FRAME);
        const text = await respond(protocol, io, connection, from, now);
        await io.write(text, AbortSignal.timeout(READ_MS));
        await stream.close({ signal: AbortSignal.timeout(READ_MS) });
      } catch (error) {
        parts.log.debug({ from, protocol, why: messageOf(error) }, 'a request ended without an answer');
        stream.abort(new Error('the request was broken off'));
      } finally {
        const rest = (asking.get(from) ?? 1) - 1;
        if (rest > 0) asking.set(from, rest);
        else asking.delete(from);
      }
    },
  };

  async function respond(
    protocol: Protocol,
    io: ReturnType<typeof frames>,
    connection: Connection,
    from: string,
    now: number,
  ): Promise<string> {
    if (now >= MAX_AT_ONCE) return refusal(new PlainError('Too many requests at once; this one has to wait.', { retry: true }));
    if (!often.take(from)) return refusal(new PlainError('Too many requests in a short time; this one has to wait.', { retry: true }));
    if (!FOR_ANYONE.includes(protocol) && !(await parts.admitted(connection))) {
      return refusal(new PlainError('These two machines have not met yet.', { retry: true }));
    }
    const apart = protocol === 'meet' ? null : parts.apart(connection);
    // whoever was upgraded asks again
    if (apart !== null) return refusal(new PlainError(apart, { retry: true }));
    const text = await io.read(AbortSignal.timeout(READ_MS));
    try {
      return `{"answer":${await parts.answer(protocol, text, connection)}}`;
    } catch (error) {
      if (!(error instanceof PlainError)) parts.log.error({ err: error, protocol, from }, 'a request could not be answered');
      return refusal(error);
    }
  }
}

/** Only sentences cross the network; what is no PlainError is our own mistake, and its story stays in our log. */
function refusal(error: unknown): string {
  if (!(error instanceof PlainError)) {
    return encode({ error: 'The other machine made a mistake while answering; its log has the details.', retry: true }, MAX_MESSAGE_BYTES);
  }
  const body = { error: error.message.slice(0, 2000), retry: error.retry };
  try {
    return encode(error.reason ? { ...body, reason: error.reason } : body, 64 * 1024);
  } catch {
    return encode(body, 64 * 1024);
  }
}

/**
 * Asks over one connection.
 * @throws PlainError as the other side refused, or with `retry` when it could not be asked or broke off
 */
export async function ask<P extends Protocol>(
  connection: Connection,
  protocol: P,
  text: string,
  signal: AbortSignal,
  name: string,
): Promise<v.InferOutput<(typeof protocols)[P]['response']>> {
  const answer = parse(await exchange(connection, protocol, text, signal, name), `${protocol} answer`);
  const failed = v.safeParse(failure, answer);
  if (failed.success) {
    const { error, retry, reason } = failed.output;
    throw new PlainError(error, reason ? { retry, reason: reason as Reason } : { retry });
  }
  const body = (answer as { answer?: unknown } | null)?.answer;
  return decode(protocols[protocol].response, JSON.stringify(body ?? null), `${protocol} answer`) as never;
}

async function exchange(connection: Connection, protocol: Protocol, text: string, signal: AbortSignal, name: string): Promise<string> {
  let stream: Stream | undefined;
  try {
    stream = await connection.newStream(protocolId(protocol), { signal, maxOutboundStreams: 128 });
    const io = frames(stream, MAX_FRAME);
    await io.write(text, signal);
    const answer = await io.read(signal);
    void stream.close({ signal: AbortSignal.timeout(2000) }).catch(() => stream?.abort(new Error('not closed in time')));
    return answer;
  } catch (error) {
    stream?.abort(new Error('the request was given up'));
    throw new PlainError(explain(error, signal, name, protocol), { cause: error, retry: true });
  }
}

function explain(error: unknown, signal: AbortSignal, name: string, protocol: Protocol): string {
  if (signal.aborted) {
    return (signal.reason as { name?: string } | undefined)?.name === 'TimeoutError'
      ? `${name} did not answer in time ("${protocol}").`
      : `The question to ${name} was given up ("${protocol}").`;
  }
  if ((error as { name?: string }).name === 'UnsupportedProtocolError')
    return `${name} runs an older version of CodecShift that does not know "${protocol}". Upgrade ${name}.`;
  return `${name} could not be asked, or the connection broke before it answered ("${protocol}").`;
}
