import type { HookHint } from './hooks.ts';
import { list, record, text, whole, type Loose } from './loose.ts';

/** `of`: what makes two messages the same. */
type Hint = Omit<HookHint, 'key'> & { of: unknown[] };

/**
 * Connect → Webhook of Sonarr and Radarr. "On Import" comes once for each file, and "Import Complete", which is the same
 * event with a list, once more for all of them, so a file is known by its path and size and not by its message.
 * What an upgrade replaced comes as gone.
 */
export function readArrHook(body: Loose, odd: Error): Hint[] {
  const event = text(body['eventType'], 100);
  if (event === null) throw odd;
  switch (event) {
    case 'Download':
      return [
        ...files(body, ['episodeFile', 'movieFile', 'episodeFiles', 'movieFiles']).map(arrived),
        ...list(body['deletedFiles']).flatMap((file) => left(body, file)),
      ];
    case 'Rename':
      return list(body['renamedEpisodeFiles'] ?? body['renamedMovieFiles']).flatMap((file) => renamed(body, file));
    case 'EpisodeFileDelete':
    case 'MovieFileDelete':
      return files(body, ['episodeFile', 'movieFile']).flatMap(({ file }) => left(body, file));
    default:
      return [];
  }
}

const MOST_FILES = 2000;
const nothing = { libraryKey: null, ref: null, before: null };

function files(body: Loose, names: string[]): { file: Loose; path: string }[] {
  const all = names.flatMap((name) => (Array.isArray(body[name]) ? list(body[name]) : [record(body[name])]));
  return all.slice(0, MOST_FILES).flatMap((file) => {
    const path = pathOf(body, file);
    return path === null ? [] : [{ file, path }];
  });
}

function arrived({ file, path }: { file: Loose; path: string }): Hint {
  const sizeBytes = whole(file['size']);
  return { ...nothing, what: 'new', path, sizeBytes, of: ['new', path, sizeBytes] };
}

function left(body: Loose, file: Loose): Hint[] {
  const path = pathOf(body, file);
  return path === null
    ? []
    : [
        {
          ...nothing,
          what: 'gone',
          path,
          sizeBytes: whole(file['size']),
          of: ['gone', path, text(file['id'], 40), text(body['downloadId'], 200)],
        },
      ];
}

function renamed(body: Loose, file: Loose): Hint[] {
  const path = pathOf(body, file);
  const before = text(file['previousPath']) ?? below(body, text(file['previousRelativePath']));
  if (path === null || before === null) return [];
  const sizeBytes = whole(file['size']);
  return [{ ...nothing, what: 'renamed', path, before, sizeBytes, of: ['renamed', before, path, sizeBytes] }];
}

/** The whole path, or the folder of the series or film and the rest. */
function pathOf(body: Loose, file: Loose): string | null {
  return text(file['path']) ?? below(body, text(file['relativePath']));
}

function below(body: Loose, relative: string | null): string | null {
  const folder = text(record(body['series'])['path']) ?? text(record(body['movie'])['folderPath']);
  if (folder === null || relative === null) return null;
  const separator = folder.includes('\\') ? '\\' : '/';
  return `${folder.replace(/[\\/]+$/, '')}${separator}${relative}`;
}
