import { createHash, randomBytes } from 'node:crypto';
import type { Actor, Commands, HookBody } from '../core/commands.ts';
import { placeOf, type PlacedFile } from '../core/source-paths.ts';
import { addActivity } from '../db/activity.ts';
import { listSourcePaths } from '../db/source-paths.ts';
import { isOwnEcho, tellAgain } from '../db/source-messages.ts';
import { noteSourceEvent, readSource, setHook, sourceOfHook, type Source as SourceRow } from '../db/sources.ts';
import { messageOf, PlainError } from '../errors.ts';
import { readHook, type HookHint } from '../sources/hooks.ts';
import type { CoordinatorParts } from './coordinator.ts';
import type { Term } from './term.ts';
import type { Outside } from './outside.ts';

/**
 * What programs say by webhook. A hint and no more: it can bring a look at a folder of a known library, and nothing else.
 * The same message counts once, however often it comes; our own new files come back as messages too and are known again.
 */
export function sourceHooks(
  parts: CoordinatorParts,
  term: Term,
  outside: Outside,
): Pick<Commands, 'makeHook' | 'hookCame' | 'tellSourceAgain'> {
  const { events, log } = parts;
  const { db } = term;
  const { sources } = outside;

  return {
    async makeHook(sourceId, by: Actor) {
      const row = await readSource(db, sourceId);
      if (!row) throw new PlainError('This media server is not known any more.');
      const secret = randomBytes(24).toString('base64url');
      await setHook(db, sourceId, hashOf(secret));
      await addActivity(db, { kind: 'source-hook', by: by.name, params: { source: row.name } });
      events.emit('source.changed', { sourceId });
      return { path: `/hooks/${secret}`, user: 'codecshift', password: secret };
    },

    async hookCame(secret: string, body: HookBody) {
      const row = await sourceOfHook(db, hashOf(secret));
      if (!row) throw new PlainError('Nobody here has this address.');
      const rules = await listSourcePaths(db, row.id);
      const places: PlacedFile[] = [];
      const refs = new Set<string>();
      const keys = new Set<string>();
      for (const hint of readHook(row.kind, row.identity, body.json)) {
        if (!(await noteSourceEvent(db, row.id, hint.key))) continue;
        const found = await placesOf(hint, rules);
        places.push(...found);
        if (found.length > 0) continue;
        if (hint.ref !== null) refs.add(hint.ref);
        else if (hint.libraryKey !== null) keys.add(hint.libraryKey);
      }
      await sources.lookAtPlaces(places);
      void ask(row, [...refs], [...keys]);
      return places.length + refs.size;
    },

    async tellSourceAgain(messageId) {
      if (!(await tellAgain(db, messageId))) throw new PlainError('There is nothing left to tell about this file.');
      outside.messenger.hurry();
    },
  };

  /** Files of ours that a message names; what is ours already is no news. */
  async function placesOf(
    { path, before, sizeBytes, what }: HookHint,
    rules: Awaited<ReturnType<typeof listSourcePaths>>,
  ): Promise<PlacedFile[]> {
    const all = [path, before].flatMap((text) => (text === null ? [] : (placeOf(text, rules) ?? [])));
    if (what === 'gone' || what === 'renamed' || !all[0]) return all;
    return (await isOwnEcho(db, all[0].rootId, all[0].path, sizeBytes)) ? [] : all;
  }

  /** Nobody waits for this: whoever sent the message has its answer. */
  async function ask(row: SourceRow, refs: string[], keys: string[]): Promise<void> {
    try {
      for (const key of keys) await sources.libraryChanged(row, key);
      if (refs.length === 0) return;
      const { source } = await sources.open(row.id);
      await sources.lookAtItems(row, source, refs);
    } catch (error) {
      log.info({ source: row.name, why: messageOf(error) }, 'what a webhook said could not be followed up');
    }
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
