import { lstatSync, type BigIntStats } from 'node:fs';
import type { Fingerprint } from '../core/media.ts';
import { reason } from '../core/reasons.ts';
import { codeOf, PlainError } from '../errors.ts';
import { lstatIfThere } from './durable.ts';
import { fingerprint, mtimeOf, sameContent } from './fingerprint.ts';
import type { Journal } from './journal.ts';

/** Does this file stand under this name, by its bytes? Inodes are no proof here: some file systems renumber at a mount. */
export async function holds(path: string, wanted: Fingerprint | null): Promise<boolean> {
  const found = await lstatIfThere(path);
  if (!found?.isFile() || wanted === null || Number(found.size) !== wanted.sizeBytes) return false;
  return sameContent(await fingerprint(path), wanted);
}

/** The very file of the fingerprint, as far as one system call tells. */
export function isStill(found: BigIntStats | null, wanted: Fingerprint | null): boolean {
  if (!found?.isFile() || wanted === null) return false;
  return Number(found.size) === wanted.sizeBytes && mtimeOf(found) === wanted.mtimeMs && String(found.ino) === wanted.inode;
}

export function statIfThereSync(path: string): BigIntStats | null {
  try {
    return lstatSync(path, { bigint: true });
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

export function changed(path: string, cause?: unknown): PlainError {
  return new PlainError(`${path} is not the file any more that was looked at. It was left alone.`, {
    cause,
    reason: reason('file-changed'),
    retry: true,
  });
}

export function gone(path: string, cause?: unknown): PlainError {
  return new PlainError(`${path} is gone, so nothing was replaced.`, { cause, reason: reason('original-gone') });
}

export function outputGone(path: string, cause?: unknown): PlainError {
  return new PlainError(`The output ${path} is not there any more, so nothing was replaced.`, {
    cause,
    retry: true,
    reason: reason('delivery-failed', { message: 'the output is not there any more' }),
  });
}

export function targetExists(name: string): PlainError {
  return new PlainError(`There is already a file called ${name}. It was not overwritten, and the original stays.`, {
    reason: reason('target-exists', { name }),
  });
}

export function inTheWay(name: string): PlainError {
  return new PlainError(`${name} is in the way and CodecShift did not make it. Everything was left alone.`, {
    reason: reason('foreign-file', { name }),
  });
}

/** Neither forward nor back can be proved right: both files stay where they are until a person looks. */
export function unclear(journal: Journal, message: string): PlainError {
  return new PlainError(`The replacement of ${journal.path} (attempt ${journal.attempt}) is unclear: ${message}. Nothing was deleted.`, {
    reason: reason('swap-unclear', { message }),
    retry: true,
  });
}

const passingReasons = new Set(['disk-full', 'read-only', 'root-not-mounted', 'interrupted']);

/**
 * The disk would not do it at this moment: full, read-only, failing, away. That makes nothing unclear; the next step is still the
 * right one and is tried again.
 */
export function isPassing(error: unknown): boolean {
  if (error instanceof PlainError) return passingReasons.has(error.reason?.code ?? '') || isSystemError(error.cause);
  return isSystemError(error);
}

/**
 * Of the system, by the form of its code (`ENOSPC`); Node's own begin with `ERR_`. That something is not there is no trouble of the
 * disk: a folder that a person moved does not come back by waiting.
 */
function isSystemError(error: unknown): boolean {
  return /^E(?!RR_|NOENT$|NOTDIR$)[A-Z0-9]+$/.test(codeOf(error) ?? '');
}

/** Whatever went wrong, as a sentence about this file. */
export function swapError(error: unknown, journal: Pick<Journal, 'kind' | 'path'>): unknown {
  const code = codeOf(error);
  if (error instanceof PlainError || code === null || code === 'ABORT_ERR') return error;
  const doing = journal.kind === 'swap' ? 'replaced' : 'restored';
  const known =
    code === 'ENOSPC' || code === 'EDQUOT' ? reason('disk-full', { where: journal.path }) : code === 'EROFS' ? reason('read-only') : null;
  return new PlainError(`${journal.path} could not be ${doing} (${code}). Everything is as it was.`, {
    cause: error,
    retry: !isForbidden(code),
    reason: known ?? reason(journal.kind === 'swap' ? 'swap-failed' : 'restore-failed', { message: whyRefused(code) }),
  });
}

/**
 * Linux says so of what is immutable, append-only, or another's in a folder like /tmp: that stays, and to encode the film twice more
 * would end the same way. Elsewhere a player that has the film open gives the same code.
 */
function isForbidden(code: string): boolean {
  return code === 'EPERM' && process.platform === 'linux';
}

function whyRefused(code: string): string {
  if (isForbidden(code)) return `the system forbids it (${code}): the file or its folder is protected against changes`;
  if (code === 'EPERM' || code === 'EACCES') return `CodecShift may not change the file or its folder (${code})`;
  if (code === 'EBUSY' || code === 'ETXTBSY') return `another program holds the file (${code})`;
  return code;
}
