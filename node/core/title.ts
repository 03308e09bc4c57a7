export interface Title {
  /** what a person calls it: "Metropolis", "The Lucy Show"; never empty */
  title: string;
  /** what tells it apart: "1927", "S02 E14", or empty */
  detail: string;
}

/** No file system has longer names; what a message brings may be longer, and some patterns below take the square of it. */
const LONGEST = 255;

/**
 * Reads what a person would call a file out of its path below the library, '/' separators. Folder and file names as media
 * servers ask for them are understood; anything else shows the file's own name. Letters of all scripts are kept.
 */
export function titleOf(path: string): Title {
  const parts = path.split('/').filter((part) => part.trim() !== '');
  const name = tidy(withoutExtension(parts.at(-1) ?? '').slice(0, LONGEST));
  const folders = parts.slice(-3, -1).map((part) => tidy(part.slice(0, LONGEST)));
  return episode(name, folders) ?? film(name, folders) ?? { title: name || tidy(path) || 'Unnamed file', detail: '' };
}

/** "Show - S02E14 - Name", "show.s02e14e15", "2x14", or "Season 02/14 - Name". */
function episode(name: string, folders: string[]): Title | null {
  const marked = /(^|[^\p{L}\p{N}])s(\d{1,4})[ ._-]?e(\d{1,4})(?:[ ._]?-?[ ._]?e(\d{1,4}))?(?![\p{L}\p{N}])/iu.exec(name);
  const crossed = marked ? null : /(^|[\s([_-])(\d{1,2})x(\d{2,3})()(?![\p{L}\p{N}])/iu.exec(name);
  const found = marked ?? crossed;
  const season = seasonOf(folders.at(-1) ?? '');
  if (found) {
    const detail = `S${two(found[2]!)} E${two(found[3]!)}${found[4] ? `–E${two(found[4])}` : ''}`;
    return { title: showName(folders, name.slice(0, found.index)) ?? name, detail };
  }
  const dated = /(?<!\d)((?:19|20)\d\d)[-. ](\d\d)[-. ](\d\d)(?!\d)/.exec(name);
  if (dated && season !== null) {
    return { title: showName(folders, name.slice(0, dated.index)) ?? name, detail: `${dated[1]}-${dated[2]}-${dated[3]}` };
  }
  const number = season === null ? null : /^(?:episode|folge|ep|e)?\s*(\d{1,3})(?!\d)/iu.exec(name);
  if (season !== null && number) {
    return { title: showName(folders, '') ?? name, detail: `S${two(season)} E${two(number[1]!)}` };
  }
  return null;
}

/** The folder above the season says it best; a file in no season folder says it itself. */
function showName(folders: string[], before: string): string | null {
  const own = bare(before);
  const season = seasonOf(folders.at(-1) ?? '') !== null;
  const above = season ? bare(folders.at(-2) ?? '') : '';
  return above || own || bare(folders.at(-1) ?? '') || null;
}

function seasonOf(folder: string): string | null {
  if (/^(specials?|extras?)$/i.test(folder)) return /^s/i.test(folder) ? '0' : null;
  return /^(?:season|staffel|saison|series|temporada|stagione|sezon|s)[ ._-]*(\d{1,4})$/iu.exec(folder)?.[1] ?? null;
}

/** "Metropolis (1927)", "Metropolis.1927.1080p.BluRay", or a folder that says it better than the file. */
function film(name: string, folders: string[]): Title | null {
  const own = yearSplit(name);
  const folder = yearSplit(folders.at(-1) ?? '');
  const sure = folder?.sure && !own?.sure ? folder : (own ?? folder);
  if (!sure) return null;
  const inside = folder === sure && !name.toLowerCase().startsWith(sure.title.toLowerCase().slice(0, 4));
  // "Metropolis (1927)/Making of.mkv" is not the film itself
  return inside ? { title: name, detail: `${sure.title} ${sure.year}` } : { title: sure.title, detail: sure.year };
}

/** The last year that has something before it: "2001 A Space Odyssey (1968)", "1917 (2019)". `sure`: it stood in brackets. */
function yearSplit(text: string): { title: string; year: string; sure: boolean } | null {
  const bracketed = [...text.matchAll(/[([{]((?:18|19|20)\d\d)[)\]}]/g)].at(-1);
  const loose = [...text.matchAll(/(?<![\p{L}\p{N}])((?:19|20)\d\d)(?![\p{L}\p{N}])/gu)].filter((m) => m.index > 0).at(-1);
  const found = bracketed ?? loose;
  if (!found) return null;
  const title = trimmed(text.slice(0, found.index));
  return title === '' ? null : { title, year: found[1]!, sure: found === bracketed };
}

/** A show's folder without its year and the ids that media servers add: "Dark (2017) {tvdb-334824}". */
function bare(text: string): string {
  return trimmed(text.replace(/[[{][^\]}]*[\]}]/g, ' ').replace(/\((?:19|20)\d\d\)/g, ' '));
}

function trimmed(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/^[\s._-]+|[\s._([{-]+$/gu, '');
}

/**
 * Dots and underscores stand for spaces where a name has no spaces of its own. What turns the writing round is left out: on a
 * page it would turn what stands behind the title too.
 */
function tidy(text: string): string {
  const clean = text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu, ' ').trim();
  const spaced = /\s/.test(clean) ? clean : clean.replace(/[._]+(?=[^._])/g, ' ').trim();
  return spaced || clean;
}

function withoutExtension(name: string): string {
  return name.replace(/(?<=.)\.[\p{L}\p{N}]{1,5}$/u, '');
}

function two(number: string): string {
  return String(Number(number)).padStart(2, '0');
}
