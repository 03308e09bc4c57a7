import { result, type CheckResult } from './check.ts';
import { pictureFault, type PictureFault, type PieceFinding } from './likeness.ts';
import type { VideoStream } from './media.ts';

/** What was seen of the pictures of both films. */
export interface PictureFindings {
  /** pieces of both films side by side; left out where the pictures were copied, not encoded */
  pictures?: PieceFinding[] | undefined;
  /** left out where the pictures were encoded */
  copied?: CopiedFinding | undefined;
}

/** Hashes over every coded picture of both films; null where it could not be read so. */
export interface CopiedFinding {
  original: string | null;
  output: string | null;
  /** over the messages between them, too, in which HDR10+ is */
  messages: boolean;
}

/** Does the copy show what the original shows? `copies`: by plan its pictures were copied, not encoded. */
export function picturesCheck(found: PictureFindings, film: VideoStream, copies: boolean): CheckResult {
  return copies ? copiedCheck(found, film) : comparedCheck(found);
}

/** Fails closed: where the original shows no picture at all, or none was looked at, nobody can say that the copy shows the same. */
function comparedCheck({ pictures = [] }: PictureFindings): CheckResult {
  const seen = pictures.filter((piece) => piece.pictures > 0);
  const looked = `${seen.reduce((sum, piece) => sum + piece.pictures, 0)} looked at in ${seen.length} ${seen.length === 1 ? 'place' : 'places'}`;
  if (seen.length === 0) return notSeen('none could be shown', 'no picture of the original could be shown');
  const bad = seen.map((piece) => ({ piece, fault: pictureFault(piece) })).find(({ fault }) => fault !== null);
  const farthest = Math.max(...seen.map((piece) => piece.difference));
  const near = `the same, at most ${farthest.toFixed(1)} of 255 levels apart`;
  if (!bad) return result('pictures', looked, near, true, 'pictures-differ');
  const at = clockWords(bad.piece.atMs);
  const message = faultWords[bad.fault ?? 'other-pictures'];
  return result('pictures', looked, `${message}, at ${at}`, false, 'pictures-differ', { at, message });
}

/** A re-wrap is proved picture by picture, HDR10+ message by message, or it is not believed. */
function copiedCheck({ copied }: PictureFindings, film: VideoStream): CheckResult {
  const dynamic = film.hdr?.kind === 'hdr10plus';
  const whole = dynamic ? 'every picture with its HDR10+' : 'every picture';
  if (!copied || copied.original === null || copied.output === null || (dynamic && !copied.messages))
    return notSeen(whole, 'its pictures could not be compared bit by bit');
  const passed = copied.original === copied.output;
  const message = 'it was copied, but not every bit is the same';
  return result('pictures', whole, passed ? 'bit by bit the same' : message, passed, dynamic ? 'hdr-differs' : 'pictures-differ', {
    original: whole,
    output: message,
    message,
  });
}

function notSeen(original: string, message: string): CheckResult {
  return result('pictures', original, '?', false, 'not-enough-trust', { message });
}

const faultWords: Record<PictureFault, string> = {
  missing: 'no picture is there',
  'other-pictures': 'the picture is another one',
  'part-differs': 'a part of the picture is another one',
  'other-moment': 'the picture is of another moment',
};

function clockWords(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
