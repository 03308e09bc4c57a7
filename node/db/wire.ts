import { Duplex } from 'node:stream';
import type { Worker } from 'node:worker_threads';

/**
 * What `pg` takes for a network socket: bytes go to the database thread and come back from it. One at a time is in use;
 * when the thread ends, the socket breaks like a network connection would, and the pool makes a new one.
 */
export class WorkerSocket extends Duplex {
  private readonly ready: Promise<Worker>;
  private worker: Worker | null = null;
  private readonly onMessage = (message: unknown): void => {
    if (message instanceof Uint8Array) this.push(message);
  };
  private readonly onExit = (): void => void this.destroy(broken());

  constructor(ready: Promise<Worker>) {
    super();
    this.ready = ready;
  }

  connect(): this {
    this.ready.then(
      (worker) => {
        if (this.destroyed) return;
        this.worker = worker;
        worker.on('message', this.onMessage);
        worker.once('exit', this.onExit);
        this.emit('connect');
      },
      (error: Error) => this.destroy(error),
    );
    return this;
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    // a copy of exactly these bytes: posting a slice of Node's shared buffer would clone all of it
    const bytes = new Uint8Array(chunk);
    if (!this.worker) return done(broken());
    this.worker.postMessage(bytes, [bytes.buffer]);
    done();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.worker?.off('message', this.onMessage);
    this.worker?.off('exit', this.onExit);
    done(error);
  }

  // what pg calls on a net.Socket
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}

function broken(): Error {
  return Object.assign(new Error('the embedded database stopped'), { code: 'ECONNRESET' });
}
