import type { Probe } from '../core/media.ts';
import type { Tools } from './locate.ts';

/**
 * Asks ffprobe what a file is. The file may be anything; nothing else is opened.
 * @throws PlainError with reason code empty-file, not-media, damaged, probe-timeout, format-not-allowed,
 *   codec-not-allowed, too-many-streams or unreadable; `retry` only where trying again may help
 */
export declare function probeFile(request: { tools: Tools; path: string; signal?: AbortSignal; timeoutMs?: number }): Promise<Probe>;
