import { read, writeSync } from 'node:fs';

/**
 * A bad line as a program, for kernels that were built without netem: it stands between a machine and its switch, holds a
 * TAP interface towards each of them as file descriptors 3 and 4, and passes frames on late, slowly or not at all. What it
 * shall do comes as JSON lines on its input (`Line` of network.ts, `rate` in bits a second).
 *
 *   machine ── cable ── bridge ── TAP 3 ── this ── TAP 4 ── switch
 */
let line = { delayMs: 0, jitterMs: 0, lossPercent: 0, rate: 0 };

process.stdin.on('data', (chunk: Buffer) => {
  const wish = chunk.toString().trim().split('\n').at(-1);
  if (wish) line = { ...line, ...(JSON.parse(wish) as typeof line) };
});
process.stdin.on('end', () => process.exit());
pass(3, 4);
pass(4, 3);
process.stdout.write('ready\n');

function pass(from: number, to: number): void {
  const buffer = Buffer.alloc(65_536);
  let free = 0;
  const next = (): void =>
    read(from, buffer, 0, buffer.length, null, (error, length) => {
      if (error) {
        setTimeout(next, 10); // the interface is not up yet
        return;
      }
      if (Math.random() * 100 >= line.lossPercent) send(Buffer.from(buffer.subarray(0, length)));
      next();
    });
  next();

  function send(frame: Buffer): void {
    const now = performance.now();
    free = Math.max(free, now) + (line.rate ? (frame.length * 8000) / line.rate : 0);
    if (free - now > 500) return void (free = now + 500); // a full queue drops
    const wait = free - now + line.delayMs + Math.random() * line.jitterMs;
    if (wait < 1) write(to, frame);
    else setTimeout(() => write(to, frame), wait);
  }
}

function write(to: number, frame: Buffer): void {
  try {
    writeSync(to, frame);
  } catch {
    // the interface is down or full: the frame is lost, as it would be on a wire
  }
}
