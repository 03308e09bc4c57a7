import type { Standing } from '../../core/standing.ts';
import type { Visitor } from '../security.ts';
import { askCoordinator } from './ask.ts';
import type { FrontParts } from './parts.ts';
import type { Reach } from './reach.ts';

/**
 * Can this machine do its part, in words that give nothing away? Ready: it is a member, it reaches the coordinator (or is it),
 * and the coordinator has its books (web/ready.ts).
 */
export async function readyWords(
  parts: Pick<FrontParts, 'standing'>,
  reach: Reach,
  host: string,
  visitor: Visitor,
): Promise<{ ready: boolean; words: string }> {
  const standing = parts.standing();
  if (standing.state !== 'member') return { ready: false, words: outside[standing.state] };
  const way = reach.way();
  if (way.kind === 'nowhere')
    return { ready: false, words: standing.coordinator ? 'The coordinator does not answer this machine.' : 'Nobody coordinates.' };
  const answer = await askCoordinator(way, '/readyz', { host }, visitor);
  if (!answer) return { ready: false, words: 'The coordinator does not answer this machine.' };
  return { ready: answer.status === 200, words: answer.text.trim() || 'The coordinator is not ready.' };
}

const outside: Record<Exclude<Standing['state'], 'member'>, string> = {
  starting: 'This machine is starting.',
  listening: 'This machine looks for a cluster.',
  founding: 'This machine starts a cluster of its own.',
  restoring: 'This machine puts a backup back.',
  asking: 'This machine asks to join a cluster.',
  pending: 'This machine waits to be approved by a person.',
  rejected: 'This machine was rejected.',
  revoked: 'This machine was removed from its cluster.',
};
