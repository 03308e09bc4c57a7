import { PlainError } from '../../errors.ts';
import { explain } from '../errors.ts';
import type { PageModule } from '../web.ts';

/** For Prometheus: with a token of the scope `metrics`, or without one where an admin decided so. */
export const metricsPages: PageModule = (app, web) => {
  app.get('/metrics', async (c) => {
    const openMetrics = (c.req.header('accept') ?? '').includes('application/openmetrics-text');
    try {
      const { type, body } = await web.metrics.text(openMetrics);
      return c.body(body, 200, { 'Content-Type': type });
    } catch (error) {
      const told = explain(error, c.get('requestId'));
      if (told.status !== 503 && !(error instanceof PlainError)) throw error;
      return c.text(`${told.message}\n`, 503);
    }
  });
};
