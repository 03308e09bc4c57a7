import { filmStreams, type Probe } from '../../core/media.ts';
import { MAX_PAIRS, pictureSize } from '../../core/pictures.ts';
import type { PicturesOfJob } from '../../db/pictures.ts';
import { clock } from '../format.ts';
import { url } from '../routes.ts';

/** Frames of the original beside those of the new file, with a slider between them. */
export interface FramesView {
  shots: Shot[];
  width: number;
  height: number;
  /** address of the film's colours, on which the places of the frames are marked */
  strip: string | null;
  /** what a person should know about them */
  note: string | null;
  /** instead of pictures: why there are none */
  none: string | null;
  /** shown when a picture does not come */
  away: string;
}

export interface FramesPart {
  frames: FramesView | null;
}

export interface Shot {
  number: number;
  before: string;
  after: string;
  time: string;
  /** how far into the film, in percent */
  at: number;
}

export interface FramesFacts {
  jobId: number;
  pictures: PicturesOfJob | null;
  nodeName: string | null;
  strip: string | null;
  /** of the original */
  probe: Probe | null;
  /** the new file took the original's place */
  replaced: boolean;
}

/** Null while nothing is known of any. */
export function framesView(facts: FramesFacts): FramesView | null {
  const { pictures, probe, jobId } = facts;
  if (!pictures) return null;
  const film = probe && filmStreams(probe)[0];
  const size = film ? pictureSize(film) : { width: 1280, height: 720 };
  const durationMs = film?.durationMs ?? probe?.durationMs ?? null;
  const shots = pictures.times.slice(0, pictures.pairs).map((ms, n) => ({
    number: n + 1,
    before: url.picture(jobId, pictures.attemptId, n + 1, 'before'),
    after: url.picture(jobId, pictures.attemptId, n + 1, 'after'),
    time: clock(ms),
    at: durationMs ? Math.min(100, Math.max(0, (ms / durationMs) * 100)) : ((n + 0.5) / pictures.pairs) * 100,
  }));
  const host = facts.nodeName ?? 'a machine';
  return {
    shots,
    ...size,
    strip: facts.strip,
    note: shots.length > 0 ? noteOf(shots.length, film?.hdr != null) : null,
    none: shots.length > 0 ? null : pictures.times.length > 0 ? gone(facts.replaced) : 'No frame of this film could be taken to compare.',
    away: `The pictures lie on ${host}, which does not answer now, or has them no more.`,
  };
}

function gone(replaced: boolean): string {
  return replaced ? 'The frames went when the original left the trash.' : 'The frames are not kept any more.';
}

function noteOf(shots: number, hdr: boolean): string | null {
  const parts = [
    shots < MAX_PAIRS ? `Only ${shots} of ${MAX_PAIRS} frames could be taken.` : '',
    hdr ? 'HDR is shown in the colours of an ordinary screen, on both sides alike.' : '',
  ].filter(Boolean);
  return parts.length > 0 ? parts.join(' ') : null;
}
