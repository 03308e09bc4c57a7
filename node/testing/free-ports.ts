import { createServer } from 'node:net';

/**
 * The first of `count` ports in a row that nobody has now, for programs that must be found again after a restart. Below
 * those that a system gives to whoever asks for any port: a connection of another test would take it in between.
 */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 10_000);
    const taken = await Promise.all(Array.from({ length: count }, (_, i) => isTaken(first + i)));
    if (!taken.includes(true)) return first;
  }
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(true));
    server.listen(port, () => server.close(() => resolve(false)));
  });
}
