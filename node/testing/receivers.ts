import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { testCertificate, testCertificateKey } from './certificate.ts';

/**
 * Programs that are told things, as real servers on this machine: an HTTP receiver that answers as it is told, and a mail server.
 */
export interface Received {
  method: string;
  path: string;
  headers: Record<string, string>;
  /** as it came, for signatures */
  raw: string;
  /** what the receivers of all kinds read; {} when it was no JSON */
  json: Told;
}

interface Told {
  id: string;
  title: string;
  message: string;
  text: string;
  click: string;
  allowed_mentions: unknown;
  embeds: [{ title: string; description: string; url: string; timestamp: string }];
  notices: [{ id: string; items: Record<string, unknown>[] }, ...{ id: string; items: Record<string, unknown>[] }[]];
}

export interface Reply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
  /** never answers */
  hang?: boolean;
  /** the answer has no end: as fast as it is read, or a byte now and then */
  endless?: 'fast' | 'slow';
}

export interface HttpReceiver {
  url: string;
  port: number;
  received: Received[];
  /** what it answers next; the last one for ever */
  replies: Reply[];
  /** resolves with the next message that comes */
  next(): Promise<Received>;
}

interface Cleanup {
  after(fn: () => Promise<void> | void): void;
}

export async function httpReceiver(t: Cleanup, ...replies: Reply[]): Promise<HttpReceiver> {
  const waiting: ((one: Received) => void)[] = [];
  const receiver: HttpReceiver = { url: '', port: 0, received: [], replies, next: () => new Promise((resolve) => waiting.push(resolve)) };
  const server: Server = createServer((request, response) => {
    void read(request)
      .then((one) => {
        const reply = (receiver.replies.length > 1 ? receiver.replies.shift() : receiver.replies[0]) ?? { status: 204 };
        receiver.received.push(one);
        if (!reply.hang) {
          response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
          if (reply.endless) return pour(response, reply.endless, () => waiting.shift()?.(one));
          response.end(reply.body === undefined ? '' : typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body));
        }
        waiting.shift()?.(one);
      })
      // whoever sends may break off in the middle
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => void server.close().closeAllConnections());
  receiver.port = (server.address() as AddressInfo).port;
  receiver.url = `http://127.0.0.1:${receiver.port}`;
  return receiver;
}

/** Until whoever asked has had enough. */
function pour(response: ServerResponse, how: 'fast' | 'slow', begun: () => void): void {
  const more = (): void => {
    while (how === 'fast' && response.writable && response.write(Buffer.alloc(16_384, '.')));
  };
  response.on('error', () => {}).on('drain', more);
  response.write('.');
  more();
  begun();
}

async function read(request: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const raw = Buffer.concat(chunks).toString('utf8');
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    headers,
    raw,
    json: JSON.parse(raw.startsWith('{') ? raw : '{}') as Told,
  };
}

export interface MailReceiver {
  port: number;
  letters: { from: string; to: string[]; text: string; secure: boolean }[];
  /** the next answer to a letter is this error; one each */
  refusals: { at: 'mail' | 'data'; code: number; text: string }[];
  /** user names that were tried */
  users: string[];
}

/** `tls`: from the beginning; `starttls`: offered; `none`: not even offered. It takes "ada" with "secret". */
export async function mailReceiver(t: Cleanup, how: 'tls' | 'starttls' | 'none'): Promise<MailReceiver> {
  const mail: MailReceiver = { port: 0, letters: [], refusals: [], users: [] };
  const refuse = (at: 'mail' | 'data'): Error | null => {
    if (mail.refusals[0]?.at !== at) return null;
    const { code, text } = mail.refusals.shift()!;
    return Object.assign(new Error(text), { responseCode: code });
  };
  const server = new SMTPServer({
    secure: how === 'tls',
    key: testCertificateKey,
    cert: testCertificate,
    authOptional: true,
    allowInsecureAuth: how === 'none',
    disabledCommands: how === 'none' ? ['STARTTLS'] : [],
    disableReverseLookup: true,
    onAuth({ username, password }, _session, done) {
      mail.users.push(username ?? '');
      if (username === 'ada' && password === 'secret') done(null, { user: 'ada' });
      else done(Object.assign(new Error('Bad credentials SECRET-BANNER'), { responseCode: 535 }));
    },
    onMailFrom: (_address, _session, done) => done(refuse('mail')),
    onData(stream, session, done) {
      let text = '';
      stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      stream.on('end', () => {
        const error = refuse('data');
        const { mailFrom, rcptTo } = session.envelope;
        if (!error)
          mail.letters.push({
            from: mailFrom ? mailFrom.address : '',
            to: rcptTo.map(({ address }) => address),
            text,
            secure: session.secure,
          });
        done(error);
      });
    },
  });
  // a client that breaks off during a handshake is a part of the tests
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())));
  mail.port = (server.server.address() as AddressInfo).port;
  return mail;
}

/** Takes connections and says nothing, or one line. `called` resolves with the first connection. */
export async function silentServer(t: Cleanup, greeting = ''): Promise<{ port: number; called: Promise<void> }> {
  const open: Socket[] = [];
  const first = Promise.withResolvers<void>();
  const server = createTcpServer((socket) => {
    open.push(socket.on('error', () => {}));
    if (greeting !== '') socket.write(greeting);
    first.resolve();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, called: first.promise };
}
