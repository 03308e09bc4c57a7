/**
 * Pictures made of numbers, as SVG from the server: percent coordinates instead of a viewBox, so that lines and text stay
 * crisp at any width, and classes instead of colours, so that the theme and the content security policy both hold.
 * What goes in are numbers and fixed class names only; nothing here prints text from outside.
 */
export interface Bar {
  value: number;
  /** the day that is not over yet is hatched */
  open?: boolean;
}

/** Columns from the bottom, the highest filling the height. The caller gives the figure its name. */
export function bars(values: readonly Bar[]): string {
  const top = Math.max(1, ...values.map((v) => v.value));
  const step = 100 / Math.max(1, values.length);
  const rects = values.map((bar, i) => {
    if (bar.value <= 0) return '';
    const height = Math.max(2, (bar.value / top) * 100);
    return `<rect class="b${bar.open ? ' today' : ''}" x="${pc(i * step + step * 0.14)}" y="${pc(100 - height)}" width="${pc(step * 0.72)}" height="${pc(height)}" rx="1.5"/>`;
  });
  return `<svg class="chart" aria-hidden="true">${rects.join('')}<line class="axis" x1="0" x2="100%" y1="100%" y2="100%"/></svg>`;
}

export interface Segment {
  tone: 'jade' | 'blue' | 'amber' | 'mauve' | 'grey' | 'free';
  value: number;
}

/**
 * The library bar's coloured lengths with hairline gaps. The whole width is `total`. Something that exists is never
 * thinner than a hair, even when it is a millionth of the whole.
 */
export function segments(parts: readonly Segment[], total: number): string {
  const shown = parts.filter((p) => p.value > 0);
  const gap = shown.length > 1 ? 0.18 : 0;
  const usable = 100 - gap * Math.max(0, shown.length - 1);
  const wanted = shown.map((p) => Math.max(0.4, (p.value / Math.max(1, total)) * usable));
  const sum = wanted.reduce((a, b) => a + b, 0);
  const scale = sum > usable ? usable / sum : 1;
  let x = 0;
  const rects = shown.map((part, i) => {
    const width = wanted[i]! * scale;
    const rect = `<rect class="s-${part.tone}" x="${pc(x)}" width="${pc(width)}" height="100%" rx="4"/>`;
    x += width + gap;
    return rect;
  });
  return rects.join('');
}

/** The hatch for space that is free again; once per page that uses it. */
export function hatch(): string {
  return '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line class="hl" x1="0" y1="0" x2="0" y2="6"/></pattern>';
}

/**
 * The bar of one running job: filled part and a playhead. With the film's colours it is painted in them, the part that is
 * still to come dimmed; beneath them lies the plain bar, which shows when the picture does not come.
 */
export function progress(percent: number, strip: string | null = null): string {
  const p = Math.min(100, Math.max(0, percent));
  const fill = `<rect class="bar-fill" width="${pc(p)}" height="100%"/>`;
  const film = strip
    ? `<image class="bar-film" href="${address(strip)}" width="100%" height="100%" preserveAspectRatio="none"/><rect class="bar-rest" x="${pc(p)}" width="${pc(100 - p)}" height="100%"/><rect class="bar-base" y="100%" width="${pc(p)}" height="2"/>`
    : '';
  const head = p > 0 && p < 100 ? `<rect class="bar-head" x="${pc(p)}" width="2" height="100%"/>` : '';
  return `<svg class="bar-o" aria-hidden="true">${fill}${film}${head}</svg>`;
}

/** A film's colours from beginning to end, with marks at some places, in percent. */
export function strip(colours: string, marks: readonly number[]): string {
  const lines = marks.map((at) => `<rect class="bar-head" x="${pc(at)}" width="2" height="100%"/>`).join('');
  return `<svg class="bar-o" aria-hidden="true"><image class="bar-film" href="${address(colours)}" width="100%" height="100%" preserveAspectRatio="none"/>${lines}</svg>`;
}

/** Only paths that `url` makes. */
function address(path: string): string {
  if (!/^[\w/-]+$/.test(path)) throw new Error('not an address of a strip');
  return path;
}

/** A small meter, 0…100. */
export function meter(percent: number): string {
  return `<svg class="mb" aria-hidden="true"><rect class="mt" width="100%" height="4" rx="2"/><rect class="mf" width="${pc(Math.min(100, Math.max(0, percent)))}" height="4" rx="2"/></svg>`;
}

/** A number as an SVG percentage. */
export function pc(n: number): string {
  if (!Number.isFinite(n)) throw new Error(`a chart got ${n}`);
  return `${+n.toFixed(2)}%`;
}
