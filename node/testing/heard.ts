import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A request as a stand-in server heard it. */
export interface Heard {
  method: string;
  /** without the query */
  path: string;
  query: Record<string, string>;
  /** path and query as they came */
  raw: string;
  headers: Record<string, string>;
  body: string;
}

export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  /** objects become JSON */
  body?: unknown;
}

export interface HeardServer {
  url: string;
  port: number;
  server: Server;
  /** every request, oldest first */
  heard: Heard[];
  /** the same in short, "GET /identity", for comparing orders */
  asked(): string[];
  /** requests that carried the text anywhere in their address: a credential never may */
  inAddress(secret: string): Heard[];
  stop(): Promise<void>;
}

/** A real HTTP server on a real port that writes down what it hears. Stopped with the test when `t` is given. */
export async function startHeardServer(
  t: { after(fn: () => Promise<void> | void): void } | null,
  answer: (request: Heard) => Answer | Promise<Answer>,
): Promise<HeardServer> {
  const heard: Heard[] = [];
  const server = createServer((incoming, outgoing) => {
    // whoever asks may break off, and a test that is over may have taken away what is answered with
    void hear(incoming)
      .then(async (request) => {
        heard.push(request);
        send(outgoing, await answer(request));
      })
      .catch(() => outgoing.destroy());
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  // an upgraded connection is no longer the server's, and would keep it from closing
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket.once('close', () => sockets.delete(socket))));
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  t?.after(stop);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    server,
    heard,
    asked: () => heard.map(({ method, path }) => `${method} ${path}`),
    inAddress: (secret) => heard.filter(({ raw, query }) => `${raw}${JSON.stringify(query)}`.includes(secret)),
    stop,
  };
}

async function hear(incoming: IncomingMessage): Promise<Heard> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  return { ...heardOf(incoming), body: Buffer.concat(chunks).toString() };
}

export function heardOf(incoming: IncomingMessage): Heard {
  const url = new URL(incoming.url!, 'http://stand-in');
  return {
    method: incoming.method!,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    raw: incoming.url!,
    headers: Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)])),
    body: '',
  };
}

function send(outgoing: ServerResponse, { status = 200, headers = {}, body }: Answer): void {
  const isText = typeof body === 'string' || body === undefined;
  const type = isText ? 'text/html' : 'application/json';
  outgoing.writeHead(status, { 'content-type': type, ...headers }).end(isText ? body : JSON.stringify(body));
}
