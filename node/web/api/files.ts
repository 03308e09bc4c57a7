import * as v from 'valibot';
import { fileStatusNames } from '../../core/job.ts';
import { listFiles } from '../../db/file-lists.ts';
import { jobsOfFile } from '../../db/job-lists.ts';
import { readFile, type MediaFileRow } from '../../db/media-files.ts';
import { listOriginals, readOriginal, type Original } from '../../db/originals.ts';
import { refuse } from '../errors.ts';
import type { Web } from '../web.ts';
import { bytes, done, maybe, maybeReason, maybeTime, open, pageOf, reasonJson, time } from './answers.ts';
import { route, type ApiRoute, type Call } from './declare.ts';
import { format, library, numberOf, oneOf, paged, reasonCode, search, wishOf } from './inputs.ts';

const entries = {
  id: v.number(),
  libraryId: v.number(),
  path: v.string(),
  title: v.string(),
  detail: v.string(),
  sizeBytes: bytes,
  mtimeMs: v.number(),
  links: v.number(),
  container: maybe.text,
  codec: maybe.text,
  width: maybe.number,
  height: maybe.number,
  durationMs: maybe.number,
  bitrate: maybe.number,
  bitDepth: maybe.number,
  hdr: maybe.text,
  status: v.picklist(fileStatusNames),
  reason: maybeReason,
  expectedBytes: v.nullable(bytes),
  originalBytes: v.nullable(bytes),
  excludedBy: maybe.text,
  createdAt: time,
  updatedAt: time,
};

const detailAnswer = v.strictObject({
  ...entries,
  probe: v.nullable(open('what ffprobe found')),
  jobs: v.array(v.strictObject({ id: v.number(), state: v.string(), outcome: maybe.text, finishedAt: maybeTime })),
  originals: v.array(
    v.strictObject({
      id: v.number(),
      jobId: v.number(),
      path: v.string(),
      sizeBytes: bytes,
      state: v.picklist(['kept', 'restored', 'expired', 'gone']),
      createdAt: time,
      expiresAt: time,
      endedAt: maybeTime,
      recheck: v.nullable(v.picklist(['wanted', 'running', 'good', 'bad'])),
      recheckNote: maybeReason,
    }),
  ),
});

/** Files and their originals: what was found, what it will become and why, and what a person wishes about it. */
export const filesApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/files',
    right: 'read',
    in: 'Files',
    does: 'Files of the libraries, each with what will become of it and why.',
    query: v.strictObject({
      library,
      status: v.optional(oneOf(fileStatusNames)),
      format,
      reason: reasonCode,
      q: search,
      sort: v.optional(oneOf(['recent', 'title', 'saving']), 'recent'),
      ...paged,
    }),
    answer: pageOf(v.strictObject(entries)),
    run: async ({ web, query }) => {
      const { library: libraryId = null, status = null, format: codec = null, reason = null, q, sort } = query;
      const page = await listFiles(web.db, { libraryId, status, codec, reason, search: q?.trim() || null, sort }, wishOf(query));
      return { items: page.rows.map(fileJson), before: page.before, after: page.after };
    },
  }),
  route({
    method: 'GET',
    path: '/files/:id',
    right: 'read',
    in: 'Files',
    does: 'One file with its probe, its jobs and its originals.',
    params: { id: numberOf('file') },
    answer: detailAnswer,
    run: async ({ web: { db }, params: { id } }) => {
      const file = await readFile(db, id);
      if (!file) throw refuse('not-found', `There is no file ${id}.`);
      const [jobs, originals] = await Promise.all([jobsOfFile(db, id), listOriginals(db, id)]);
      return {
        ...fileJson(file),
        probe: file.probe,
        jobs: jobs.map(({ id: job, state, outcome, finishedAt }) => ({ id: job, state, outcome, finishedAt })),
        originals: originals.map(originalJson),
      };
    },
  }),
  route({
    method: 'POST',
    path: '/files/:id/retry',
    right: 'queue',
    in: 'Files',
    does: 'Looks at a file anew and queues it. Answers with its job, or says why it stays as it is.',
    params: { id: numberOf('file') },
    answer: v.strictObject({ id: v.number(), job: v.number() }),
    run: async (call) => {
      const id = await existingFile(call);
      return { id, job: await call.web.commands.retryFile(id, call.by) };
    },
  }),
  act('exclude', 'Leaves a file alone from now on.', (web, id, by) => web.commands.excludeFile(id, by)),
  act('include', 'Lets a file be converted that was left alone.', (web, id, by) => web.commands.includeFile(id, by)),
  ofOriginal(
    'restore',
    'Puts an original back from the trash; the new file takes its place there. Answers when it is done.',
    (web, id, by) => web.commands.restore(id, by),
  ),
  ofOriginal(
    'accept',
    'Says that a new file, found bad or doubted, is good as it is: its original expires like any other.',
    (web, id, by) => web.commands.acceptCopy(id, by),
  ),
];

type Act = (web: Web, id: number, by: Call<never, never, never>['by']) => Promise<void>;

function act(name: string, does: string, work: Act): ApiRoute {
  return route({
    method: 'POST',
    path: `/files/:id/${name}`,
    right: 'queue',
    in: 'Files',
    does,
    params: { id: numberOf('file') },
    answer: done,
    run: async (call) => {
      const id = await existingFile(call);
      await work(call.web, id, call.by);
      return { id };
    },
  });
}

function ofOriginal(name: string, does: string, work: Act): ApiRoute {
  return route({
    method: 'POST',
    path: `/originals/:id/${name}`,
    right: 'admin',
    in: 'Files',
    does,
    params: { id: numberOf('original') },
    answer: done,
    run: async ({ web, params: { id }, by }) => {
      if (!(await readOriginal(web.db, id))) throw refuse('not-found', `There is no original ${id}.`);
      await work(web, id, by);
      return { id };
    },
  });
}

async function existingFile({ web, params: { id } }: Pick<Call<{ id: number }, unknown, unknown>, 'web' | 'params'>): Promise<number> {
  if (!(await readFile(web.db, id))) throw refuse('not-found', `There is no file ${id}.`);
  return id;
}

function fileJson(file: MediaFileRow) {
  const { id, libraryId, path, title, detail, sizeBytes, mtimeMs, links, container, codec, width, height, durationMs, bitrate } = file;
  const { bitDepth, hdr, status, reason, expectedBytes, originalBytes, excludedBy, createdAt, updatedAt } = file;
  const video = { container, codec, width, height, durationMs, bitrate, bitDepth, hdr };
  return {
    ...{ id, libraryId, path, title, detail, sizeBytes, mtimeMs, links },
    ...video,
    ...{ status, reason: reasonJson(reason), expectedBytes, originalBytes, excludedBy, createdAt, updatedAt },
  };
}

function originalJson({ id, jobId, path, sizeBytes, state, createdAt, expiresAt, endedAt, recheck, recheckNote }: Original) {
  return { id, jobId, path, sizeBytes, state, createdAt, expiresAt, endedAt, recheck, recheckNote: reasonJson(recheckNote) };
}
