import type { ClientRequest, IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { isHook } from '../hooks.ts';
import { isApiToken, type Visitor } from '../security.ts';
import { answerMs } from '../time-limit.ts';
import type { LocalApp, Tunnel } from './parts.ts';

/**
 * One request of a browser, carried to the coordinator and its answer back, byte by byte with back-pressure; a stream may
 * last for hours. Who asks travels in two headers that only a front sets: whatever comes from outside under these names
 * is thrown away, and the application believes them at `tunnelEntrance` alone.
 */
const ASKS = 'x-codecshift-asks';
const ADDRESS = 'x-codecshift-visitor';
const SECURE = 'x-codecshift-secure';
const FOR = 'x-codecshift-for';
const PROTO = 'x-codecshift-proto';
/** the answer of a node that no longer coordinates */
const MOVED = 'x-codecshift-moved';
/** so much later than the application's own limit, whose answer says more */
const LATER_MS = 2000;

/** RFC 9110 §7.6.1, and what only means something between the browser and this node. */
const notForwarded = new Set(
  'connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade expect authorization forwarded via'.split(
    ' ',
  ),
);

export interface Forwarding {
  /** ends it because the coordinator changed: before the answer began `failed` is called, a stream of events ends */
  cut: () => void;
}

export interface ForwardOptions {
  open: Tunnel;
  visitor: Visitor;
  /** nothing was answered yet, and the coordinator will not; `sent`: it may have got the request. Called once at most. */
  failed: (error: Error, sent: boolean) => void;
}

export function forward(incoming: IncomingMessage, outgoing: ServerResponse, options: ForwardOptions): Forwarding {
  const { open, visitor, failed } = options;
  const request = { method: incoming.method ?? 'GET', path: incoming.url ?? '/', headers: requestHeaders(incoming, visitor) };
  const withBody = hasBody(incoming);
  let upstream: ClientRequest | null = null;
  let connected = false;
  let over = false;
  let answered = false;
  let isStream = false;
  const late = setTimeout(() => giveUp(new Error('no answer in time')), answerMs(request.path.split('?', 1)[0]!) + LATER_MS);
  outgoing.once('close', () => {
    over = true;
    clearTimeout(late);
    upstream?.destroy();
  });
  attempt(false);
  return { cut: () => void (answered ? isStream && outgoing.end() : giveUp(new Error('the coordinator changed'))) };

  function attempt(again: boolean): void {
    let out: ClientRequest;
    try {
      out = open(request);
    } catch (error) {
      return giveUp(error as Error);
    }
    upstream = out;
    out.once('socket', (socket) => (socket.connecting ? socket.once('connect', () => (connected = true)) : (connected = true)));
    out.once('response', (answer) => begin(answer));
    out.on('error', (error) => {
      if (answered || over || out !== upstream) return;
      // an idle connection that the other side closed in this moment; only what can be repeated is repeated
      if (!again && out.reusedSocket && !withBody && (request.method === 'GET' || request.method === 'HEAD')) return attempt(true);
      giveUp(error);
    });
    // while the browser still sends, nobody is late
    if (withBody) incoming.on('data', () => late.refresh()).pipe(out);
    else out.end();
  }

  function begin(answer: IncomingMessage): void {
    clearTimeout(late);
    if (over) return void answer.destroy();
    if (answer.headers[MOVED] !== undefined) {
      answer.resume();
      return giveUp(new Error('that node does not coordinate any more'), false);
    }
    answered = true;
    isStream = (answer.headers['content-type'] ?? '').startsWith('text/event-stream');
    outgoing.writeHead(answer.statusCode ?? 502, passed(answer.headers));
    // a page waits for the first bytes of its stream
    outgoing.flushHeaders();
    answer.pipe(outgoing);
    answer.once('close', () => {
      if (answer.complete || outgoing.writableEnded) return;
      // the browser must not take half a page for a whole one; a stream of events it opens again by itself
      if (isStream) outgoing.end();
      else outgoing.destroy();
    });
    answer.on('error', () => {});
  }

  function giveUp(error: Error, sent = connected): void {
    if (over || answered) return;
    over = true;
    clearTimeout(late);
    incoming.unpipe();
    const dead = upstream;
    upstream = null;
    dead?.destroy();
    failed(error, sent);
  }
}

/** Serves what fronts of other nodes send. `local` gives null once this node does not coordinate any more. */
export function tunnelEntrance(local: () => LocalApp | null): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  const listener = getRequestListener(
    (request, env) => local()?.(request, { visitor: visitorFrom((env as { incoming: IncomingMessage }).incoming.headers) }) ?? moved(),
    { overrideGlobalObjects: false },
  );
  return (incoming, outgoing) => void listener(incoming, outgoing);
}

function moved(): Response {
  return new Response('This node does not coordinate any more.', { status: 503, headers: { [MOVED]: '1' } });
}

/** Anything but the front's own words gets the lesser right. */
function visitorFrom(headers: IncomingHttpHeaders): Visitor {
  const text = (name: string): string | null => (headers[name] === undefined ? null : String(headers[name]).slice(0, 500));
  const peer = (text(ADDRESS) ?? 'unknown').slice(0, 64);
  return {
    asks: headers[ASKS] === 'cli' ? 'cli' : 'page',
    address: peer,
    peer,
    tunnelled: true,
    secure: headers[SECURE] === 'yes',
    forwardedFor: text(FOR),
    forwardedProto: text(PROTO),
  };
}

function requestHeaders(incoming: IncomingMessage, visitor: Visitor): OutgoingHttpHeaders {
  const headers = passed(incoming.headers);
  // HTTP/2 has the host in a field of its own
  headers['host'] ??= hostOf(incoming);
  // without it Node.js would send the body of a DELETE unframed, and it would be read as the next request
  if (hasBody(incoming) && headers['content-length'] === undefined) headers['transfer-encoding'] = 'chunked';
  // a webhook's own sign-in; the secret of this machine is a Bearer too and ends here, a token of the API does not
  const shown = incoming.headers.authorization;
  if (shown && /^Basic /i.test(shown) && isHook((incoming.url ?? '').split('?', 1)[0]!)) headers['authorization'] = shown;
  if (isApiToken(shown)) headers['authorization'] = shown;
  return { ...headers, ...visitorHeaders(visitor) };
}

/** How a front says who asks; whatever came from outside under these names was thrown away. */
export function visitorHeaders(visitor: Visitor): OutgoingHttpHeaders {
  return {
    [ASKS]: visitor.asks,
    [ADDRESS]: visitor.peer,
    [SECURE]: visitor.secure ? 'yes' : 'no',
    ...(visitor.forwardedFor === null ? {} : { [FOR]: visitor.forwardedFor }),
    ...(visitor.forwardedProto === null ? {} : { [PROTO]: visitor.forwardedProto }),
  };
}

/** What the browser calls this machine, over either protocol. */
export function hostOf(incoming: IncomingMessage): string | undefined {
  return incoming.headers.host ?? (incoming.headers[':authority'] as string | undefined);
}

function hasBody(incoming: IncomingMessage): boolean {
  const { stream } = incoming as IncomingMessage & { stream?: { endAfterHeaders: boolean } };
  if (stream) return !stream.endAfterHeaders;
  return incoming.headers['transfer-encoding'] !== undefined || Number(incoming.headers['content-length'] ?? 0) > 0;
}

function passed(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const named = new Set((headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
  named.delete('host');
  named.delete('content-length');
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) =>
        !name.startsWith(':') &&
        !notForwarded.has(name) &&
        !named.has(name) &&
        !name.startsWith('x-codecshift-') &&
        !name.startsWith('x-forwarded-'),
    ),
  );
}
