import { base, documented, documentOf } from '../api/all.ts';
import { apiPage, type ApiPage } from '../models/api-page.ts';
import { editableGroups } from '../models/settings.ts';
import type { PageModule } from '../web.ts';

/** What programs can ask for, written for a person; made of the same declarations as the routes. */
export const apiPages: PageModule = (app, web) => {
  app.get('/api', (c) => {
    const model: ApiPage = {
      groups: editableGroups(),
      group: 'api-tokens',
      documentHref: `${base}/openapi.json`,
      ...apiPage(documented, documentOf(web.node.version), base),
    };
    return web.page(c, { title: 'API', section: 'settings', view: 'access/api', model, live: { view: 'shell', refresh: false } });
  });
};
