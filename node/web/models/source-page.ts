import type { PathRule, SourceKind } from '../../core/commands.ts';
import { placeOf } from '../../core/source-paths.ts';
import { sourceNames } from '../../core/source-words.ts';
import { visibleName } from '../../core/visible-name.ts';
import type { SourceLibraryRow } from '../../db/source-libraries.ts';
import type { SourcePath } from '../../db/source-paths.ts';
import { ago, count, plural, size } from '../format.ts';
import type { MessageLine } from './source-messages.ts';
import type { SourceView } from './sources.ts';

export interface SourceLibraryLine {
  key: string;
  title: string;
  kindWord: string;
  /** "1,204 films, 9.1 TB" */
  figures: string;
  folders: { path: string; known: boolean }[];
  /** every folder is known here, so it can be watched at once */
  known: boolean;
  watched: boolean;
  gone: boolean;
  /** "listed 12 minutes ago" */
  listed: string;
  /** the libraries here that it became */
  here: { id: number; name: string }[];
}

export interface PathLine {
  prefix: string;
  place: string;
  words: string;
  tone: '' | 'ok' | 'heed';
}

export interface HookView {
  made: boolean;
  /** shown once, in the answer to the request that made it */
  fresh: { address: string; user: string; password: string } | null;
  steps: string[];
  needs: string;
}

export interface HookPart {
  id: number;
  name: string;
  kindWord: string;
  hook: HookView;
}

export interface ChangePart {
  id: number;
  kind: SourceKind;
  change: ChangeForm;
}

export interface ChangeForm {
  name: string;
  url: string;
  /** what the server calls its credential: "API key", "token" */
  secretWord: string;
  /** null: it is none that renames */
  renames: boolean | null;
  problem: string;
}

export interface SourcePage {
  source: SourceView;
  libraries: SourceLibraryLine[];
  watchLabel: string;
  paths: PathLine[];
  messages: MessageLine[];
  hook: HookView;
  change: ChangeForm;
  now: Date;
}

const libraryKinds: Record<SourceLibraryRow['kind'], [string, string, string]> = {
  movies: ['Films', 'film', 'films'],
  shows: ['Series', 'episode', 'episodes'],
  other: ['Other videos', 'video', 'videos'],
};

export function libraryLine(
  library: SourceLibraryRow,
  rules: readonly PathRule[],
  here: readonly { id: number; name: string }[],
  now: Date,
): SourceLibraryLine {
  const [kindWord, one, many] = libraryKinds[library.kind];
  const folders = library.folders.map((path) => ({ path: visibleName(path, 300), known: isCovered(path, rules) }));
  return {
    key: library.key,
    title: visibleName(library.title, 200),
    kindWord,
    figures:
      library.items === null
        ? 'Not counted yet'
        : [plural(library.items, one, many), library.bytes === null ? '' : size(library.bytes)].filter(Boolean).join(', '),
    folders,
    known: folders.length > 0 && folders.every((f) => f.known),
    watched: library.watched,
    gone: library.goneAt !== null,
    listed: library.listedAt ? `listed ${ago(library.listedAt, now)}` : '',
    here: here.filter((l) => library.libraryIds.includes(l.id)).map(({ id, name }) => ({ id, name })),
  };
}

/** Do the rules say where this folder of the server is? */
export function isCovered(folder: string, rules: readonly PathRule[]): boolean {
  // a folder has a place when whatever lies in it has one
  return placeOf(`${folder.replace(/[\\/]+$/, '')}/x`, rules) !== null;
}

export function pathLine(rule: Pick<SourcePath, 'prefix' | 'folder' | 'provedAt'>, rootName: string): PathLine {
  return {
    prefix: visibleName(rule.prefix, 300),
    place: rule.folder ? `${rootName}, folder ${visibleName(rule.folder, 300)}` : rootName,
    words: rule.provedAt ? 'proved on sample files' : 'saved without proof',
    tone: rule.provedAt ? 'ok' : 'heed',
  };
}

export function watchLabel(libraries: readonly SourceLibraryLine[]): string {
  const watched = libraries.filter((l) => l.watched && !l.gone).length;
  return watched > 0 ? 'Save what is watched' : 'Watch the ticked ones';
}

export function watchedWords(libraries: number): string {
  return libraries === 1
    ? 'The library is watched. Its films appear while it is looked through.'
    : `${libraries} libraries are watched. Their films appear while they are looked through.`;
}

/** Where its owner pastes the address of the webhook, as that program calls its menus. */
export function hookWords(kind: SourceKind): Pick<HookView, 'steps' | 'needs'> {
  switch (kind) {
    case 'plex':
      return {
        needs:
          'Webhooks need a Plex Pass of the owner. Without one nothing is missing: CodecShift listens to the server and asks it regularly.',
        steps: [
          'Open plex.tv in a browser: Account, then Webhooks.',
          'Press “Add Webhook” and paste the address.',
          'Press “Save Changes”.',
        ],
      };
    case 'sonarr':
    case 'radarr': {
      const imported =
        kind === 'sonarr'
          ? 'On File Import, On File Upgrade, On Rename and On Episode File Delete'
          : 'On File Import, On File Upgrade, On Rename and On Movie File Delete';
      return {
        needs: `Without it a new file is found by the next scan; with it, as soon as ${sourceNames[kind]} has imported it.`,
        steps: [
          `In ${sourceNames[kind]}: Settings, then Connect, then “+”, then Webhook.`,
          `Tick ${imported}.`,
          'Paste the address as URL, method POST. User name and password may stay empty.',
          'Press Test, then Save.',
        ],
      };
    }
    case 'jellyfin':
      return {
        needs: 'Needs the Webhook plugin of Jellyfin. Without it new files are found when the server is asked the next time.',
        steps: [
          'In Jellyfin: Dashboard, then Plugins, then Webhook (from the catalogue).',
          'Add a Generic Destination and paste the address as Webhook Url.',
          'Tick Item Added, and Movies and Episodes; tick “Send All Properties”. Save.',
        ],
      };
    case 'emby':
      return {
        needs: 'Webhooks need Emby Premiere. Without it new files are found when the server is asked the next time.',
        steps: [
          'In Emby: Settings, then Notifications, then Add Notification, then Webhooks.',
          'Paste the address as URL, data type application/json.',
          'Tick New Media Added. Save.',
        ],
      };
  }
}

export function secretWord(kind: SourceKind): string {
  return kind === 'plex' ? 'token' : 'API key';
}

/** What stays and what goes when a server is removed, for the question before it. */
export function removeWords(source: Pick<SourceView, 'name'>, watched: number, open: number): string {
  const libraries =
    watched > 0
      ? `Its ${watched === 1 ? 'library stays' : `${count(watched)} libraries stay`} here as plain folders, with queue, history and trash. `
      : '';
  const messages = open > 0 ? `${plural(open, 'message')} that it has not confirmed ${open === 1 ? 'is' : 'are'} forgotten. ` : '';
  return `${libraries}${messages}Its sign-in, its paths and the address of its webhook are forgotten. No file is touched, and ${source.name} is told nothing.`;
}
