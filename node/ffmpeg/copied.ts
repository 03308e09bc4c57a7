import path from 'node:path';
import { filmStreams, type Probe } from '../core/media.ts';
import type { Evidence } from '../core/verdict.ts';
import type { Tools } from './locate.ts';
import { run, ToolError } from './process.ts';
import { fileUrl, safeGlobals, safeInput, wrapper } from './sandbox.ts';

/** NAL units of HEVC (H.265, table 7-1): coded pictures, and the messages before and after them, of which one kind is HDR10+. */
const PICTURES = '0-31';
const MESSAGES = '39-40';

/**
 * A re-wrap promises the same bits, so the bits are compared: every coded picture in its order, and for HDR10+ every message
 * beside it, which no decoder shows. What a container keeps of its own (parameter sets, delimiters, lengths or start codes) is
 * left out of it. Each file is read once more, nothing is decoded.
 * @throws the signal's reason
 */
export async function compareCopied(request: {
  tools: Tools;
  original: string;
  output: string;
  originalProbe: Probe;
  outputProbe: Probe;
  signal?: AbortSignal | undefined;
}): Promise<NonNullable<Evidence['copied']>> {
  const { tools, signal } = request;
  // other messages may move into a container's own header, and nothing that is shown depends on them
  const messages = filmStreams(request.originalProbe)[0]?.hdr?.kind === 'hdr10plus';
  const of = (file: string, probe: Probe): Promise<string | null> => digest({ tools, file, probe, signal, messages });
  return {
    messages,
    original: await of(request.original, request.originalProbe),
    output: await of(request.output, request.outputProbe),
  };
}

/** SHA-256, or null where there is nothing that can be read so. */
async function digest(look: {
  tools: Tools;
  file: string;
  probe: Probe;
  signal: AbortSignal | undefined;
  messages: boolean;
}): Promise<string | null> {
  const { tools, file, signal } = look;
  const film = filmStreams(look.probe)[0];
  if (film?.codec !== 'hevc') return null;
  const units = `hevc_mp4toannexb,filter_units=pass_types=${PICTURES}${look.messages ? `|${MESSAGES}` : ''}`;
  const read = [...safeGlobals, '-v', 'error', ...safeInput, '-i', fileUrl(file), '-map', `0:${film.index}`, '-c', 'copy'];
  try {
    const { stdout } = await run({
      command: [tools.ffmpeg.path, ...read, '-bsf:v', units, '-f', 'streamhash', '-hash', 'sha256', '-'],
      wrapper: wrapper(tools, tools.ffmpeg.path, { read: [file] }),
      what: `compare the bits of ${path.basename(file)}`,
      signal,
    });
    return /SHA256=([0-9a-f]{64})/i.exec(stdout)?.[1] ?? null;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ToolError) return null;
    throw error;
  }
}
