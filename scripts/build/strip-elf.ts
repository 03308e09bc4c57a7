/**
 * A Linux program without its symbols for debuggers, a fifth of the official Node.js: nothing that is loaded to run lies
 * behind the last loaded segment, so the rest goes, and a table of the sections that remain takes its place. Done here and
 * not by `strip`, so that the bytes are the same on whatever machine builds. The names that add-ons link to are loaded and stay.
 * @throws when it is not a 64-bit little-endian ELF file
 */
export function stripElf(program: Buffer): Buffer {
  if (program.readUInt32BE(0) !== 0x7f454c46 || program[4] !== 2 || program[5] !== 1) throw new Error('This is not a 64-bit ELF program.');
  const sections = readSections(program);
  const end = endOfSegments(program);
  const isLoaded = ({ flags }: Section): boolean => (flags & ALLOC) !== 0n;
  const names = sections[program.readUInt16LE(SECTION_OF_NAMES)]!;
  const kept = sections.filter((section, i) => i === 0 || isLoaded(section));
  // links between sections are by place in the table: the loaded ones stand before the others, so theirs stay true
  if (kept.some((section, i) => section !== sections[i])) throw new Error('The sections of this program are not in the usual order.');

  const text = program.subarray(names.offset, names.offset + names.size);
  const table = align8(end + text.length);
  const out = Buffer.alloc(table + (kept.length + 1) * HEADER);
  program.copy(out, 0, 0, end);
  text.copy(out, end);
  for (const [i, section] of kept.entries()) section.header.copy(out, table + i * HEADER);
  const own = Buffer.from(names.header);
  own.writeBigUInt64LE(BigInt(end), 24);
  own.copy(out, table + kept.length * HEADER);
  out.writeBigUInt64LE(BigInt(table), TABLE);
  out.writeUInt16LE(kept.length + 1, COUNT);
  out.writeUInt16LE(kept.length, SECTION_OF_NAMES);
  return out;
}

// of the file's header
const SEGMENTS = 32;
const TABLE = 40;
const SEGMENT_SIZE = 54;
const SEGMENT_COUNT = 56;
const COUNT = 60;
const SECTION_OF_NAMES = 62;
// of a section
const HEADER = 64;
const ALLOC = 2n;

interface Section {
  header: Buffer;
  flags: bigint;
  offset: number;
  size: number;
}

function readSections(program: Buffer): Section[] {
  const table = Number(program.readBigUInt64LE(TABLE));
  return Array.from({ length: program.readUInt16LE(COUNT) }, (_, i) => {
    const header = program.subarray(table + i * HEADER, table + (i + 1) * HEADER);
    return {
      header,
      flags: header.readBigUInt64LE(8),
      offset: Number(header.readBigUInt64LE(24)),
      size: Number(header.readBigUInt64LE(32)),
    };
  });
}

function endOfSegments(program: Buffer): number {
  const at = Number(program.readBigUInt64LE(SEGMENTS));
  const ends = Array.from({ length: program.readUInt16LE(SEGMENT_COUNT) }, (_, i) => {
    const segment = program.subarray(at + i * program.readUInt16LE(SEGMENT_SIZE));
    return Number(segment.readBigUInt64LE(8) + segment.readBigUInt64LE(32));
  });
  return Math.max(...ends);
}

function align8(size: number): number {
  return Math.ceil(size / 8) * 8;
}
