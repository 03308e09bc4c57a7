/** One event of a stream. */
export interface Told {
  id: string | null;
  event: string;
  data: unknown;
}

/** Reads an event stream as the standard says; `next` waits for an event. */
export function listener(chunks: AsyncIterable<Uint8Array | string>) {
  const iterator = chunks[Symbol.asyncIterator]();
  let text = '';
  let lastId: string | null = null;
  return {
    get lastId() {
      return lastId;
    },
    async next(): Promise<Told | null> {
      for (;;) {
        const end = text.indexOf('\n\n');
        if (end >= 0) {
          const block = text.slice(0, end).split('\n');
          text = text.slice(end + 2);
          const field = (name: string): string | null => block.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? null;
          lastId = field('id') ?? lastId;
          const event = field('event');
          if (event !== null) return { id: field('id'), event, data: JSON.parse(field('data') ?? 'null') as unknown };
          continue;
        }
        const { done, value } = await iterator.next();
        if (done) return null;
        text += typeof value === 'string' ? value : Buffer.from(value).toString();
      }
    },
  };
}
