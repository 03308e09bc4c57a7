import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/**
 * A line between a program and its PostgreSQL that is cut at the one moment at which nobody can know: while a transaction ends.
 *
 *   'answered'  the server gets the statement and carries it out; its answer never arrives
 *   'lost'      the line is cut before the server gets it
 *   'late'      the line is cut towards the program alone: the server gets the statement when `deliver` is called
 */
export interface DatabaseLine {
  /** the database through this line */
  url: string;
  /** how the line is cut, once, when the next statement of this text passes */
  cutAt(statement: string, how: 'answered' | 'lost' | 'late'): void;
  /** resolves when it was cut */
  cut(): Promise<void>;
  /** what was held back reaches the server; resolves when that has closed or answered */
  deliver(): Promise<void>;
  /** nobody gets through any more */
  close(): Promise<void>;
}

interface Cleanup {
  after(fn: () => Promise<void> | void): void;
}

export async function databaseLine(t: Cleanup, url: string): Promise<DatabaseLine> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let wish: { text: string; how: 'answered' | 'lost' | 'late' } | null = null;
  let held: { server: Socket; bytes: Buffer } | null = null;
  const isCut = Promise.withResolvers<void>();
  const server = createServer((client) => {
    const far = connect(Number(target.port), target.hostname);
    for (const socket of [client, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    far.on('close', () => client.destroy());
    client.on('close', () => held?.server !== far && far.destroy());
    far.on('data', (bytes) => client.write(bytes));
    client.on('data', (bytes: Buffer) => {
      const now = wish;
      if (!now || !isQuery(bytes, now.text)) return void far.write(bytes);
      wish = null;
      far.removeAllListeners('data').resume();
      if (now.how === 'late') held = { server: far, bytes };
      if (now.how === 'answered') {
        far.once('data', () => (client.destroy(), isCut.resolve()));
        far.write(bytes);
      } else {
        client.destroy();
        isCut.resolve();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const through = new URL(url);
  through.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  t.after(close);
  return {
    url: through.href,
    cutAt: (text, how) => void (wish = { text, how }),
    cut: () => isCut.promise,
    async deliver() {
      const { server: far, bytes } = held!;
      if (far.destroyed) return;
      const over = new Promise<void>((resolve) => far.once('data', () => resolve()).once('close', () => resolve()));
      far.write(bytes);
      await over;
    },
    close,
  };
}

/** The simple query protocol: 'Q', length, text, zero. */
function isQuery(bytes: Buffer, text: string): boolean {
  return bytes[0] === 0x51 && bytes.subarray(5, -1).toString() === text;
}
