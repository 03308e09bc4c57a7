import { readOnly } from './auth/read-only.ts';
import type { Partial } from './live.ts';

/** One open page. `send` never waits: while the browser is slow only the latest partial per target is kept. */
export interface Client {
  readonly stream: ReadableStream<Uint8Array>;
  readonly closed: boolean;
  send(partials: Partial[]): void;
  event(name: string, data: string): void;
  close(): void;
}

const encoder = new TextEncoder();
/** bytes a browser may be behind before its partials are merged */
const WINDOW = 64 * 1024;
/** a browser that is so far behind that even the merged partials pile up is sent away; it reconnects and gets a snapshot */
const MAX_PENDING = 2000;

export function createClient(options: { csrf: string; csrfMark: string; readOnly?: boolean; onClose: () => void }): Client {
  const pending = new Map<string, Partial>();
  let controller: ReadableStreamDefaultController<Uint8Array>;
  let closed = false;

  const stream = new ReadableStream<Uint8Array>(
    {
      start: (c) => void (controller = c),
      pull: () => flush(),
      cancel: () => end(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: WINDOW }),
  );
  // Reconnect quickly; hx-sse grows the delay itself. The comment makes proxies pass the headers on at once.
  write('retry: 500\n: welcome\n\n');

  return {
    stream,
    get closed() {
      return closed;
    },
    send(partials) {
      for (const partial of partials) {
        // An append is not superseded by a later one; it gets its own place.
        const key = partial.swap === 'append' || partial.swap === 'prepend' ? `${partial.target} ${pending.size}` : partial.target;
        pending.delete(key);
        pending.set(key, partial);
      }
      if (pending.size > MAX_PENDING) return close();
      flush();
    },
    event(name, data) {
      if (!closed && (controller.desiredSize ?? 0) > 0) write(`event: ${name}\n${lines(data)}\n`);
    },
    close,
  };

  function flush(): void {
    if (closed || pending.size === 0 || (controller.desiredSize ?? 0) <= 0) return;
    const all = [...pending.values()].map(markup).join('\n').replaceAll(options.csrfMark, options.csrf);
    const html = options.readOnly ? readOnly(all) : all;
    pending.clear();
    write(`${lines(html)}\n`);
  }

  function write(text: string): void {
    if (!closed) controller.enqueue(encoder.encode(text));
  }

  function close(): void {
    if (closed) return;
    end();
    try {
      controller.close();
    } catch {
      /* the browser closed it in the same moment */
    }
  }

  function end(): void {
    if (closed) return;
    closed = true;
    pending.clear();
    options.onClose();
  }
}

/** Every line ending that an event stream knows starts a new `data:` line, so a file name cannot end the message. */
function lines(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => `data: ${line}\n`)
    .join('');
}

function markup(partial: Partial): string {
  if (!/^[A-Za-z][\w-]*$/.test(partial.target)) throw new Error(`not an element id: ${partial.target}`);
  return `<hx-partial hx-target="#${partial.target}" hx-swap="${partial.swap}">${partial.html}</hx-partial>`;
}
