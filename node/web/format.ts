import { codecOf } from '../core/encoder-choice.ts';
import { codecName } from '../core/names.ts';

/**
 * Numbers, times and names as a person reads them. Sizes are decimal, as disks are sold; a minus is a real minus sign.
 * Every function takes what the database gives and returns plain text, which the view escapes.
 */
const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const;
const NBSP = '\u00a0';

/** "24.8 GB" */
export function size(bytes: number): string {
  const { value, unit } = sizeParts(bytes);
  return `${value}${NBSP}${unit}`;
}

/** A size in the unit of another one, so that two that stand beside each other compare at a glance: "0.7 GB" after "3.1 GB" */
export function sizeLike(bytes: number, like: number): string {
  const unit = sizeParts(like).unit;
  const n = bytes / 1000 ** units.indexOf(unit as (typeof units)[number]);
  return n >= 0.1 && n < 1 && unit !== 'B' ? `${n.toFixed(1)}${NBSP}${unit}` : size(bytes);
}

/** The number and the unit apart, for figures that are set larger than their unit. `digits` behind the point below 10. */
export function sizeParts(bytes: number, digits = 1): { value: string; unit: string } {
  let n = Math.abs(bytes);
  let i = 0;
  while (n >= 999.5 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  const text = i === 0 ? String(Math.round(n)) : n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(digits);
  return { value: (bytes < 0 ? '−' : '') + text, unit: units[i]! };
}

/** What a file loses: "−15.1 GB"; a file that grew shows "+". */
export function saving(before: number, after: number): string {
  const won = before - after;
  return won === 0 ? size(0) : `${won > 0 ? '−' : '+'}${size(Math.abs(won))}`;
}

/** "−61 %" */
export function savingPercent(before: number, after: number): string {
  if (before <= 0) return '';
  const percent = Math.round((1 - after / before) * 100);
  return `${percent >= 0 ? '−' : '+'}${Math.abs(percent)}${NBSP}%`;
}

/** "1,284" */
export function count(n: number): string {
  return n.toLocaleString('en-US');
}

/** "1 file", "1,284 files" */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** "63.4": one decimal, never 100.0 before the end */
export function percent(n: number): string {
  const bounded = Math.min(100, Math.max(0, n));
  return bounded === 100 ? '100' : Math.min(99.9, bounded).toFixed(1);
}

/** A length of time: "40 s", "12 min", "1 h 20 min", "19 days" */
export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 90) return `${s}${NBSP}s`;
  const min = Math.round(s / 60);
  if (min < 60) return `${min}${NBSP}min`;
  const hours = Math.floor(min / 60);
  if (hours < 48) return min % 60 === 0 ? `${hours}${NBSP}h` : `${hours}${NBSP}h ${min % 60}${NBSP}min`;
  return `${Math.round(hours / 24)}${NBSP}days`;
}

/** Running time of a film: "1:23:45" */
export function clock(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  const two = (n: number): string => String(n).padStart(2, '0');
  return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

/** "just now", "12 minutes ago", "3 h ago", then the day: "Tue 17 Nov" */
export function ago(at: Date, now: Date): string {
  const s = (now.getTime() - at.getTime()) / 1000;
  if (s < 60) return 'just now';
  if (s < 3600) return `${plural(Math.floor(s / 60), 'minute')} ago`;
  if (s < 24 * 3600) return `${Math.floor(s / 3600)}${NBSP}h ago`;
  return day(at);
}

/** "Fri 11 Dec", in the time zone of the node */
export function day(at: Date): string {
  return `${weekdays[at.getDay()]} ${at.getDate()} ${months[at.getMonth()]}`;
}

/** "14:02" */
export function time(at: Date): string {
  return `${String(at.getHours()).padStart(2, '0')}:${String(at.getMinutes()).padStart(2, '0')}`;
}

/** For `title` and `datetime`: "2026-11-22 14:02:31" */
export function exact(at: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time(at)}:${two(at.getSeconds())}`;
}

export function iso(at: Date): string {
  return at.toISOString();
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** "H.264" for ffmpeg's h264, short enough for a table; an unknown codec is shown as ffmpeg calls it */
export function codec(name: string | null): string {
  if (!name) return 'Unknown';
  return name === 'mpeg4' ? 'MPEG-4' : codecName(name);
}

export type Tone = 'jade' | 'blue' | 'amber' | 'mauve';

/** The colour of a video codec everywhere: green is won, blue was efficient before, amber H.264, mauve older. */
export function codecTone(name: string | null, converted = false): Tone {
  if (converted) return 'jade';
  if (name === 'hevc' || name === 'av1' || name === 'vp9' || name === 'vvc') return 'blue';
  return name === 'h264' ? 'amber' : 'mauve';
}

/** "1080p" from the picture's size: cinema formats are cut at top and bottom, so the width counts as well */
export function resolution(width: number | null, height: number | null): string {
  if (!width || !height) return '';
  const long = Math.max(width, height);
  const short = Math.min(width, height);
  for (const [name, w, h] of steps) if (long >= w * 0.95 || short >= h * 0.95) return name;
  return `${short}p`;
}

const steps = [
  ['4320p', 7680, 4320],
  ['2160p', 3840, 2160],
  ['1440p', 2560, 1440],
  ['1080p', 1920, 1080],
  ['720p', 1280, 720],
  ['576p', Infinity, 576],
  ['480p', Infinity, 480],
] as const;

/** "148 fps" */
export function fps(n: number): string {
  return `${n < 10 ? n.toFixed(1) : Math.round(n)}${NBSP}fps`;
}

/** "6.2×": how many seconds of film in one second */
export function speed(n: number): string {
  return `${n < 10 ? n.toFixed(1) : Math.round(n)}×`;
}

/** "HEVC NVENC", "AV1 NVENC", "SVT-AV1": where encoders of both formats stand side by side */
export function encoderWithFormat(name: string): string {
  return codecOf(name) === 'av1' ? encoder(name) : `HEVC ${encoder(name)}`;
}

/** "NVENC" for hevc_nvenc, "x265" for libx265; AV1 is said, being the rarer */
export function encoder(name: string): string {
  const known: Record<string, string> = {
    libx265: 'x265',
    hevc_nvenc: 'NVENC',
    hevc_qsv: 'QSV',
    hevc_vaapi: 'VAAPI',
    hevc_amf: 'AMF',
    hevc_videotoolbox: 'VideoToolbox',
    hevc_v4l2m2m: 'V4L2',
    hevc_rkmpp: 'RKMPP',
    hevc_mf: 'MediaFoundation',
    libsvtav1: 'SVT-AV1',
    av1_nvenc: 'AV1 NVENC',
    av1_qsv: 'AV1 QSV',
    av1_vaapi: 'AV1 VAAPI',
    av1_amf: 'AV1 AMF',
  };
  return known[name] ?? name.replace(/^hevc_/, '');
}

/** Megabits per second: "41.8 Mb/s" */
export function bitrate(bitsPerSecond: number): string {
  const mb = bitsPerSecond / 1e6;
  return mb >= 1 ? `${trim(mb.toFixed(1))}${NBSP}Mb/s` : `${Math.round(bitsPerSecond / 1000)}${NBSP}kb/s`;
}

function trim(text: string): string {
  return text.replace(/\.0$/, '');
}
