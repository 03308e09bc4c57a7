import { PlainError, codeOf, messageOf } from '../errors.ts';

/** The statement was surely not carried out, and trying again may help: deadlock, serialisation, server still starting or full. */
const notCarriedOut = new Set(['40001', '40P01', '57P03', '53300', '08001', '08004']);
/** The connection is gone; whether the statement was carried out is not known. */
const lostConnection = new Set(['57P01', '57P02', '57P05', '25P03', '08000', '08003', '08006', '08007', '08P01']);
const network = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ECONNABORTED',
]);
/** pg has no code for these; they are its own sentences */
const sentences =
  /Connection terminated|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|Connection ended|not queryable/i;

export function isNotCarriedOut(error: unknown): boolean {
  return notCarriedOut.has(codeOf(error) ?? '');
}

/** A connection that failed like this must not go back into the pool. */
export function isConnectionLoss(error: unknown): boolean {
  const code = codeOf(error) ?? '';
  return lostConnection.has(code) || network.has(code) || code === '57P03' || (code === '' && sentences.test(messageOf(error)));
}

/** The server cannot be reached now, but may be later: it restarts, or starts together with us. */
export function isUnreachable(error: unknown): boolean {
  return isConnectionLoss(error) || codeOf(error) === '53300';
}

/** What a person reads when no connection can be made. The password is never part of it. */
export function explainConnection(error: unknown, url: string): PlainError {
  const where = describeUrl(url);
  const code = codeOf(error);
  const options = { cause: error };
  if (code === '28P01' || code === '28000' || /password must be a string|SASL/i.test(messageOf(error))) {
    return new PlainError(`PostgreSQL at ${where} refused the user name or password. Check --database-url.`, options);
  }
  if (code === '3D000')
    return new PlainError(`PostgreSQL at ${where} has no such database. Create it first, or check --database-url.`, options);
  if (code === '42501')
    return new PlainError(`The database user at ${where} is not allowed to create tables. Make it the owner of the database.`, options);
  if (isUnreachable(error)) {
    return new PlainError(
      `PostgreSQL at ${where} cannot be reached (${code ?? messageOf(error)}). Check that it runs and that --database-url is right.`,
      { ...options, retry: true },
    );
  }
  return new PlainError(`PostgreSQL at ${where} cannot be used: ${messageOf(error)}.`, options);
}

/** A write was under way when the connection broke: nobody knows whether it was kept, so it is not repeated here. */
export function interrupted(error: unknown): PlainError {
  return new PlainError('The database went away in the middle of a change; it is done again as soon as the database is back.', {
    cause: error,
    retry: true,
  });
}

export function describeUrl(url: string): string {
  try {
    const { host, pathname, searchParams } = new URL(url);
    return `${host || searchParams.get('host') || 'the local socket'}${pathname}`;
  } catch {
    return 'the given address';
  }
}
