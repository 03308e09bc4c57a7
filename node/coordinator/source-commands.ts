import type { Commands } from '../core/commands.ts';
import { PlainError } from '../errors.ts';

/** Media servers and the programs that fetch films: adding, mapping, watching and telling them. */
export type SourceCommands = Pick<
  Commands,
  | 'trySource'
  | 'beginPlexSignIn'
  | 'askPlexSignIn'
  | 'addSource'
  | 'changeSource'
  | 'removeSource'
  | 'refreshSource'
  | 'proposePaths'
  | 'provePaths'
  | 'savePaths'
  | 'watchLibraries'
  | 'makeHook'
  | 'hookCame'
  | 'tellSourceAgain'
>;

export function sourceCommands(): SourceCommands {
  const notYet = (): Promise<never> => Promise.reject(new PlainError('Media servers cannot be added yet.'));
  return {
    trySource: notYet,
    beginPlexSignIn: notYet,
    askPlexSignIn: notYet,
    addSource: notYet,
    changeSource: notYet,
    removeSource: notYet,
    refreshSource: notYet,
    proposePaths: notYet,
    provePaths: notYet,
    savePaths: notYet,
    watchLibraries: notYet,
    makeHook: notYet,
    hookCame: notYet,
    tellSourceAgain: notYet,
  };
}
