import { countsByState } from '../db/counters.ts';
import { listLibraries } from '../db/libraries.ts';
import type { ShellStatus } from './models/shell.ts';
import type { Web } from './web.ts';

/** What the frame shows on every page: how much waits, whether it is paused, which scans run. */
export async function readShellStatus(web: Pick<Web, 'db' | 'settings'>): Promise<ShellStatus> {
  const [counts, libraries] = await Promise.all([countsByState(web.db), listLibraries(web.db)]);
  return {
    waiting: counts.available,
    failed: counts.failed,
    paused: web.settings()['queue.paused'] === true ? { by: '', at: new Date() } : null,
    scanning: [],
    hasLibraries: libraries.length > 0,
  };
}

/** The frame's own live parts; every stream carries them beside those of its page. */
export function registerShell(web: Web): void {
  const status = () => readShellStatus(web);
  web.live.register('shell', {
    regions: {
      'nav-waiting': { on: ['queue.changed', 'job.changed'], everyMs: 2000, render: async () => web.views.render('shared/_waiting', { status: await status() }) },
      banner: { on: ['queue.changed', 'settings.changed', 'scan.progressed'], render: async () => web.views.render('shared/_banner', { status: await status() }) },
      'run-actions': { on: ['settings.changed', 'queue.changed', 'library.changed'], render: async () => web.views.render('shared/_run-actions', { status: await status() }) },
    },
  });
}
