/** A line of the program's log as a person reads it; anything else as it is, without what a terminal would obey. */
export function lineWords(line: string): string {
  return printable(fromJson(line) ?? line);
}

function fromJson(line: string): string | null {
  try {
    const { time, level, room, msg, err, why } = JSON.parse(line) as Record<string, unknown>;
    if (typeof msg !== 'string') return null;
    const mark = level === 'error' || level === 'fatal' ? '✗ ' : level === 'warn' ? '! ' : '';
    const cause = typeof why === 'string' ? why : (err as { message?: unknown } | undefined)?.message;
    return `${String(time).slice(0, 19).replace('T', ' ')}  ${mark}${room ? `${String(room)}: ` : ''}${msg}${typeof cause === 'string' ? ` (${cause})` : ''}`;
  } catch {
    return null;
  }
}

function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
