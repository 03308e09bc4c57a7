import type { BackupLine, Backups } from '../../core/backups.ts';
import { readCluster } from '../../db/cluster.ts';
import { PlainError } from '../../errors.ts';
import { refuse } from '../errors.ts';
import { backupRow, workView, type BackupList, type BackupPage, type BackupQuestion } from '../models/backup-page.ts';
import { url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { readForm } from './form.ts';
import { readSettingsPage, saveGroup } from './settings.ts';

/** Backups: made now or every night, downloaded, taken in, read back, and put back as the database. */
export const backupPages: PageModule = (app, web) => {
  const frame = { title: 'Backup', section: 'settings' } as const;
  const back = { back: url.settings('backup') };

  app.get('/settings/backup', async (c) =>
    web.page(c, { ...frame, view: 'backup/index', model: await readBackupPage(web), live: { view: 'backup', refresh: false } }),
  );
  app.post('/settings/backup', (c) => saveGroup(c, web, 'backup'));

  app.post('/settings/backup/make', async (c) => {
    const form = await readForm(c);
    return web.act(
      c,
      async () => {
        const passphrase = form.get('passphrase') || null;
        if (passphrase !== (form.get('again') || null)) throw new PlainError('The two passphrases are not the same. Type them again.');
        await desk(web).begin({ keys: form.has('keys'), passphrase }, c.get('actor'));
        return 'The backup has begun.';
      },
      back,
    );
  });
  app.post('/settings/backup/cancel', (c) =>
    web.act(
      c,
      async () => {
        await desk(web).cancel(c.get('actor'));
        return 'It is being stopped.';
      },
      back,
    ),
  );
  app.post('/settings/backup/:name/verify', async (c) => {
    const passphrase = (await readForm(c)).get('passphrase') || null;
    return web.act(
      c,
      async () => {
        await desk(web).verify((await wanted(c, web)).name, passphrase, c.get('actor'));
        return 'The backup is being read from its beginning to its end.';
      },
      back,
    );
  });

  app.get('/settings/backup/:name/download', (c) => download(c, web));
  app.get('/settings/backup/:name/verify', (c) => ask(c, web, 'verify', ''));
  app.get('/settings/backup/:name/remove', (c) => ask(c, web, 'remove', ''));
  app.get('/settings/backup/:name/restore', (c) => ask(c, web, 'restore', ''));
  app.post('/settings/backup/:name/restore', async (c) => {
    const [form, line] = [await readForm(c), await wanted(c, web)];
    const { name } = await houseOf(web);
    if ((form.get('confirm') ?? '').trim() !== name) return ask(c, web, 'restore', `This is not its name. Type ${name}, or stay.`);
    return web.act(
      c,
      async () => {
        await desk(web).restore(line.name, form.get('passphrase') || null, c.get('actor'));
        return 'The backup is read first. When it is whole, all work stops and it is put back.';
      },
      back,
    );
  });
  app.post('/settings/backup/:name/remove', async (c) =>
    web.act(
      c,
      async () => {
        await desk(web).remove((await wanted(c, web)).name, c.get('actor'));
        return 'The backup was deleted.';
      },
      back,
    ),
  );

  web.live.register('backup', {
    forAdmins: true,
    regions: {
      'backup-list': {
        on: ['backup.changed'],
        everyMs: 1000,
        render: async () => web.views.render('backup/_list', await readList(web)),
      },
    },
  });
};

/** @throws a refusal where this program has none */
export function desk(web: Web): Backups {
  if (!web.backups) throw refuse('not-found', 'There are no backups here.');
  return web.backups;
}

async function wanted(c: Ctx, web: Web): Promise<BackupLine> {
  const line = (await desk(web).list()).find(({ name }) => name === c.req.param('name'));
  if (!line) throw refuse('not-found', 'There is no such backup any more.');
  return line;
}

async function houseOf(web: Web): Promise<{ name: string }> {
  return { name: (await readCluster(web.db))?.name.trim() || 'CodecShift' };
}

async function readBackupPage(web: Web): Promise<BackupPage> {
  const { folder, encrypted } = desk(web).place();
  const clusterName = (await houseOf(web)).name;
  return { ...(await readSettingsPage(web, 'backup', null)), ...(await readList(web)), folder, nightlyEncrypted: encrypted, clusterName };
}

async function readList(web: Web): Promise<BackupList> {
  const backups = desk(web);
  const work = backups.now();
  const rows = (await backups.list()).map(backupRow);
  return { backups: rows, work: work && workView(work), last: backups.last(), trouble: backups.place().trouble, now: web.now() };
}

async function ask(c: Ctx, web: Web, what: BackupQuestion['what'], problem: string): Promise<Response> {
  const { name, takenAt, encrypted, keys } = await wanted(c, web);
  const model: BackupQuestion = { what, name, takenAt, encrypted, keys, clusterName: (await houseOf(web)).name, problem };
  return web.page(c, { title: 'Backup', section: 'settings', view: 'backup/ask', model, status: problem ? 422 : 200 });
}

/** Whoever has an open backup with keys can be this house: that is asked first. */
async function download(c: Ctx, web: Web): Promise<Response> {
  const line = await wanted(c, web);
  if (!line.encrypted && line.keys !== false && c.req.query('knowing') !== 'on') return ask(c, web, 'download', '');
  return sendBackup(c, web, line);
}

/** The file itself, as it is read from the disk. */
export async function sendBackup(c: Ctx, web: Web, { name, encrypted }: BackupLine): Promise<Response> {
  const { bytes, stream } = await desk(web).open(name, c.get('actor'));
  const headers = {
    'Content-Type': encrypted ? 'application/octet-stream' : 'application/gzip',
    'Content-Length': String(bytes),
    'Content-Disposition': `attachment; filename="${name}"`,
    'Cache-Control': 'no-store',
  };
  if (c.req.method === 'HEAD') {
    // who asks for the head alone reads nothing, and the file would stay open
    await stream.cancel();
    return c.body(null, 200, headers);
  }
  if ((await web.auth.state()) !== 'open')
    await web.auth.access.note({ action: 'backup downloaded', object: name, result: 'ok' }, c.get('actor'), web.auth.from(c));
  return c.body(stream, 200, headers);
}
