import { activityForFile } from '../../db/activity.ts';
import { jobsOfFile } from '../../db/job-lists.ts';
import { fileCounts, readLibrary } from '../../db/libraries.ts';
import { readFile } from '../../db/media-files.ts';
import { listOriginals } from '../../db/originals.ts';
import { itemsOfFile } from '../../db/source-items.ts';
import { messagesOfFile } from '../../db/source-messages.ts';
import { refuse } from '../errors.ts';
import { filePage, type FileList, type FilePage } from '../models/file-page.ts';
import { fileStatuses } from '../models/library.ts';
import { readListState, type ListState } from '../models/list-state.ts';
import { idFrom } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { queryOf, readForm } from './form.ts';
import { readFiles, statusAsState } from './library-read.ts';

/** Every file has a page that says what it is, why it is treated as it is, and what happened to it. */
export const filePages: PageModule = (app, web) => {
  const allFiles = async (state: ListState): Promise<FileList> => {
    const counts = await fileCounts(web.db);
    const there = counts.filter((cell) => cell.status !== 'missing');
    return readFiles(
      web,
      state,
      null,
      there.reduce((sum, cell) => sum + cell.files, 0),
    );
  };
  app.get('/files', async (c) => {
    const state = readListState(statusAsState(queryOf(c)), ['all', ...fileStatuses.map((s) => s.status)]);
    const files = await allFiles(state);
    return web.page(c, {
      title: state.search ? 'Found files' : 'Files',
      section: 'library',
      view: 'files/index',
      model: { files },
      search: state.search ?? '',
      live: { view: 'files', refresh: false },
    });
  });
  web.live.register('files', {
    regions: {
      'files-live': {
        on: ['library.changed', 'scan.progressed', 'job.changed', 'queue.changed'],
        everyMs: 3000,
        render: async () => web.views.render('files/_rows', await allFiles(readListState(new URLSearchParams(), ['all']))),
      },
    },
  });

  app.get('/files/:id', async (c) => {
    const page = await readFilePage(web, fileId(c));
    return web.page(c, {
      title: page.title,
      section: 'library',
      view: 'files/show',
      model: page,
      live: { view: 'file', query: { id: page.id } },
    });
  });

  app.post('/files/:id/retry', (c) =>
    web.act(c, async () => {
      await web.commands.retryFile(fileId(c), c.get('actor'));
      return 'The file was looked at again and is in the queue.';
    }),
  );
  app.post('/files/:id/exclude', (c) =>
    web.act(c, async () => {
      await web.commands.excludeFile(fileId(c), c.get('actor'));
      return 'This file is left alone from now on.';
    }),
  );
  app.post('/files/:id/include', (c) =>
    web.act(c, async () => {
      await web.commands.includeFile(fileId(c), c.get('actor'));
      return 'This file may be converted again.';
    }),
  );
  app.post('/files/:id/restore', (c) =>
    web.act(c, async () => {
      const id = fileId(c);
      const wanted = idFrom((await readForm(c)).get('original') ?? undefined);
      const original = (await listOriginals(web.db, id)).find((o) => o.id === wanted && o.state === 'kept');
      if (!original) throw refuse('not-found', 'This original is no longer in the trash.');
      await web.commands.restore(original.id, c.get('actor'));
      return 'The original is being put back.';
    }),
  );

  web.live.register('file', {
    params: ['id'],
    regions: {
      'file-servers': {
        on: ['source.changed'],
        everyMs: 3000,
        render: async (params) => {
          const id = idFrom(params.get('id') ?? undefined);
          return id === null ? '' : web.views.render('files/_servers', await readFilePage(web, id));
        },
      },
      'file-state': {
        on: ['job.changed', 'library.changed'],
        when: (_type, event, params) => !('fileId' in event) || event.fileId === null || String(event.fileId) === params.get('id'),
        render: async (params) => {
          const id = idFrom(params.get('id') ?? undefined);
          return id === null ? '' : web.views.render('files/_state', await readFilePage(web, id));
        },
      },
    },
  });
};

function fileId(c: Ctx): number {
  const id = idFrom(c.req.param('id'));
  if (id === null) throw refuse('not-found', 'There is no such file.');
  return id;
}

async function readFilePage(web: Web, id: number): Promise<FilePage> {
  const file = await readFile(web.db, id);
  if (!file) throw refuse('not-found', `There is no file ${id}. It may have gone with its library.`);
  const [library, jobs, originals, items, messages, activity] = await Promise.all([
    readLibrary(web.db, file.libraryId),
    jobsOfFile(web.db, id),
    listOriginals(web.db, id),
    itemsOfFile(web.db, id),
    messagesOfFile(web.db, id),
    activityForFile(web.db, id),
  ]);
  return filePage({ file, library: library?.name ?? '', jobs, originals, items, messages, activity, now: web.now() });
}
