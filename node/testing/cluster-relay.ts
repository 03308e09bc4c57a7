import { rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';

/**
 * The door to a machine's dashboard: the program listens on its own 127.0.0.1, inside a network that the test is not in,
 * but both see the same disk. So this stands in that network and joins a socket on the disk to the dashboard's port.
 *
 *   node cluster-relay.ts <socket> <port>
 */
const [socketPath = '', port = ''] = process.argv.slice(2);
rmSync(socketPath, { force: true });

createServer((from) => {
  const to = connect(Number(port), '127.0.0.1');
  from.on('error', () => to.destroy()).on('close', () => to.destroy());
  to.on('error', () => from.destroy()).on('close', () => from.destroy());
  from.pipe(to).pipe(from);
}).listen(socketPath, () => process.stdout.write('ready\n'));
