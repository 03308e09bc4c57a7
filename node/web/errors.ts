import { codeOf, PlainError } from '../errors.ts';
import type { ErrorView } from './models/error.ts';

/** A request that ends here, with its status and what a person reads about it. */
export interface Refusal extends PlainError {
  code: RefusalCode;
  status: Status;
  title: string;
  todo: string;
}

export type Status = 400 | 401 | 403 | 404 | 409 | 413 | 421 | 422 | 429 | 500 | 503 | 504;

const words = {
  'unknown-host': [
    421,
    'This address is not known here',
    'CodecShift was reached by a name that does not belong to this machine.',
    'Use http://localhost, the IP address, or add the name to the setting “Names of the dashboard”.',
  ],
  'foreign-origin': [
    403,
    'This came from somewhere else',
    'Another page tried to change something here, so nothing was changed.',
    'Open the dashboard itself and do it there.',
  ],
  'token-missing': [
    403,
    'A token is missing',
    'A program that changes something here shows a token, and this one showed none. Nothing was changed.',
    'Make one on the page Tokens, and send it as “Authorization: Bearer cs_…”.',
  ],
  'old-form': [
    403,
    'This page was open for too long',
    'The form no longer belongs to your visit, so nothing was changed.',
    'Go back, load the page again and repeat it.',
  ],
  'wrong-token': [
    403,
    'The token is wrong',
    'The command line showed a token that does not belong to this node.',
    'Use the data directory of the running program.',
  ],
  'wrong-api-token': [
    401,
    'This token is not valid',
    'The API token is wrong, was revoked, or has expired.',
    'Make a new one on the page Tokens.',
  ],
  'no-token': [
    401,
    'Who are you?',
    'The API needs a token, sent as “Authorization: Bearer cs_…”.',
    'Make one on the page Tokens; it says once what it is.',
  ],
  'not-allowed': [403, 'Not for you', 'Your account may look at this, but not change it.', 'Ask an admin to do it, or to make you one.'],
  'not-from-here': [
    403,
    'Not from this machine',
    'The command line of a machine that does not coordinate looks and works on the queue, and changes nothing else.',
    'Do it on the machine that coordinates, on the page, or with an API token.',
  ],
  'not-set-up': [
    503,
    'Not set up yet',
    'Nobody has decided yet who may open this dashboard, so it stays closed.',
    'Open /setup with the set-up token. It is on the console of the program, and in the file setup-token of its data directory.',
  ],
  busy: [429, 'Too many at once', 'Too many people are signing in at this moment.', 'Try again in a few seconds.'],
  wait: [429, 'Not so fast', 'Too many wrong tries.', 'Nobody is locked out: after the wait the right password works.'],
  'too-often': [
    429,
    'Not so often',
    'This token asks more often than this node answers, which is 600 times a minute.',
    'Wait a few seconds. The event stream tells of changes without being asked.',
  ],
  'too-large': [413, 'That is too much at once', 'The request was larger than one megabyte.', 'Send less at a time.'],
  'too-many': [
    429,
    'Too many open pages',
    'More live pages are open than this node serves.',
    'Close some tabs; this page tries again by itself.',
  ],
  'too-slow': [
    504,
    'This took too long',
    'The answer was not ready in time.',
    'Try again; if it happens often, look at the load of the machine and the database.',
  ],
  'not-found': [
    404,
    'Nothing here',
    'There is no such page. It may have been removed since you saw the link.',
    'Look for it in the queue or the library.',
  ],
} as const satisfies Record<string, readonly [Status, string, string, string]>;

export type RefusalCode = keyof typeof words;

/** Makes the error; the caller throws it. `message` says it more exactly than the standard sentence. */
export function refuse(code: RefusalCode, message?: string): Refusal {
  const [status, title, standard, todo] = words[code];
  return Object.assign(new PlainError(message ?? standard), { code, status, title, todo });
}

/** Nobody decided yet who may come in: no fault of anybody, and not worth a line in the log. */
export function isClosed(error: unknown): boolean {
  return isRefusal(error) && error.code === 'not-set-up';
}

/** What the error page and the toast say about anything that was thrown. Only a PlainError's own words reach a person. */
export function explain(error: unknown, requestId: string): ErrorView {
  if (isRefusal(error)) return { status: error.status, title: error.title, message: error.message, todo: error.todo, requestId };
  if (error instanceof PlainError) {
    return {
      status: 409,
      title: 'That did not work',
      message: error.message,
      todo: error.retry ? 'Trying again in a moment may help.' : 'Nothing was changed.',
      requestId,
    };
  }
  if (databaseIsAway(error)) {
    return {
      status: 503,
      title: 'The database does not answer',
      requestId,
      message: 'Running encodes go on; their results are kept until it is back.',
      todo: 'This page tries again by itself. If it stays like this, look at the log of this node.',
    };
  }
  return {
    status: 500,
    title: 'Something broke here',
    requestId,
    message: 'This is a mistake in CodecShift, not in what you did. No file was touched by it.',
    todo: 'Try again. If it happens again, the log has the details under the number below.',
  };
}

export function isRefusal(error: unknown): error is Refusal {
  return error instanceof PlainError && typeof (error as Partial<Refusal>).status === 'number';
}

/** Connection lost, refused, or the server is starting or stopping (SQLSTATE class 08, 57P01 to 57P03, 53300). */
function databaseIsAway(error: unknown): boolean {
  const code = codeOf(error) ?? codeOf((error as { cause?: unknown } | null)?.cause);
  return code !== null && /^(ECONN|EPIPE|ENOTFOUND|ETIMEDOUT|08|57P0|53300)/.test(code);
}
