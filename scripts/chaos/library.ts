import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { promisify } from 'node:util';
import { clip } from '../../node/testing/media.ts';
import type { ClipName } from '../../node/testing/media.ts';
import { requireTool } from '../../node/testing/tools.ts';
import type { Random } from './random.ts';

/** A film that was put into the library, and what it was: by this the judge decides whether it was harmed. */
export interface Film {
  /** below the share, as it came */
  name: string;
  sha256: string;
  sizeBytes: number;
  /** a copy that nobody touches */
  pristine: string;
  /** the clip it was made of; `long` ones take seconds to encode */
  kind: ClipName;
  long: boolean;
  /** what shall become of it */
  fate: 'converted' | 'left';
}

/** Few enough kinds that each is decoded once by the judge, different enough that names, containers and fates vary. */
const casting: readonly { kind: ClipName; fate: Film['fate']; weight: number }[] = [
  { kind: 'film', fate: 'converted', weight: 6 },
  { kind: 'tracks', fate: 'converted', weight: 3 },
  { kind: 'xvid', fate: 'converted', weight: 2 },
  { kind: 'anamorphic', fate: 'converted', weight: 1 },
  { kind: 'hevc', fate: 'left', weight: 1 },
];

export interface Library {
  films: Film[];
  /** one more film, whole and under its name at once, as a download that has ended */
  add(wish?: { kind: ClipName; long: boolean }): Promise<Film>;
}

export function createLibrary(share: string, pristine: string, random: Random): Library {
  const films: Film[] = [];
  const roles = casting.flatMap(({ kind, fate, weight }) => Array.from({ length: weight }, () => ({ kind, fate })));
  return {
    films,
    async add(wish) {
      const drawn = random.pick(roles);
      const { kind, fate } = wish ? casting.find((one) => one.kind === wish.kind)! : drawn;
      const long = wish?.long ?? (kind === 'film' && random.chance(0.35));
      const number = String(films.length + 1).padStart(4, '0');
      const source = await clip(kind);
      const folder = random.pick(['', 'Films', 'Serien/Staffel 1', 'Ünïcode & spaces']);
      const name = join(folder, `Film ${number}${extname(source)}`);
      const kept = join(pristine, `${number}${extname(source)}`);
      await mkdir(pristine, { recursive: true });
      // bytes of its own: equal files would count as one that moved
      const words = [
        ...(long ? ['-stream_loop', '7'] : []),
        '-i',
        source,
        '-map',
        '0',
        '-c',
        'copy',
        '-metadata',
        `title=Film ${number}`,
        kept,
      ];
      await promisify(execFile)(requireTool('ffmpeg'), ['-v', 'error', '-nostdin', '-y', ...words]);
      const path = join(share, name);
      await mkdir(dirname(path), { recursive: true });
      await bringIn(kept, path);
      const film: Film = { name, sha256: await sha256(kept), sizeBytes: (await stat(kept)).size, pristine: kept, kind, long, fate };
      films.push(film);
      return film;
    },
  };
}

/** The disk may be full just then: half a film is no film. */
async function bringIn(from: string, to: string): Promise<void> {
  const draft = `${to}.part`;
  try {
    await copyFile(from, draft);
    await rename(draft, to);
  } finally {
    await rm(draft, { force: true });
  }
}

export async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}
