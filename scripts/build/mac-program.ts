/** What signing must know of a Mach-O program for one processor: its segments, and where its signature lies. */
export interface MacProgram {
  commands: number;
  commandBytes: number;
  segments: Segment[];
  signature: { at: number; offset: number; size: number } | null;
  /** where the first section's content begins: load commands must end before it */
  firstContent: number;
}

export interface Segment {
  /** of its load command */
  at: number;
  name: string;
  offset: number;
  size: number;
}

export const HEADER_BYTES = 32;
const SEGMENT_64 = 0x19;
export const CODE_SIGNATURE = 0x1d;

/** @throws when it is not a 64-bit Mach-O program for one processor */
export function readMacProgram(file: Buffer): MacProgram {
  if (file.length < HEADER_BYTES || file.readUInt32LE(0) !== 0xfeedfacf) throw new Error('This is not a Mac program for one processor.');
  const program: MacProgram = {
    commands: file.readUInt32LE(16),
    commandBytes: file.readUInt32LE(20),
    segments: [],
    signature: null,
    firstContent: file.length,
  };
  let at = HEADER_BYTES;
  for (let i = 0; i < program.commands; i++) {
    const kind = file.readUInt32LE(at);
    if (kind === SEGMENT_64) readSegment(file, at, program);
    if (kind === CODE_SIGNATURE) program.signature = { at, offset: file.readUInt32LE(at + 8), size: file.readUInt32LE(at + 12) };
    at += file.readUInt32LE(at + 4);
  }
  return program;
}

function readSegment(file: Buffer, at: number, program: MacProgram): void {
  const end = file.subarray(at + 8, at + 24).indexOf(0);
  program.segments.push({
    at,
    name: file.toString('latin1', at + 8, at + 8 + (end < 0 ? 16 : end)),
    offset: Number(file.readBigUInt64LE(at + 40)),
    size: Number(file.readBigUInt64LE(at + 48)),
  });
  for (let i = 0; i < file.readUInt32LE(at + 64); i++) {
    const content = file.readUInt32LE(at + 72 + i * 80 + 48);
    if (content > 0) program.firstContent = Math.min(program.firstContent, content);
  }
}
