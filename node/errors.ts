import type { Reason } from './core/reasons.ts';

/**
 * An error with a sentence for a person: what happened, to which file on which node, what happens next.
 * The message is shown as it is; `cause` keeps the technical story for the log.
 */
export class PlainError extends Error {
  override name = 'PlainError';
  /** the same as a stored reason, when this error ends a job or a file's plan */
  readonly reason: Reason | null;
  /** true: trying again later may help */
  readonly retry: boolean;

  constructor(message: string, options: { cause?: unknown; reason?: Reason; retry?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = options.reason ?? null;
    this.retry = options.retry ?? false;
  }
}

/** What any thrown value says, in one line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Node.js' error code (`ENOENT`, `EXDEV`, …) or null. */
export function codeOf(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : null;
}
