/** Prints one line of a result. */
export type Print = (line: string) => void;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** `  what                 12.3 ms (10.1 … 15.0)` */
export function spread(what: string, values: readonly number[], unit: string, digits = 1): string {
  const text = (value: number): string => value.toFixed(digits);
  const range = values.length > 1 ? ` (${text(Math.min(...values))} … ${text(Math.max(...values))}, ${values.length} rounds)` : '';
  return `  ${what.padEnd(52)} ${text(median(values))} ${unit}${range}`;
}

export function ratio(what: string, value: number): string {
  return `  ${what.padEnd(52)} ×${value.toFixed(2)}`;
}
