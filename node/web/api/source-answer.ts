import * as v from 'valibot';
import { listSourceLibraries } from '../../db/source-libraries.ts';
import type { SourceMessage } from '../../db/source-messages.ts';
import { listSourcePaths } from '../../db/source-paths.ts';
import { sourceOverview, type SourceOverview } from '../../db/sources.ts';
import { refuse } from '../errors.ts';
import { shownAddress } from '../models/sources.ts';
import type { Web } from '../web.ts';
import { maybe, maybeReason, maybeTime, reasonJson, time } from './answers.ts';

/** A media server as the API tells of it. A token goes in and never comes out. */
export const sourceKinds = ['plex', 'jellyfin', 'emby', 'sonarr', 'radarr'] as const;

export const sourceEntries = {
  id: v.number(),
  kind: v.picklist(sourceKinds),
  name: v.string(),
  url: v.string(),
  version: v.string(),
  account: v.string(),
  signedIn: v.pipe(v.boolean(), v.description('false: a person has to sign in again')),
  hasHook: v.boolean(),
  enabled: v.boolean(),
  renames: v.boolean(),
  problem: maybeReason,
  problemSince: maybeTime,
  checkedAt: maybeTime,
  createdAt: time,
  libraries: v.number(),
  watched: v.number(),
  items: v.number(),
  bytes: v.number(),
  telling: v.pipe(v.number(), v.description('messages it has not confirmed yet')),
  unconfirmed: v.number(),
};

export const sourceLibraryAnswer = v.strictObject({
  id: v.number(),
  key: v.string(),
  title: v.string(),
  kind: v.picklist(['movies', 'shows', 'other']),
  folders: v.array(v.string()),
  items: maybe.number,
  bytes: maybe.number,
  watched: v.boolean(),
  listedAt: maybeTime,
  goneAt: maybeTime,
  libraries: v.array(v.number()),
});

export const pathAnswer = v.strictObject({
  prefix: v.string(),
  root: v.string(),
  folder: v.string(),
  provedAt: v.pipe(maybeTime, v.description('null: saved against a warning')),
  proof: v.record(v.string(), v.strictObject({ found: v.number(), otherSize: v.number(), of: v.number() })),
});

export const messageAnswer = v.strictObject({
  id: v.number(),
  sourceId: v.number(),
  source: v.string(),
  sourceKind: v.picklist(sourceKinds),
  fileId: maybe.number,
  jobId: maybe.number,
  kind: v.picklist(['replaced', 'restored']),
  libraryKey: maybe.text,
  ref: maybe.text,
  title: v.string(),
  detail: v.string(),
  state: v.picklist(['waiting', 'told', 'analyzing', 'confirmed', 'unconfirmed', 'dropped']),
  tries: v.number(),
  nextAt: maybeTime,
  reason: maybeReason,
  createdAt: time,
  toldAt: maybeTime,
  endedAt: maybeTime,
});

/** Its libraries are `items` where one server is shown, so their number goes under its own name in a list. */
export function sourceJson({ connections: _c, identity: _i, learnt: _l, problem, url, ...source }: SourceOverview) {
  return { ...source, url: shownAddress(url), problem: reasonJson(problem) };
}

export async function librariesOf({ db }: Web, id: number) {
  return (await listSourceLibraries(db, id)).map(({ sourceId: _s, changeMark: _m, libraryIds, ...library }) => ({
    ...library,
    libraries: libraryIds,
  }));
}

export async function pathsOf({ db }: Web, id: number) {
  return (await listSourcePaths(db, id)).map(({ sourceId: _s, rootId, ...rule }) => ({ ...rule, root: rootId }));
}

export function messageJson({ before: _b, after: _a, folder: _f, reason, ...message }: SourceMessage) {
  return { ...message, reason: reasonJson(reason) };
}

/** @throws Refusal 404 */
export async function sourceOf({ db }: Web, id: number): Promise<SourceOverview> {
  const source = (await sourceOverview(db)).find((s) => s.id === id);
  if (!source) throw refuse('not-found', 'There is no such media server.');
  return source;
}
