import path from 'node:path';
import { PlainError } from '../errors.ts';
import type { KeeperRoots, RootReport } from '../keeper/roots.ts';
import { isWithin } from './data-dir.ts';
import type { House } from './house.ts';
import type { Member } from './member.ts';

/**
 * The folders of the command line become libraries as soon as somebody coordinates: by this process when it does, else
 * over this machine's own dashboard, which leads to whoever does. Without folders it only waits a moment, so that a page
 * that opens at once can also act at once.
 * @throws PlainError when a folder cannot be a library
 */
export async function addFolders(house: House, member: Member, folders: readonly string[]): Promise<void> {
  const here: string[] = [];
  for (const folder of folders.map((each) => path.resolve(each))) {
    const away = (await house.roots.report()).find((root) => isWithin(root.path, folder) && isAway(root));
    if (away) house.log.warn({ folder, why: away.problem }, 'this library is not there now; it is looked at when its disk is back');
    else here.push(folder);
  }
  if (here.length === 0) return void (await led(house, member, 10_000));
  for (const folder of here) await addFolder(house, member, folder);
}

/** Where the libraries that this machine already has lie or lay. */
export async function placesOf(roots: KeeperRoots): Promise<string[]> {
  return (await roots.report()).map((root) => root.path);
}

/** The empty directory that a disk leaves behind must not become a library of its own at every start. */
function isAway(root: RootReport): boolean {
  return root.problem !== null && root.problem !== 'read-only';
}

async function addFolder(house: House, member: Member, folder: string): Promise<void> {
  for (;;) {
    await led(house, member, Infinity);
    try {
      if (member.coordinator?.term() != null) {
        await member.coordinator.commands.addLibrary(
          { path: folder, node: house.id, lookFirst: house.options.lookFirst },
          { name: 'the command line', via: 'cli' },
        );
        return;
      }
      if (await overThePage(house, folder)) return;
    } catch (error) {
      if (!(error instanceof PlainError && error.retry)) throw error;
    }
    await pause(1000);
  }
}

/** False: nobody could be asked now. */
async function overThePage(house: House, folder: string): Promise<boolean> {
  const answer = await fetch(new URL('/api/v1/libraries', house.url()), {
    method: 'POST',
    headers: { authorization: `Bearer ${house.secret}`, 'content-type': 'application/json' },
    body: JSON.stringify({ path: folder, node: house.id, lookFirst: house.options.lookFirst }),
    signal: AbortSignal.any([house.signal, AbortSignal.timeout(20_000)]),
  }).catch(() => null);
  if (!answer || answer.status >= 500) return false;
  if (answer.ok) return true;
  const said = (await answer.json().catch(() => null)) as { error?: { message?: string } } | null;
  throw new PlainError(said?.error?.message ?? `The folder ${folder} could not be added (${answer.status}).`);
}

/** Until somebody coordinates, as far as this node knows. */
async function led(house: House, member: Member, ms: number): Promise<void> {
  const until = performance.now() + ms;
  while (performance.now() < until) {
    if (house.signal.aborted) throw new PlainError('Stopped before the start was complete.');
    const standing = member.standing();
    if (standing.state === 'member' && standing.coordinator) return;
    await pause(50);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
