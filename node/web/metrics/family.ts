/** One metric with its values, as a monitoring program gets it. */
export interface Family {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  values: Value[];
}

export interface Value {
  labels: Record<string, string | number>;
  value: number;
  /** of a histogram: name_bucket, name_sum, name_count */
  metricName?: string;
}

/** Labels with their value. */
export type Pair = [Record<string, string | number>, number];

export function gauge(name: string, help: string, pairs: readonly Pair[]): Family {
  return { name: `codecshift_${name}`, help, type: 'gauge', values: pairs.map(([labels, value]) => ({ labels, value })) };
}

export function counter(name: string, help: string, pairs: readonly Pair[]): Family {
  return { ...gauge(name, help, pairs), type: 'counter' };
}

/** One pair for each set of labels, in the order in which they were met. */
export function sums<T>(items: readonly T[], labelsOf: (item: T) => Record<string, string | number>, valueOf: (item: T) => number): Pair[] {
  const found = new Map<string, Pair>();
  for (const item of items) {
    const labels = labelsOf(item);
    const key = JSON.stringify(labels);
    const pair = found.get(key);
    if (pair) pair[1] += valueOf(item);
    else found.set(key, [labels, valueOf(item)]);
  }
  return [...found.values()];
}
