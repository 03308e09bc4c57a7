import type { Chosen } from '../../db/cleanups.ts';
import type { TrashOfRoot } from '../../db/originals.ts';
import { plural, size } from '../format.ts';
import { url } from '../routes.ts';

/** The last question before something is deleted. */
export interface CleanupConfirm {
  question: string;
  text: string;
  /** what a person has to tick; null when nothing special is to be said */
  sure: string | null;
  action: string;
  hidden: [string, string][];
  button: string;
  back: string;
  problem: string | null;
}

export function deleteQuestion(id: number, names: string, chosen: Chosen, problem: string | null): CleanupConfirm {
  const what = `${plural(chosen.files, 'file')}, ${size(chosen.bytes)}`;
  return {
    question: `Delete ${what} from ${names}?`,
    text: 'Each is looked at once more before it goes; what changed or is in use stays. Deleted files cannot be brought back.',
    sure:
      chosen.asked > 0
        ? `${plural(chosen.asked, 'file')} of these (${size(chosen.askedBytes)}) ${chosen.asked === 1 ? 'was' : 'were'} perhaps not made by CodecShift. I know what ${chosen.asked === 1 ? 'it is' : 'they are'}, and ${chosen.asked === 1 ? 'it' : 'they'} may go.`
        : null,
    action: url.cleanupAction(id, 'delete'),
    hidden: [['asked', String(chosen.asked)]],
    button: `Delete ${what}`,
    back: url.cleanupList(id),
    problem,
  };
}

export function emptyQuestion(names: string, trash: TrashOfRoot, problem: string | null): CleanupConfirm {
  const files = trash.files - trash.held;
  const what = `${plural(files, 'original')}, ${size(trash.bytes - trash.heldBytes)}`;
  const looked = trash.held - trash.stay;
  const held =
    (looked > 0 ? ` ${plural(looked, 'original')} ${looked === 1 ? 'stays' : 'stay'} until another look at the new file.` : '') +
    (trash.stay > 0
      ? ` ${plural(trash.stay, 'original')} that ${trash.stay === 1 ? 'was' : 'were'} only found there ${trash.stay === 1 ? 'stays' : 'stay'}.`
      : '');
  return {
    question: `Empty the trash of ${names}?`,
    text: `${what} will be deleted now, before their time is over. That cannot be undone: none of these films can be put back to its original afterwards.${held}`,
    sure: 'I have no need of these originals any more.',
    action: url.cleanupTrash(),
    hidden: [
      ['root', trash.rootId],
      ['upTo', String(trash.upTo)],
    ],
    button: `Delete ${what} for good`,
    back: url.cleanup(),
    problem,
  };
}
