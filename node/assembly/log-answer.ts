import { createBuckets } from '../mesh/bucket.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ProtocolResponse } from '../mesh/messages.ts';
import { PlainError } from '../errors.ts';
import type { LogBook, LogLine } from '../log-book.ts';

type Said = ProtocolResponse<'log'>['lines'][number];

const MOST_BYTES = 100_000;
const LONGEST = 600;

/**
 * The newest lines of this machine, for an admin at the dashboard. They are without secrets since they were written down.
 * `mesh` is the one that heeds only the coordinator; even it may not ask without end.
 */
export function answerForLog(mesh: Mesh, book: LogBook): void {
  const asks = createBuckets(1, 10);
  mesh.handle('log', async ({ level, room, words, limit }, from) => {
    if (!asks.take(from)) throw new PlainError('This machine was asked for its log too often. Try again in a moment.', { retry: true });
    const lines: Said[] = [];
    let bytes = 0;
    for (const line of book.lines({ level, words, limit, ...(room === null ? {} : { room }) })) {
      const said = saidOf(line);
      bytes += Buffer.byteLength(JSON.stringify(said));
      if (bytes > MOST_BYTES) break;
      lines.push(said);
    }
    return { lines };
  });
}

function saidOf({ seq, time, level, room, msg, fields }: LogLine): Said {
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return {
    ...{ seq, time: time.slice(0, 40), level: level.slice(0, 20), room: room.slice(0, 40) },
    msg: msg.slice(0, LONGEST),
    rest: rest.join('  ').slice(0, LONGEST * 2),
  };
}
