/**
 * Every point at which `fault` is called, in order, per way: `swap:kept` is "this step is on the disk now", the others lie
 * between two system calls. The crash test ends the process at each of them and fails when this list and the code differ.
 */
const begin = ['prepared', 'lock named', 'lock made', 'locked'];
const check = ['fetched', 'checked'];
const place = ['trash ready'];
const over = ['output renamed', 'replaced'];
const end = ['old trash left', 'lock removed', 'unlocked', 'done'];
const dressed = ['output dressed', 'dressed'];

const sameName = ['dressed', ...place, 'original linked', 'kept', ...over];
const sameNameRenamed = ['dressed', ...place, 'kept', 'kept', ...place, 'original renamed away', ...over];
const otherName = ['new name made', 'appeared', 'appeared', ...place, 'original renamed away', 'left', 'waiting name removed', 'replaced'];

export const swapSteps: Record<Way, readonly string[]> = {
  sameName: of('swap', [...begin, ...check, ...dressed, ...sameName, ...end]),
  otherName: of('swap', [...begin, ...check, ...dressed, ...otherName, ...end]),
  sameNameWithoutLinks: of('swap', [...begin, ...check, ...dressed, ...sameNameRenamed, ...end]),
  otherNameWithoutLinks: of('swap', [...begin, ...check, ...dressed, ...otherName, ...end]),
  restoreSameName: of('restore', [...begin, 'original fetched', ...check, 'dressed', ...sameName, ...end]),
  restoreOtherName: of('restore', [...begin, 'original fetched', ...check, 'dressed', ...otherName, ...end]),
  restoreWithoutLinks: of('restore', [...begin, 'original fetched', ...check, 'dressed', ...sameNameRenamed, ...end]),
};

type Way =
  | 'sameName'
  | 'otherName'
  | 'sameNameWithoutLinks'
  | 'otherNameWithoutLinks'
  | 'restoreSameName'
  | 'restoreOtherName'
  | 'restoreWithoutLinks';

/** A single word is a step of the journal and carries its kind. */
function of(kind: 'swap' | 'restore', points: string[]): string[] {
  return points.map((point) => (point.includes(' ') ? point : `${kind}:${point}`));
}
