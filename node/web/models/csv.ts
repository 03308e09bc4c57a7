/**
 * One line of a CSV file (RFC 4180, CRLF). A text that a spreadsheet would run as a formula gets a ' before it: file
 * names and ffmpeg's words come from strangers (OWASP, "CSV Injection"). Numbers are written as they are.
 */
export function csvLine(cells: readonly (string | number | Date | null)[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

function csvCell(cell: string | number | Date | null): string {
  if (cell === null) return '';
  if (typeof cell === 'number') return Number.isFinite(cell) ? String(cell) : '';
  if (cell instanceof Date) return cell.toISOString();
  // a leading space or invisible character does not stop every spreadsheet from seeing the formula behind it
  const risky = /^[\s\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(cell) || /^[\t\r\n]/.test(cell);
  const safe = (risky ? `'${cell}` : cell).replaceAll('\0', '').toWellFormed();
  return /[",\r\n;]/.test(safe) || /^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
