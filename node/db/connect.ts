/** One statement at a time, outside or inside a transaction. Rows come with int8 and numeric as numbers, timestamps as Date. */
export interface Queryable {
  query<R = Record<string, unknown>>(sql: string, params?: unknown[]): Promise<R[]>;
}

export interface Database extends Queryable {
  /** Runs `fn` in one transaction; it commits when `fn` resolves. Never use the Database itself inside: only `q`. */
  tx<T>(fn: (q: Queryable) => Promise<T>): Promise<T>;
  /** The same connections, writing as the coordinator of this term; refused (see `isStaleTerm`) once another one leads. */
  withTerm(term: number): Database;
  /** true: PGlite in this process, one session; false: an external PostgreSQL */
  readonly embedded: boolean;
  readonly sessions: number;
  /** What autovacuum and the checkpointer do for a server; call it about once a minute. */
  maintain(): Promise<void>;
  close(): Promise<void>;
}

/** True when the write was refused because another coordinator has taken over: step down at once. */
export function isStaleTerm(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'CS001';
}
