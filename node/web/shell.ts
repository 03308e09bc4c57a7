import { countsByState } from '../db/counters.ts';
import { listLibraries } from '../db/libraries.ts';
import { listNodes } from '../db/nodes.ts';
import { runningScans } from '../db/scans.ts';
import { readSettings } from '../db/settings.ts';
import { askingViews } from './models/nodes-page.ts';
import type { ShellStatus } from './models/shell.ts';
import type { Web } from './web.ts';

/** What the frame shows on every page: how much waits, whether it is paused and by whom, which scans run. */
export async function readShellStatus(web: Pick<Web, 'db' | 'settings' | 'now'>): Promise<ShellStatus> {
  const [counts, libraries, scans, nodes] = await Promise.all([
    countsByState(web.db),
    listLibraries(web.db),
    runningScans(web.db),
    listNodes(web.db),
  ]);
  const names = new Map(libraries.map((l) => [l.id, l.name]));
  return {
    waiting: counts.available,
    asking: askingViews(nodes, web.now()).pending.length,
    paused: web.settings()['queue.paused'] === true ? await readPause(web) : null,
    scanning: scans.map((scan) => ({ id: scan.id, library: names.get(scan.libraryId) ?? '', seen: scan.seen, inspected: scan.inspected })),
    hasLibraries: libraries.length > 0,
  };
}

/** Until people sign in, who pressed the button is known only by where it was pressed. */
async function readPause({ db, now }: Pick<Web, 'db' | 'now'>): Promise<NonNullable<ShellStatus['paused']>> {
  const row = (await readSettings(db)).find((r) => r.key === 'queue.paused');
  if (!row) return { who: '', at: now() };
  const places = ['the dashboard', 'the command line'];
  return { who: places.includes(row.updatedBy) ? `from ${row.updatedBy}` : `by ${row.updatedBy}`, at: row.updatedAt };
}

/** The frame's own live parts; every stream carries them beside those of its page. */
export function registerShell(web: Web): void {
  const part = (view: string) => async (): Promise<string> => web.views.render(view, { status: await readShellStatus(web) });
  web.live.register('shell', {
    regions: {
      'nav-waiting': { on: ['queue.changed', 'job.changed'], everyMs: 2000, render: part('shared/_waiting') },
      'nav-asking': { on: ['node.changed'], everyMs: 2000, render: part('shared/_asking') },
      banner: { on: ['settings.changed', 'scan.progressed', 'library.changed'], render: part('shared/_banner') },
      'run-actions': { on: ['settings.changed', 'library.changed'], render: part('shared/_run-actions') },
    },
  });
}
