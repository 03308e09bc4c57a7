import { isJpeg, MAX_PAIRS, sides } from '../../core/pictures.ts';
import { readBarcode } from '../../db/pictures.ts';
import { PlainError } from '../../errors.ts';
import { refuse } from '../errors.ts';
import { pngRow } from '../png.ts';
import { idFrom } from '../routes.ts';
import type { Ctx, PageModule } from '../web.ts';

/** The pictures of a job: frames to compare, which lie on the node that took them, and the strip of the film's colours. */
export const picturePages: PageModule = (app, web) => {
  app.get('/jobs/:id/pictures/:attempt/:number/:side', async (c) => {
    const number = idFrom(c.req.param('number'));
    const side = sides.find((one) => one === c.req.param('side'));
    if (number === null || number > MAX_PAIRS || !side) throw noSuchPicture();
    const wish = { ...runOf(c), number, side };
    const jpeg = await web.commands.readPicture(wish, c.get('actor')).catch((error: unknown) => {
      // a machine that is away is no failure of ours: the page shows the sentence in place of the picture
      throw error instanceof PlainError ? refuse('not-found', error.message) : error;
    });
    if (!isJpeg(jpeg)) throw noSuchPicture();
    return picture(c, jpeg, 'image/jpeg');
  });

  app.get('/jobs/:id/barcode/:attempt', async (c) => {
    const colours = await readBarcode(web.db, runOf(c));
    if (!colours) throw noSuchPicture();
    return picture(c, pngRow(colours), 'image/png');
  });
};

function runOf(c: Ctx): { jobId: number; attemptId: number } {
  const [jobId, attemptId] = [idFrom(c.req.param('id')), idFrom(c.req.param('attempt'))];
  if (jobId === null || attemptId === null) throw noSuchPicture();
  return { jobId, attemptId };
}

/** An attempt's pictures never change, so a browser keeps them; a proxy that serves others does not. */
function picture(c: Ctx, bytes: Uint8Array, type: 'image/jpeg' | 'image/png'): Response {
  return c.body(new Uint8Array(bytes), 200, {
    'Content-Type': type,
    'Cache-Control': 'private, max-age=31536000, immutable',
    'X-Content-Type-Options': 'nosniff',
  });
}

function noSuchPicture(): Error {
  return refuse('not-found', 'There is no such picture.');
}
