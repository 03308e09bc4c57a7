import type { Commands } from '../core/commands.ts';
import { PlainError } from '../errors.ts';
import type { CoordinatorParts } from './coordinator.ts';
import type { Term } from './term.ts';
import { sourceAdding } from './source-adding.ts';
import { sourceHooks } from './source-hooks.ts';
import { sourceMapping } from './source-mapping.ts';
import { sourceWatching } from './source-watching.ts';

const names = [
  'trySource',
  'beginPlexSignIn',
  'askPlexSignIn',
  'addSource',
  'changeSource',
  'removeSource',
  'refreshSource',
  'proposePaths',
  'provePaths',
  'savePaths',
  'watchLibraries',
  'makeHook',
  'hookCame',
  'tellSourceAgain',
] as const;

/** Media servers and the programs that fetch films: adding, mapping, watching and telling them. */
export type SourceCommands = Pick<Commands, (typeof names)[number]>;

export function sourceCommands(parts: CoordinatorParts, term: Term): SourceCommands {
  const { outside } = term;
  if (!outside) {
    const none = (): Promise<never> => Promise.reject(new PlainError('This machine speaks with no media server.'));
    return Object.fromEntries(names.map((name) => [name, none])) as unknown as SourceCommands;
  }
  return {
    ...sourceAdding(parts, term, outside),
    ...sourceMapping(parts, term, outside),
    ...sourceWatching(parts, term),
    ...sourceHooks(parts, term, outside),
  };
}
