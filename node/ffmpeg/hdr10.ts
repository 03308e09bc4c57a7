import type { Hdr } from '../core/media.ts';

/**
 * HDR10's fixed values in the words of the two software encoders. ffmpeg before 7.1 does not hand them over by itself.
 * Hardware encoders take them from the pictures, those of newer ffmpeg only: detect.ts proves for each whether it does.
 */
export function x265Hdr10(hdr: Hdr | null | undefined): string[] {
  if (hdr?.kind !== 'hdr10') return [];
  return [
    'hdr10=1',
    'hdr10-opt=1',
    'repeat-headers=1',
    ...(hdr.masteringDisplay ? [`master-display=${hdr.masteringDisplay}`] : []),
    ...(hdr.contentLight ? [`max-cll=${hdr.contentLight}`] : []),
  ];
}

/** SVT-AV1 wants chromaticities as they are and light in cd/m², where x265 counts in 50,000ths and 10,000ths. */
export function svtHdr10(hdr: Hdr | null | undefined): string[] {
  if (hdr?.kind !== 'hdr10') return [];
  const display = hdr.masteringDisplay?.replace(
    /(G|B|R|WP|L)\((\d+),(\d+)\)/g,
    (_, name: string, a: string, b: string) => `${name}(${share(name, a)},${share(name, b)})`,
  );
  return [...(display ? [`mastering-display=${display}`] : []), ...(hdr.contentLight ? [`content-light=${hdr.contentLight}`] : [])];
}

function share(name: string, value: string): string {
  return String(Number(value) / (name === 'L' ? 10_000 : 50_000));
}
