import { filtersIn } from './examine.ts';
import type { Tools } from './locate.ts';
import { run } from './process.ts';

const known = new Map<string, Promise<ReadonlySet<string>>>();

/** The filters that this ffmpeg was compiled with; asked once. Empty when it will not say. */
export function filtersOf(tools: Tools): Promise<ReadonlySet<string>> {
  const key = `${tools.ffmpeg.path} ${tools.ffmpeg.version}`;
  const asked = known.get(key) ?? ask(tools);
  known.set(key, asked);
  return asked;
}

async function ask(tools: Tools): Promise<ReadonlySet<string>> {
  try {
    const { stdout } = await run({ command: [tools.ffmpeg.path, '-hide_banner', '-filters'], what: 'name its filters', timeoutMs: 20_000 });
    return filtersIn(stdout);
  } catch {
    return new Set();
  }
}
