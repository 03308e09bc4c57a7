/** Cuts a list into portions that fit into one message: at most so many, and so many bytes as JSON. One alone may be larger. */
export function* portions<T>(items: readonly T[], limits: { most: number; bytes: number }): Generator<T[]> {
  let portion: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = Buffer.byteLength(JSON.stringify(item));
    if (portion.length > 0 && (portion.length >= limits.most || bytes + size > limits.bytes)) {
      yield portion;
      portion = [];
      bytes = 0;
    }
    portion.push(item);
    bytes += size;
  }
  if (portion.length > 0) yield portion;
}
