import { readFileSync } from 'node:fs';

/**
 * A wrong clock for one process: all namespaces of one computer share its clock, so the program is started with
 * `--import` of this file and believes the time plus as many milliseconds as the file named by CODECSHIFT_TEST_CLOCK says,
 * read anew five times a second. Timers and the monotonic clock are left alone, as with a real step of the time.
 */
const file = process.env['CODECSHIFT_TEST_CLOCK'];
const Real = Date;
let offset = 0;

if (file) {
  look(file);
  setInterval(() => look(file), 200).unref();
  globalThis.Date = new Proxy(Real, {
    construct: (target, args: [], newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as Date,
    apply: () => new Real(now()).toString(),
    get: (target, key, receiver) => (key === 'now' ? now : (Reflect.get(target, key, receiver) as unknown)),
  });
}

function now(): number {
  return Real.now() + offset;
}

function look(path: string): void {
  try {
    offset = Number(readFileSync(path, 'utf8')) || 0;
  } catch {
    offset = 0;
  }
}
