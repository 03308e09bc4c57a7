import type { Tool, Tools } from './locate.ts';

/** What a person should know about the tools found; hints, not verdicts. */
export interface ToolFact {
  tool: Tool['name'] | 'sandbox';
  level: 'ok' | 'hint';
  text: string;
}

/** First releases with the fix of "PixelSmash" (CVE-2026-8461), by branch. */
const fixedIn: Record<number, [minor: number, patch: number][]> = {
  7: [[1, 5]],
  8: [
    [0, 3],
    [1, 2],
  ],
};

const FIXED_YEAR = 2026;

export function toolFacts(tools: Tools): ToolFact[] {
  return [describe(tools.ffmpeg), describe(tools.ffprobe), cageFact(tools)];
}

function describe(tool: Tool): ToolFact {
  const where = { configured: 'as configured', system: 'from this system', bundled: 'bundled with CodecShift' }[tool.from];
  const text = `${tool.name} ${tool.version}${tool.year ? ` of ${tool.year}` : ''}, ${where} (${tool.path})`;
  if (!mayBeVulnerable(tool)) return { tool: tool.name, level: 'ok', text };
  return {
    tool: tool.name,
    level: 'hint',
    text:
      `${text}; by its age it lacks the fix of CVE-2026-8461 (fixed in 7.1.5, 8.0.3 and 8.1.2), though distributions may have patched it. ` +
      'Only listed formats and decoders are opened, and the affected decoder is not among them.',
  };
}

/** By the number, or a nightly build's year: distributions patch without changing either. */
export function mayBeVulnerable(tool: Pick<Tool, 'release' | 'year'>): boolean {
  if (!tool.release) return tool.year !== null && tool.year < FIXED_YEAR;
  const [major = 0, minor = 0, patch = 0] = tool.release;
  const fixes = fixedIn[major];
  if (!fixes) return major < 7;
  const branch = fixes.find(([m]) => m === minor);
  return branch ? patch < branch[1] : minor < Math.max(...fixes.map(([m]) => m));
}

function cageFact(tools: Tools): ToolFact {
  if (tools.cage)
    return { tool: 'sandbox', level: 'ok', text: `ffmpeg runs inside ${tools.cage.name}: no network, only the one film and the workspace` };
  const help = process.platform === 'linux' ? ' On Linux, installing bubblewrap gives one.' : '';
  return {
    tool: 'sandbox',
    level: 'hint',
    text: `ffmpeg runs without a sandbox: ${tools.cageProblem}.${help} Format and decoder lists still apply.`,
  };
}
