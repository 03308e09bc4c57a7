import { sourceNames } from '../../core/source-words.ts';
import { readLibrary } from '../../db/libraries.ts';
import { readSourceLibrary } from '../../db/source-libraries.ts';
import { readSource } from '../../db/sources.ts';
import { PlainError } from '../../errors.ts';
import { originTitle, readScanningForm, scanningForm, type LibraryOrigin, type ScanningForm } from '../models/library-source.ts';
import { sourceState } from '../models/sources.ts';
import { url } from '../routes.ts';
import type { PageModule, Web } from '../web.ts';
import { readForm } from './form.ts';

/** How often a library is looked through, and whether changes on its disk are noticed at once. */
export function scanningRoute(app: Parameters<PageModule>[0], web: Web, libraryId: (c: Parameters<Web['act']>[0]) => number): void {
  app.post('/library/:id/scanning', async (c) => {
    const id = libraryId(c);
    const form = await readForm(c);
    return web.act(
      c,
      async () => {
        const wish = readScanningForm(form);
        if ('problem' in wish) throw new PlainError(wish.problem);
        await web.commands.changeLibrary(id, wish, c.get('actor'));
        return 'Saved. It applies from the next scan on.';
      },
      { back: `${url.library(id)}#scanning` },
    );
  });
}

/** Null: it is a plain folder. */
export async function readOrigin(web: Web, library: { sourceLibraryId: number | null }): Promise<LibraryOrigin | null> {
  const offered = library.sourceLibraryId === null ? null : await readSourceLibrary(web.db, library.sourceLibraryId);
  const source = offered && (await readSource(web.db, offered.sourceId));
  if (!offered || !source) return null;
  return {
    sourceId: source.id,
    source: source.name,
    kindWord: sourceNames[source.kind],
    title: originTitle(offered.title),
    state: sourceState(source, web.now()),
    listedAt: offered.listedAt,
    gone: offered.goneAt !== null,
  };
}

/** Both cards of a library's page about how its films are found. */
export async function readFinding(web: Web, id: number): Promise<{ origin: LibraryOrigin | null; scanning: ScanningForm | null }> {
  const library = await readLibrary(web.db, id);
  if (!library) return { origin: null, scanning: null };
  return { origin: await readOrigin(web, library), scanning: scanningForm(library, web.settings()['scan.everyMinutes']) };
}
