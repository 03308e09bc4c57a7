import { sentence } from '../../core/reasons.ts';
import { listFiles } from '../../db/file-lists.ts';
import { jobsOfFile } from '../../db/job-lists.ts';
import { readFile, type MediaFileRow } from '../../db/media-files.ts';
import { listOriginals, readOriginal, type Original } from '../../db/originals.ts';
import { refuse } from '../errors.ts';
import type { Web } from '../web.ts';
import { bodyAs, filesQuery, nothingBody, pathId, queryAs, type ApiContext } from './v1.ts';

type Route = (path: string, answer: (c: ApiContext) => Promise<Response>) => void;

/** Files and their originals: what was found, what it will become and why, and what a person wishes about it. */
export function fileRoutes(get: Route, post: Route, web: Web): void {
  const { db, commands } = web;

  get('/files', async (c) => {
    const { library, status, format, reason, q, sort, limit, after, before } = queryAs(c, filesQuery);
    const page = await listFiles(
      db,
      {
        libraryId: library ?? null,
        status: status ?? null,
        codec: format ?? null,
        reason: reason ?? null,
        search: q?.trim() || null,
        sort,
      },
      { after: after ?? null, before: before ?? null, size: limit },
    );
    return c.json({ items: page.rows.map(fileJson), before: page.before, after: page.after });
  });

  get('/files/:id', async (c) => {
    const id = pathId(c, 'file');
    const file = await readFile(db, id);
    if (!file) throw refuse('not-found', `There is no file ${id}.`);
    const [jobs, originals] = await Promise.all([jobsOfFile(db, id), listOriginals(db, id)]);
    return c.json({
      ...fileJson(file),
      probe: file.probe,
      jobs: jobs.map(({ id: job, state, outcome, finishedAt }) => ({ id: job, state, outcome, finishedAt })),
      originals: originals.map(originalJson),
    });
  });

  const act = (name: string, run: (id: number, c: ApiContext) => Promise<object>): void =>
    post(`/files/:id/${name}`, async (c) => {
      const id = pathId(c, 'file');
      await bodyAs(c, nothingBody);
      if (!(await readFile(db, id))) throw refuse('not-found', `There is no file ${id}.`);
      return c.json(await run(id, c));
    });
  act('retry', async (id, c) => ({ id, job: await commands.retryFile(id, c.get('actor')) }));
  act('exclude', async (id, c) => (await commands.excludeFile(id, c.get('actor')), { id }));
  act('include', async (id, c) => (await commands.includeFile(id, c.get('actor')), { id }));

  post('/originals/:id/restore', async (c) => {
    const id = pathId(c, 'original');
    await bodyAs(c, nothingBody);
    if (!(await readOriginal(db, id))) throw refuse('not-found', `There is no original ${id}.`);
    await commands.restore(id, c.get('actor'));
    return c.json({ id });
  });
  post('/originals/:id/accept', async (c) => {
    const id = pathId(c, 'original');
    await bodyAs(c, nothingBody);
    if (!(await readOriginal(db, id))) throw refuse('not-found', `There is no original ${id}.`);
    await commands.acceptCopy(id, c.get('actor'));
    return c.json({ id });
  });
}

function fileJson(file: MediaFileRow): object {
  const { id, libraryId, path, title, detail, sizeBytes, mtimeMs, links, container, codec, width, height, durationMs, bitrate } = file;
  const { bitDepth, hdr, status, reason, expectedBytes, originalBytes, excludedBy, createdAt, updatedAt } = file;
  return {
    ...{
      id,
      libraryId,
      path,
      title,
      detail,
      sizeBytes,
      mtimeMs,
      links,
      container,
      codec,
      width,
      height,
      durationMs,
      bitrate,
      bitDepth,
      hdr,
    },
    status,
    reason: reason && { code: reason.code, params: reason.params ?? {}, sentence: sentence(reason) },
    ...{ expectedBytes, originalBytes, excludedBy, createdAt, updatedAt },
  };
}

function originalJson({ id, jobId, path, sizeBytes, state, createdAt, expiresAt, endedAt, recheck, recheckNote }: Original): object {
  const note = recheckNote && { ...recheckNote, sentence: sentence(recheckNote) };
  return { id, jobId, path, sizeBytes, state, createdAt, expiresAt, endedAt, recheck, recheckNote: note };
}
