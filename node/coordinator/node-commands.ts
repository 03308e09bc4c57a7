import type { Commands } from '../core/commands.ts';
import { PlainError } from '../errors.ts';
import type { CoordinatorParts, Term } from './coordinator.ts';

type NodeCommands =
  | 'approveNode'
  | 'declineNode'
  | 'removeNode'
  | 'changeNode'
  | 'handOver'
  | 'locateRoot'
  | 'createJoinToken'
  | 'revokeJoinToken'
  | 'renameCluster';

/** What a person may do with the machines of the house. */
export function nodeCommands(_parts: CoordinatorParts, _term: Term): Pick<Commands, NodeCommands> {
  const later = async (): Promise<never> => {
    throw new PlainError('not built yet');
  };
  return {
    approveNode: later,
    declineNode: later,
    removeNode: later,
    changeNode: later,
    handOver: later,
    locateRoot: later,
    createJoinToken: later,
    revokeJoinToken: later,
    renameCluster: later,
  };
}
