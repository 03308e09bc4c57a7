import type { VideoStream } from '../core/media.ts';

/** What the names of ffmpeg's pixel formats say. */

/** Bits per component; null for names we do not know. */
export function depthOf(pixelFormat: string | null): number | null {
  if (!pixelFormat) return null;
  // p010, p016, p210 …: semi-planar with the depth at the end
  const semiPlanar = /^p[024](10|12|16)(?:le|be)?$/.exec(pixelFormat);
  if (semiPlanar) return Number(semiPlanar[1]);
  if (/^(rgb|bgr)48|^(rgba|bgra)64|^ya16/.test(pixelFormat)) return 16;
  const planar = /^(?:yuva?j?\d{3}p|gbra?p|gray|x2rgb|x2bgr|y2|xv)(9|10|12|14|16)/.exec(pixelFormat);
  if (planar) return Number(planar[1]);
  return /^(yuv|nv|gray|gbr|rgb|bgr|argb|abgr|0rgb|0bgr|ya8|uyvy|yuyv|yvyu|pal8|mono)/.test(pixelFormat) ? 8 : null;
}

export function chromaOf(pixelFormat: string | null): VideoStream['chroma'] {
  if (!pixelFormat) return null;
  if (/^(gray|ya8|ya16|mono)/.test(pixelFormat)) return '4:0:0';
  if (/^(rgb|bgr|argb|abgr|rgba|bgra|gbr|0rgb|0bgr|x2rgb|x2bgr|pal8)/.test(pixelFormat)) return 'rgb';
  if (/^yuva?j?420p|^nv(12|21)$|^p0(10|12|16)/.test(pixelFormat)) return '4:2:0';
  if (/^yuva?j?422p|^nv(16|20)|^p2(10|12|16)|^(yuyv|uyvy|yvyu)422|^y2\d\d/.test(pixelFormat)) return '4:2:2';
  if (/^yuva?j?444p|^nv(24|42)$|^p4(10|12|16)|^xv\d\d|^vuy/.test(pixelFormat)) return '4:4:4';
  return null;
}

export function hasAlpha(pixelFormat: string | null): boolean {
  return /^(yuva|rgba|bgra|argb|abgr|gbrap|ya8|ya16|vuya|pal8)/.test(pixelFormat ?? '');
}
