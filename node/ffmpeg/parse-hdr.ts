import type { Color, Hdr } from '../core/media.ts';
import type { Json } from './probe-values.ts';

/**
 * What kind of HDR a film is, from its transfer curve and from side data of the stream and its first frames.
 * The more demanding kind wins: a Dolby Vision film is mostly HDR10 beneath, and may carry HDR10+ too.
 */
export function parseHdr(sideData: Json[], color: Color, codecTag: string | null): Hdr | null {
  const find = (pattern: RegExp): Json | undefined => sideData.find((d) => pattern.test(String(d['side_data_type'] ?? '')));
  const config = find(/^DOVI configuration record/i);
  const dolby = config ?? find(/^Dolby Vision/i);
  const kind =
    dolby || /^(dvh1|dvhe|dvav|dva1|dav1)$/i.test(codecTag ?? '')
      ? 'dolby-vision'
      : find(/HDR10\+|SMPTE2094-40/i)
        ? 'hdr10plus'
        : color.transfer === 'smpte2084'
          ? 'hdr10'
          : color.transfer === 'arib-std-b67'
            ? 'hlg'
            : null;
  if (!kind) return null;
  const profile = Number(config?.['dv_profile']);
  return {
    kind,
    dolbyVisionProfile: config && Number.isInteger(profile) && profile >= 0 && profile < 100 ? profile : null,
    masteringDisplay: masteringDisplay(find(/^Mastering display metadata/i)),
    contentLight: contentLight(find(/^Content light level metadata/i)),
  };
}

/** x265's notation: chromaticities in units of 0.00002, luminance in units of 0.0001 cd/m². */
function masteringDisplay(data: Json | undefined): string | null {
  if (!data) return null;
  const point = (name: string): [number | null, number | null] => [units(data[`${name}_x`], 50_000), units(data[`${name}_y`], 50_000)];
  const points = [
    ['G', point('green')],
    ['B', point('blue')],
    ['R', point('red')],
    ['WP', point('white_point')],
  ] as const;
  const luminance = [units(data['max_luminance'], 10_000), units(data['min_luminance'], 10_000)];
  if ([...points.flatMap(([, p]) => p), ...luminance].some((v) => v === null)) return null;
  return `${points.map(([name, [x, y]]) => `${name}(${x},${y})`).join('')}L(${luminance.join(',')})`;
}

function contentLight(data: Json | undefined): string | null {
  const [max, average] = [units(data?.['max_content'], 1), units(data?.['max_average'], 1)];
  return max === null || average === null || (max === 0 && average === 0) ? null : `${max},${average}`;
}

/** "35400/50000" in the given unit; null when it is not a sane number */
function units(value: unknown, unit: number): number | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  const [top, bottom = 1] = String(value).split('/').map(Number);
  const scaled = Math.round(((top ?? Number.NaN) / bottom) * unit);
  return Number.isFinite(scaled) && scaled >= 0 && scaled <= 2 ** 32 ? scaled : null;
}
