import { specOf, isClusterKey } from '../../config/schema.ts';
import { settingGroups, type SettingGroup } from '../../config/setting.ts';
import type { SettingChange, SettingProblem } from '../../core/commands.ts';
import { readHistory, readSettings } from '../../db/settings.ts';
import { refuse } from '../errors.ts';
import { changeLine, editableGroups, readChanges, settingFields, type FormFacts, type SettingsPage } from '../models/settings.ts';
import { objectionsTo } from '../auth/objections.ts';
import { url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { readForm } from './form.ts';

/** Settings by group: the form comes from config/schema.ts, is saved whole or not at all, and applies at once. */
export const settingsPages: PageModule = (app, web) => {
  app.get('/settings', (c) => c.redirect(url.settings(editableGroups()[0]!.name), 303));

  app.get('/settings/:group', async (c) => {
    const group = groupOf(c);
    return web.page(c, { title: 'Settings', section: 'settings', view: 'settings/index', model: await readSettingsPage(web, group, null) });
  });

  app.post('/settings/:group', (c) => saveGroup(c, web, groupOf(c)));
};

/** Saves one group, whole or not at all, and says what came of it. */
export async function saveGroup(c: Ctx, web: Web, group: SettingGroup): Promise<Response> {
  const form = await readForm(c);
  const facts = await readFacts(web);
  const changes = form.has('reset') ? resetOf(group, form) : readChanges(group, form, facts);
  const back = { back: url.settings(group) };
  if (changes.length === 0) return web.act(c, async () => 'Nothing was different, so nothing was saved.', back);
  const objections = await objectionsTo(c, web, changes);
  const problems = objections.length > 0 ? objections : await web.commands.saveSettings(changes, c.get('actor'));
  if (problems.length === 0)
    return web.act(c, async () => (form.has('reset') ? 'Back to the default. It applies at once.' : 'Saved. It applies at once.'), back);
  const conflict = problems.some((p) => 'current' in p);
  const model = await readSettingsPage(web, group, { form, problems });
  return web.page(c, { title: 'Settings', section: 'settings', view: 'settings/index', model, status: conflict ? 409 : 422 });
}

function groupOf(c: Ctx): SettingGroup {
  const group = editableGroups().find((g) => g.name === c.req.param('group'));
  if (!group) throw refuse('not-found', 'There is no such group of settings.');
  return group.name;
}

/** One button beside one field: back to the default, and nothing else of the form is read. */
function resetOf(group: SettingGroup, form: URLSearchParams): SettingChange[] {
  const key = form.get('reset') ?? '';
  if (!isClusterKey(key) || specOf(key).group !== group || specOf(key).hidden) throw refuse('not-found', 'There is no such setting.');
  const version = form.get(`v:${key}`) ?? '';
  return [{ key, value: null, version: /^\d{1,9}$/.test(version) ? Number(version) : 0 }];
}

async function readFacts(web: Web): Promise<FormFacts> {
  return { stored: await readSettings(web.db), effective: web.settings(), env: process.env };
}

export async function readSettingsPage(
  web: Web,
  group: SettingGroup,
  refused: { form: URLSearchParams; problems: SettingProblem[] } | null,
): Promise<SettingsPage> {
  const facts = await readFacts(web);
  const fields = settingFields(group, refused ? { ...facts, typed: refused.form, problems: refused.problems } : facts);
  const history = await readHistory(web.db, null, { only: fields.map((f) => f.key) });
  return {
    groups: editableGroups(),
    group,
    label: settingGroups[group],
    fields,
    summary: fields.flatMap((f) => (f.problem ? [{ id: f.id, text: f.problem }] : [])),
    changes: history.slice(0, 8).map(changeLine),
    now: web.now(),
  };
}
