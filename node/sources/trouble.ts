import { PlainError } from '../errors.ts';

/** The ways in which asking a source can end badly, each with its sentence. Never any text of an answer: it may be a page of anybody. */
export function away(source: string, message: string, cause?: unknown): PlainError {
  return new PlainError(`${source} does not answer: ${message}.`, {
    cause,
    reason: { code: 'source-away', params: { source, message } },
    retry: true,
  });
}

export function refuses(source: string): PlainError {
  return new PlainError(`${source} no longer accepts the sign-in. Sign in again on its page.`, {
    reason: { code: 'source-refuses', params: { source } },
  });
}

export function another(source: string): PlainError {
  return new PlainError(`Another server answers at the address of ${source}; it was told nothing.`, {
    reason: { code: 'source-is-another', params: { source } },
  });
}

export function odd(source: string, message: string, cause?: unknown): PlainError {
  return new PlainError(`${source} gave an answer that makes no sense: ${message}.`, {
    cause,
    reason: { code: 'source-odd', params: { source, message } },
    retry: true,
  });
}
