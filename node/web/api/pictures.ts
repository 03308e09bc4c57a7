import * as v from 'valibot';
import { isJpeg, MAX_PAIRS, sides } from '../../core/pictures.ts';
import { readBarcode } from '../../db/pictures.ts';
import { PlainError } from '../../errors.ts';
import { refuse } from '../errors.ts';
import { pngRow } from '../png.ts';
import { route, type ApiContext, type ApiRoute } from './declare.ts';
import { numberOf } from './inputs.ts';

const run = { id: numberOf('job'), attempt: numberOf('attempt') };

/** Frames of a job to compare, and the strip of a film's colours. */
export const picturesApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/jobs/:id/pictures/:attempt/:number/:side',
    right: 'read',
    in: 'Queue',
    does: 'One frame of the original, or of what an attempt made of it. It lies on the machine that took it.',
    params: {
      ...run,
      number: numberOf('picture', MAX_PAIRS),
      side: { what: 'picture', schema: v.picklist(sides) as unknown as v.GenericSchema<string, (typeof sides)[number]> },
    },
    answer: { media: 'image/jpeg', says: 'The frame.' },
    run: async ({ c, web, by, params: { id, attempt, number, side } }) => {
      const jpeg = await web.commands.readPicture({ jobId: id, attemptId: attempt, number, side }, by).catch((error: unknown) => {
        throw error instanceof PlainError ? refuse('not-found', error.message) : error;
      });
      if (!isJpeg(jpeg)) throw refuse('not-found', 'There is no such picture.');
      return picture(c, jpeg, 'image/jpeg');
    },
  }),
  route({
    method: 'GET',
    path: '/jobs/:id/barcode/:attempt',
    right: 'read',
    in: 'Queue',
    does: 'The colours of a film from its beginning to its end, as one row of pixels.',
    params: run,
    answer: { media: 'image/png', says: 'The strip.' },
    run: async ({ c, web, params: { id, attempt } }) => {
      const colours = await readBarcode(web.db, { jobId: id, attemptId: attempt });
      if (!colours) throw refuse('not-found', 'There is no such picture.');
      return picture(c, pngRow(colours), 'image/png');
    },
  }),
];

function picture(c: ApiContext, bytes: Uint8Array, type: string): Response {
  return c.body(new Uint8Array(bytes), 200, { 'Content-Type': type, 'Cache-Control': 'private, max-age=31536000, immutable' });
}
