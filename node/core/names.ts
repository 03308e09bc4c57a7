/** What people call the things that ffmpeg names in its own way. Unknown names are shown as they are. */

export function codecName(codec: string): string {
  return codecs[codec] ?? codec;
}

export function containerName(container: string): string {
  return containers[container] ?? container;
}

/** An ISO 639 code in English, for the languages that a film collection mostly has. */
export function languageName(code: string): string {
  return languages[sameLanguage(code) ?? ''] ?? code;
}

/**
 * One spelling per language, null when none is told. ISO 639-2 has two codes for twenty languages (`ger`/`deu`) and muxers
 * swap them; `und` means "not told" and MP4 always writes it.
 */
export function sameLanguage(code: string | null): string | null {
  const lower = code?.trim().toLowerCase() ?? '';
  if (lower === '' || lower === 'und' || lower === 'unk') return null;
  const [primary = '', ...rest] = lower.split('-');
  return [twins[primary] ?? short[primary] ?? primary, ...rest].join('-');
}

const codecs: Record<string, string> = {
  h264: 'H.264', hevc: 'HEVC', av1: 'AV1', vp9: 'VP9', vp8: 'VP8', vvc: 'VVC', mpeg1video: 'MPEG-1', mpeg2video: 'MPEG-2',
  mpeg4: 'MPEG-4 (DivX, Xvid)', msmpeg4v1: 'MS MPEG-4 v1', msmpeg4v2: 'MS MPEG-4 v2', msmpeg4v3: 'DivX 3', wmv1: 'WMV 7',
  wmv2: 'WMV 8', wmv3: 'WMV 9', vc1: 'VC-1', theora: 'Theora', mjpeg: 'Motion JPEG', dvvideo: 'DV', prores: 'ProRes',
  dnxhd: 'DNxHD', ffv1: 'FFV1', huffyuv: 'Huffyuv', ffvhuff: 'Huffyuv', utvideo: 'Ut Video', rawvideo: 'uncompressed video',
  v210: 'uncompressed 10-bit video', magicyuv: 'MagicYUV', flv1: 'Flash video', vp6: 'VP6', vp6f: 'VP6', vp6a: 'VP6', h263: 'H.263',
  rv10: 'RealVideo 1', rv20: 'RealVideo 2', rv30: 'RealVideo 3', rv40: 'RealVideo 4', svq1: 'Sorenson 1', svq3: 'Sorenson 3',
  cinepak: 'Cinepak', indeo3: 'Indeo 3', indeo5: 'Indeo 5', png: 'PNG', bmp: 'BMP', gif: 'GIF', webp: 'WebP',
  aac: 'AAC', ac3: 'AC-3', eac3: 'E-AC-3', dts: 'DTS', truehd: 'TrueHD', mlp: 'MLP', flac: 'FLAC', alac: 'ALAC', opus: 'Opus',
  vorbis: 'Vorbis', mp3: 'MP3', mp2: 'MP2', wmav1: 'WMA 1', wmav2: 'WMA 2', wmapro: 'WMA Pro', wmalossless: 'WMA Lossless',
  pcm_s16le: 'PCM', pcm_s16be: 'PCM', pcm_s24le: 'PCM 24 bit', pcm_s24be: 'PCM 24 bit', pcm_bluray: 'Blu-ray PCM', pcm_dvd: 'DVD PCM',
  subrip: 'SRT', ass: 'ASS', ssa: 'SSA', mov_text: 'MP4 text', webvtt: 'WebVTT', hdmv_pgs_subtitle: 'PGS', dvd_subtitle: 'VobSub',
  dvb_subtitle: 'DVB subtitles', dvb_teletext: 'teletext', hdmv_text_subtitle: 'Blu-ray text', eia_608: 'closed captions',
  ttf: 'font', otf: 'font', bin_data: 'binary data', tmcd: 'timecode', timed_id3: 'timed ID3', scte_35: 'SCTE-35 cues', klv: 'KLV data',
};

const containers: Record<string, string> = {
  matroska: 'MKV', webm: 'WebM', mp4: 'MP4', mov: 'MOV', avi: 'AVI', mpegts: 'MPEG-TS', m2ts: 'M2TS', mpeg: 'MPEG', asf: 'WMV',
  flv: 'FLV', ogg: 'Ogg', mxf: 'MXF', dv: 'DV', raw: 'raw video', unknown: 'unknown format',
};

const twins: Record<string, string> = {
  alb: 'sqi', arm: 'hye', baq: 'eus', bur: 'mya', chi: 'zho', cze: 'ces', dut: 'nld', fre: 'fra', geo: 'kat', ger: 'deu',
  gre: 'ell', ice: 'isl', mac: 'mkd', mao: 'mri', may: 'msa', per: 'fas', rum: 'ron', slo: 'slk', tib: 'bod', wel: 'cym',
};

const short: Record<string, string> = {
  en: 'eng', de: 'deu', fr: 'fra', es: 'spa', it: 'ita', ja: 'jpn', zh: 'zho', ko: 'kor', ru: 'rus', pt: 'por', nl: 'nld', sv: 'swe',
  no: 'nor', da: 'dan', fi: 'fin', pl: 'pol', cs: 'ces', hu: 'hun', tr: 'tur', el: 'ell', he: 'heb', ar: 'ara', hi: 'hin', uk: 'ukr',
};

const languages: Record<string, string> = {
  eng: 'English', deu: 'German', fra: 'French', spa: 'Spanish', ita: 'Italian', jpn: 'Japanese', zho: 'Chinese', kor: 'Korean',
  rus: 'Russian', por: 'Portuguese', nld: 'Dutch', swe: 'Swedish', nor: 'Norwegian', dan: 'Danish', fin: 'Finnish', pol: 'Polish',
  ces: 'Czech', hun: 'Hungarian', tur: 'Turkish', ell: 'Greek', heb: 'Hebrew', ara: 'Arabic', hin: 'Hindi', ukr: 'Ukrainian',
};
