import { isNoticeKind, type NoticeKind } from '../../core/notice-kinds.ts';
import { checkTarget, type TargetProblem, type TargetWish } from '../../core/notice-target.ts';
import { listDeliveries, readDelivery } from '../../db/deliveries.ts';
import { listTargets, readTarget, type NoticeTarget } from '../../db/notice-targets.ts';
import { PlainError } from '../../errors.ts';
import { externalUrl } from '../auth/cookies.ts';
import { refuse } from '../errors.ts';
import { keptWish, newWish, noticeFormPage, readWish } from '../models/notice-form.ts';
import { kindLinks, logLine, targetLine, type LogView, type NotificationsPage } from '../models/notifications.ts';
import { editableGroups } from '../models/settings.ts';
import { idFrom, url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { queryOf, readForm } from './form.ts';
import { readSettingsPage, saveGroup } from './settings.ts';

/**
 * Settings › Notifications: the places that are told what happens, a test of each, and the log of what they were told. A secret goes
 * from a form to the coordinator and never comes back to a page.
 */
export const notificationPages: PageModule = (app, web) => {
  app.get('/settings/notifications', (c) => showAll(c, web));
  app.post('/settings/notifications', (c) => saveGroup(c, web, 'notifications'));
  addRoutes(app, web);
  targetRoutes(app, web);
  removeRoutes(app, web);

  app.post('/settings/notifications/log/:id/again', (c) =>
    web.act(
      c,
      async () => {
        const id = idFrom(c.req.param('id'));
        const delivery = id === null ? null : await readDelivery(web.db, id);
        if (!delivery) throw refuse('not-found', 'There is no such message any more. The log is kept for a month.');
        await web.commands.sendNoticeAgain(delivery.id, c.get('actor'));
        return `It is sent to ${delivery.target} once more.`;
      },
      { back: url.notifications() },
    ),
  );
  web.live.register('notifications', {
    params: ['target', 'after', 'before'],
    forAdmins: true,
    regions: {
      'notice-targets': {
        on: ['notices.changed', 'settings.changed'],
        everyMs: 1000,
        render: async () => web.views.render('notifications/_targets', { targets: await targetLines(web), now: web.now() }),
      },
      'notice-log': {
        on: ['notices.changed'],
        everyMs: 1000,
        render: async (params) => web.views.render('notifications/_log', await readLog(web, params)),
      },
    },
  });
};

function addRoutes(app: Parameters<PageModule>[0], web: Web): void {
  app.get('/settings/notifications/add/:kind', (c) => showForm(c, web, null, newWish(kindOf(c)), []));
  app.post('/settings/notifications/add/:kind', async (c) => {
    const wish = readWish(kindOf(c), await readForm(c));
    const checked = checkTarget(wish, null);
    if (!checked.ok) return showForm(c, web, null, wish, checked.problems);
    return kept(c, web, null, wish, async () => {
      await web.commands.addNoticeTarget(wish, c.get('actor'));
      return `${checked.target.name} was added. Send a test, so that you know that it arrives.`;
    });
  });
}

function targetRoutes(app: Parameters<PageModule>[0], web: Web): void {
  app.get('/settings/notifications/:id', async (c) => {
    const target = await targetOf(c, web);
    return showForm(c, web, target, keptWish(target), []);
  });
  app.post('/settings/notifications/:id/change', async (c) => {
    const target = await targetOf(c, web);
    const form = await readForm(c);
    const version = Number(/^\d{1,9}$/.exec(form.get('version') ?? '')?.[0] ?? 0);
    const wish = readWish(target.kind, form);
    const checked = checkTarget(wish, target);
    if (!checked.ok) return showForm(c, web, target, wish, checked.problems);
    return kept(c, web, target, wish, async () => {
      await web.commands.changeNoticeTarget(target.id, version, wish, c.get('actor'));
      return 'Saved. It applies at once.';
    });
  });
  app.post('/settings/notifications/:id/test', (c) =>
    web.act(
      c,
      async () => {
        const target = await targetOf(c, web);
        const { ok, says } = await web.commands.testNoticeTarget(target.id, c.get('actor'));
        if (!ok) throw new PlainError(`The test did not get through to ${target.name}. ${says}`);
        return `The test got through to ${target.name}. ${says}`;
      },
      { back: url.notifications() },
    ),
  );
}

function removeRoutes(app: Parameters<PageModule>[0], web: Web): void {
  app.get('/settings/notifications/:id/remove', async (c) => {
    const target = await targetOf(c, web);
    return web.page(c, {
      title: 'Notifications',
      section: 'settings',
      view: 'queue/confirm',
      model: {
        question: `Tell “${target.name}” nothing any more?`,
        text: 'Its stored password or token is deleted, and with it the log of what it was told.',
        action: url.notificationAction(target.id, 'remove'),
        confirmed: '1',
        button: 'Remove it',
        back: url.notifications(),
        hidden: [],
      },
    });
  });
  app.post('/settings/notifications/:id/remove', async (c) => {
    const target = await targetOf(c, web);
    return web.act(
      c,
      async () => {
        await web.commands.removeNoticeTarget(target.id, c.get('actor'));
        return `${target.name} is told nothing any more.`;
      },
      { back: url.notifications() },
    );
  });
}

async function showAll(c: Ctx, web: Web): Promise<Response> {
  const query = queryOf(c);
  const log = await readLog(web, query);
  const model: NotificationsPage = {
    ...(await readSettingsPage(web, 'notifications', null)),
    targets: await targetLines(web),
    kinds: kindLinks(),
    log,
    hasAddress: externalUrl(web.settings()) !== null,
  };
  const state = { target: query.get('target'), after: query.get('after'), before: query.get('before') };
  const live = { view: 'notifications', query: state, refresh: false };
  return web.page(c, { title: 'Settings', section: 'settings', view: 'notifications/index', model, live });
}

async function targetLines(web: Web): Promise<NotificationsPage['targets']> {
  return (await listTargets(web.db)).map((target) => targetLine(target, web.now()));
}

async function readLog(web: Web, query: URLSearchParams): Promise<LogView> {
  const id = idFrom(query.get('target') ?? undefined);
  const of = id === null ? null : await readTarget(web.db, id);
  const target = of?.id ?? null;
  const [after, before] = [query.get('after'), query.get('before')];
  const page = await listDeliveries(web.db, target, { after, before, size: 20 });
  const href = (cursor: { after?: string | null; before?: string | null }): string => `${url.notifications({ target, ...cursor })}#log`;
  const back = href({ after, before });
  return {
    lines: page.rows.map((row) => logLine(row, web.now(), back)),
    of: of?.name ?? null,
    allHref: `${url.notifications()}#log`,
    before: page.before && href({ before: page.before }),
    after: page.after && href({ after: page.after }),
    now: web.now(),
  };
}

/** What the coordinator refuses is shown in the form, where what was typed still stands. */
async function kept(c: Ctx, web: Web, target: NoticeTarget | null, wish: TargetWish, work: () => Promise<string>): Promise<Response> {
  let said: string;
  try {
    said = await work();
  } catch (error) {
    if (!(error instanceof PlainError) || 'status' in error) throw error;
    return showForm(c, web, target, wish, [{ field: 'name', problem: error.message }]);
  }
  return web.act(c, async () => said, { back: url.notifications() });
}

function showForm(c: Ctx, web: Web, target: NoticeTarget | null, wish: TargetWish, problems: readonly TargetProblem[]): Promise<Response> {
  const zone = web.settings()['notifications.timeZone'];
  const model = noticeFormPage(editableGroups(), target, wish, problems, typeof zone === 'string' ? zone : null);
  const title = target ? `Notifications: ${target.name}` : `Notifications by ${model.kindLabel}`;
  const live = { view: 'shell', refresh: false };
  return web.page(c, { title, section: 'settings', view: 'notifications/form', model, live, status: problems.length > 0 ? 422 : 200 });
}

async function targetOf(c: Ctx, web: Web): Promise<NoticeTarget> {
  const id = idFrom(c.req.param('id'));
  const target = id === null || id > 2 ** 31 - 1 ? null : await readTarget(web.db, id);
  if (!target) throw refuse('not-found', 'There is no such place for notifications. Somebody may have removed it.');
  return target;
}

function kindOf(c: Ctx): NoticeKind {
  const kind = c.req.param('kind');
  if (!isNoticeKind(kind)) throw refuse('not-found', 'There is no such kind of place for notifications.');
  return kind;
}
