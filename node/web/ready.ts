import { readLease, readSchema } from '../db/coordinator.ts';
import { readMigrations } from '../db/migrate.ts';
import type { Web } from './web.ts';

const ANSWER_MS = 3000;
/** whoever asks in a loop does not ask the database */
const KEPT_MS = 1000;

/**
 * Is the coordinator ready to serve: its database answers, has the schema of this program, and says that somebody leads. Never
 * throws, and answers within three seconds.
 */
export function createReadiness(web: Pick<Web, 'db'>, answerMs = ANSWER_MS): () => Promise<{ ready: boolean; words: string }> {
  let expected: number | null = null;
  let kept: { at: number; answer: Promise<{ ready: boolean; words: string }> } | null = null;
  return () => {
    const now = performance.now();
    if (!kept || now - kept.at > KEPT_MS) kept = { at: now, answer: inTime(look(), answerMs) };
    return kept.answer;
  };

  async function look(): Promise<{ ready: boolean; words: string }> {
    try {
      const [{ schema }, lease] = await Promise.all([readSchema(web.db), readLease(web.db)]);
      expected ??= readMigrations().length;
      if (schema !== expected) return { ready: false, words: 'The database has the schema of another version of CodecShift.' };
      return lease.held ? { ready: true, words: 'ok' } : { ready: false, words: 'Nobody coordinates.' };
    } catch {
      return { ready: false, words: 'The database does not answer.' };
    }
  }
}

async function inTime(answer: Promise<{ ready: boolean; words: string }>, answerMs: number): Promise<{ ready: boolean; words: string }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<{ ready: boolean; words: string }>((resolve) => {
    timer = setTimeout(() => resolve({ ready: false, words: 'The database does not answer.' }), answerMs).unref();
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
