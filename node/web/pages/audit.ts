import { listAudit } from '../../db/audit.ts';
import { auditLine, type AuditPage } from '../models/access.ts';
import { editableGroups } from '../models/settings.ts';
import { idFrom, url } from '../routes.ts';
import type { PageModule } from '../web.ts';

const MANY = 50;

/** Who did what from where, newest first. */
export const auditPages: PageModule = (app, web) => {
  app.get('/audit', async (c) => {
    const before = idFrom(c.req.query('before'));
    const rows = await listAudit(web.db, before, MANY + 1);
    const model: AuditPage = {
      groups: editableGroups(),
      group: 'audit',
      rows: rows.slice(0, MANY).map(auditLine),
      olderHref: rows.length > MANY ? url.audit({ before: rows[MANY - 1]!.id }) : null,
      newestHref: before === null ? null : url.audit(),
      now: web.now(),
    };
    return web.page(c, { title: 'Audit log', section: 'settings', view: 'access/audit', model, live: { view: 'shell', refresh: false } });
  });
};
