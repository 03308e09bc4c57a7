import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';

/**
 * What runs on each machine of network.test.ts: answers over TCP, shouts by multicast what it is called, and tells on its
 * output whom it heard and, when it is told to on its input, whether it can reach an address and how long that took.
 *
 *   node network-echo.ts <name> <own address>       input: "reach <address>"    output: "heard <name>" · "reached <address> <ms|no>"
 */
const [name = '', own = ''] = process.argv.slice(2);
const group = '224.0.0.251';

createServer((socket) => socket.on('error', () => undefined).end(name)).listen(9000, '0.0.0.0', () => say('ready'));

const shout = createSocket({ type: 'udp4', reuseAddr: true });
shout.on('error', (error) => say(`shout ${error.message}`));
shout.on('message', (message) => say(`heard ${message.toString()}`));
shout.bind(9001, () => {
  shout.addMembership(group, own);
  shout.setMulticastInterface(own);
  setInterval(() => shout.send(name, 9001, group, () => undefined), 50);
});

process.stdin.on('data', (chunk: Buffer) => {
  for (const line of chunk.toString().split('\n')) if (line.startsWith('reach ')) reach(line.slice('reach '.length));
});
process.stdin.on('end', () => process.exit());

function reach(address: string): void {
  const begun = performance.now();
  const socket = connect({ host: address, port: 9000, timeout: 1500 });
  let [said, met] = [false, 'no'];
  const done = (result: string): void => {
    if (!said) say(`reached ${address} ${result}`);
    said = true;
    socket.destroy();
  };
  const passed = (): string => String(Math.round(performance.now() - begun));
  // the other kernel answers, also while its program waits for a processor and has nothing to say yet
  socket.on('connect', () => (met = passed()));
  socket.on('data', () => done(passed()));
  // timers come before what the network brought: a program that stood still hears of both at once
  socket.on('timeout', () => setImmediate(() => done(met)));
  socket.on('error', () => done('no'));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
