import type { Page } from '../../db/page.ts';

/**
 * A list as a CSV file, page by page as fast as it is read, so that a long one costs no memory; ends when the reader goes away.
 * `read` gives the page behind a place in the list; null is its beginning.
 */
export function csvStream<Row>(parts: {
  head: string;
  line: (row: Row) => string;
  read: (after: string | null) => Promise<Page<Row>>;
  signal: AbortSignal;
}): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let after: string | null = null;
  let begun = false;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (parts.signal.aborted) return controller.close();
      if (!begun) {
        begun = true;
        // the mark tells spreadsheets that this is UTF-8
        return controller.enqueue(encoder.encode(`\ufeff${parts.head}`));
      }
      const page = await parts.read(after);
      if (page.rows.length > 0) controller.enqueue(encoder.encode(page.rows.map(parts.line).join('')));
      after = page.after;
      if (after === null) controller.close();
    },
  });
}
