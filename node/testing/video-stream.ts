import type { VideoStream } from '../core/media.ts';

/** A plain film: H.264, 1920 × 1080, 25 frames a second, a minute long, with nothing special about it but `change`. */
export function aVideoStream(change: Partial<VideoStream> = {}): VideoStream {
  return {
    kind: 'video',
    index: 0,
    codec: 'h264',
    codecTag: null,
    codecProfile: null,
    language: null,
    title: null,
    disposition: ['default'],
    startMs: 0,
    durationMs: 60_000,
    bitrate: null,
    tags: {},
    width: 1920,
    height: 1080,
    pixelFormat: 'yuv420p',
    bitDepth: 8,
    chroma: '4:2:0',
    hasAlpha: false,
    frameRate: 25,
    averageFrameRate: 25,
    frames: null,
    fieldOrder: 'progressive',
    sampleAspectRatio: '1:1',
    rotation: 0,
    color: { range: null, space: null, transfer: null, primaries: null, chromaLocation: null },
    hdr: null,
    closedCaptions: false,
    ...change,
  };
}
