import { filmStreams, type Probe, type Stream } from '../../core/media.ts';
import { bitrate, size } from '../format.ts';

/** "19.0 Mb/s · 12.8 GB · 97 %": what a stream takes of its file, as far as the file says. */
export function shareWords(stream: Stream, probe: Probe): string {
  const own = stream.bitrate ?? bitrateOfTag(stream);
  const known = own === null ? null : bytesOf(own, stream, probe);
  const bytes = known ?? remainder(stream, probe);
  if (bytes === null) return own === null ? '' : bitrate(own);
  const about = known === null ? '≈ ' : '';
  const percent = probe.sizeBytes > 0 ? (bytes / probe.sizeBytes) * 100 : 0;
  return [own === null ? null : bitrate(own), `${about}${size(bytes)}`, percent < 1 ? 'under 1 %' : `${about}${Math.round(percent)} %`]
    .filter(Boolean)
    .join(' · ');
}

/** mkvmerge writes statistics into tags; the container itself says nothing about its streams. */
function bitrateOfTag(stream: Stream): number | null {
  const said = Object.entries(stream.tags).find(([key]) => /^BPS(-[a-z]{2,3})?$/i.test(key))?.[1];
  const value = Number(said);
  return said !== undefined && Number.isFinite(value) && value > 0 ? value : null;
}

function bytesOf(bitsPerSecond: number, stream: Stream, probe: Probe): number | null {
  const ms = stream.durationMs ?? probe.durationMs;
  const bytes = ms === null ? null : Math.round((bitsPerSecond * ms) / 8000);
  return bytes === null || bytes > probe.sizeBytes ? null : bytes;
}

/** The film is what the others leave, when every sound is known: subtitles weigh next to nothing. */
function remainder(stream: Stream, probe: Probe): number | null {
  const films = filmStreams(probe);
  if (films.length !== 1 || films[0] !== stream) return null;
  let rest = probe.sizeBytes;
  for (const other of probe.streams) {
    if (other === stream || other.kind === 'subtitle' || other.kind === 'attachment' || other.kind === 'data') continue;
    const rate = other.bitrate ?? bitrateOfTag(other);
    const bytes = rate === null ? (other.kind === 'video' ? 0 : null) : bytesOf(rate, other, probe);
    if (bytes === null) return null;
    rest -= bytes;
  }
  return rest > 0 ? rest : null;
}
