import type { PathRule } from '../../core/commands.ts';
import { isProved } from '../../core/source-proof.ts';
import { isFetcher } from '../../core/source-words.ts';
import { listSourceLibraries } from '../../db/source-libraries.ts';
import { listSourcePaths } from '../../db/source-paths.ts';
import type { Source } from '../../db/sources.ts';
import { PlainError } from '../../errors.ts';
import { readText } from '../models/list-state.ts';
import { isCovered, watchedWords } from '../models/source-page.ts';
import { proposedRows, readRules, withProof, type PathRowView, type PathsPage } from '../models/source-paths.ts';
import { url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { queryOf, readForm } from './form.ts';
import { readMachines } from './library-read.ts';
import { readRoots, sourceOf } from './source-read.ts';

type Shown = Partial<Pick<PathsPage, 'problem' | 'looked' | 'allProved' | 'sure' | 'folder'>>;

/**
 * Which root each folder of a server is. Guessed rows ─▶ looked at on the disks ─▶ saved; a row that is not proved needs
 * one more tick. Libraries that a person wanted to watch travel along and are watched at the end.
 */
export const sourcePathPages: PageModule = (app, web) => {
  app.get('/sources/:id/paths', async (c) => {
    const source = await sourceOf(web, c);
    const query = queryOf(c);
    const watch = { keys: (query.get('watch') ?? '').split(','), lookFirst: query.get('look') === 'first' };
    return show(c, web, source, await guessed(web, source, c), watch, {});
  });

  app.post('/sources/:id/paths', async (c) => {
    const source = await sourceOf(web, c);
    const form = await readForm(c);
    const watch = wantedOf(form);
    const { rules, rows } = readRules(form, await readRoots(web));
    if (!rules) return show(c, web, source, rows, watch, { problem: 'Nothing was saved yet: a row needs a look.' });
    if (rules.length === 0 && rows.some((row) => row.prefix !== ''))
      return show(c, web, source, rows, watch, { problem: 'Say for at least one row where it is here.' });
    if (form.get('do') === 'save') return save(c, web, source, { rules, rows, watch, sure: form.get('sure') === 'on' });
    return prove(c, web, source, { rules, rows, watch });
  });

  app.post('/sources/:id/folder', async (c) => {
    const source = await sourceOf(web, c);
    const form = await readForm(c);
    const typed = { path: readText(form.get('path'), 4096) ?? '', node: readText(form.get('node'), 128) ?? '' };
    const watch = wantedOf(form);
    try {
      if (!typed.path) throw new PlainError('Say which folder: its whole path on that machine, for example /mnt/films.');
      // nobody has said yet that its films shall be converted
      const name = await nameOfOnly(web, source.id, watch.keys);
      const wish = { path: typed.path, ...(typed.node ? { node: typed.node } : {}), ...(name ? { name } : {}), lookFirst: true };
      await web.commands.addLibrary(wish, c.get('actor'));
    } catch (error) {
      if (!(error instanceof PlainError)) throw error;
      return show(c, web, source, await guessed(web, source, c), watch, { folder: { ...typed, problem: error.message } });
    }
    return web.act(c, async () => 'The folder is known now and is being looked through. Rows are guessed better when that is over.', {
      back: url.sourcePaths(source.id, { watch: watch.keys.join(','), look: watch.lookFirst ? 'first' : null }),
    });
  });
};

/** What a person ticked before he came here. */
interface Wanted {
  keys: string[];
  lookFirst: boolean;
}

interface Typed {
  rules: PathRule[];
  rows: PathRowView[];
  watch: Wanted;
}

function wantedOf(form: URLSearchParams): Wanted {
  return { keys: form.getAll('watch'), lookFirst: form.get('look') === 'first' };
}

async function prove(
  c: Ctx,
  web: Web,
  source: Source,
  { rules, rows, watch }: Typed,
  refused?: { problem: string; sure: boolean },
): Promise<Response> {
  try {
    const proofs = await web.commands.provePaths(source.id, rules, c.get('actor'));
    const allProved = rules.every((rule) => proofs.some((p) => p.prefix === rule.prefix && isProved(p)));
    return await show(c, web, source, withProof(rows, proofs), watch, { looked: true, allProved, ...refused });
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    return show(c, web, source, rows, watch, { problem: error.message });
  }
}

async function save(c: Ctx, web: Web, source: Source, typed: Typed & { sure: boolean }): Promise<Response> {
  try {
    await web.commands.savePaths(source.id, typed.rules, typed.sure, c.get('actor'));
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    return prove(c, web, source, typed, { problem: error.message, sure: !typed.sure });
  }
  return web.act(
    c,
    async () => {
      const keys = await stillWanted(web, source.id, typed.watch.keys);
      if (typed.watch.keys.length === 0 || keys.length === 0) return 'Saved. Its films are looked for there from now on.';
      await web.commands.watchLibraries(source.id, keys, { lookFirst: typed.watch.lookFirst }, c.get('actor'));
      return watchedWords(keys.length);
    },
    { back: url.source(source.id) },
  );
}

/** Of what a person ticked before he came here, what the server still has. */
async function stillWanted(web: Web, id: number, watch: readonly string[]): Promise<string[]> {
  return (await listSourceLibraries(web.db, id)).filter((l) => l.goneAt === null && watch.includes(l.key)).map((l) => l.key);
}

/** The title of the one library that a person came here for: then its folder is called like it. */
async function nameOfOnly(web: Web, id: number, watch: readonly string[]): Promise<string | null> {
  const wanted = (await listSourceLibraries(web.db, id)).filter((l) => watch.includes(l.key) && !l.watched);
  return wanted.length === 1 ? wanted[0]!.title.slice(0, 200) : null;
}

/** Saved rules, and what the coordinator guesses for the rest; a server that does not answer leaves the saved ones to edit. */
async function guessed(web: Web, source: Source, c: Ctx): Promise<PathRowView[]> {
  const saved = await listSourcePaths(web.db, source.id);
  try {
    const proposals = await web.commands.proposePaths(source.id, c.get('actor'));
    const libraries = await listSourceLibraries(web.db, source.id);
    const known = [...saved, ...proposals];
    // a folder that nobody could guess still gets its row: only its place is missing
    const bare = [...new Set(libraries.filter((l) => l.goneAt === null).flatMap((l) => l.folders))]
      .filter((path) => !isCovered(path, known))
      .map((prefix) => ({ prefix, rootId: '', folder: '', matched: 0, of: 0 }));
    return proposedRows(saved, [...proposals, ...bare]);
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    return proposedRows(saved, []);
  }
}

async function show(c: Ctx, web: Web, source: Source, rows: PathRowView[], watch: Wanted, shown: Shown): Promise<Response> {
  const [roots, machines, libraries] = await Promise.all([readRoots(web), readMachines(web), listSourceLibraries(web.db, source.id)]);
  const wanted = libraries.filter((l) => l.goneAt === null && watch.keys.includes(l.key));
  const placed = rows.filter((row) => row.prefix !== '' && row.root !== '').map((row) => ({ ...row, rootId: row.root }));
  const matters = libraries.filter((l) => l.goneAt === null && (l.watched || wanted.includes(l)));
  const model: PathsPage = {
    id: source.id,
    name: source.name,
    fetches: isFetcher(source.kind),
    rows,
    roots,
    problem: '',
    // nothing can be looked for: what is typed can be saved at once
    looked: isFetcher(source.kind),
    allProved: false,
    sure: false,
    watch: wanted.map((l) => l.key),
    lookFirst: watch.lookFirst,
    watchTitles: wanted
      .filter((l) => !l.watched)
      .map((l) => l.title)
      .join(', '),
    uncovered: matters.flatMap((l) => l.folders).filter((path) => !isCovered(path, placed)),
    machines,
    folder: { path: '', node: '', problem: '' },
    ...shown,
  };
  const status = shown.problem || shown.folder?.problem ? 422 : 200;
  return web.page(c, { title: `Paths of ${source.name}`, section: 'library', view: 'sources/paths', model, status });
}
