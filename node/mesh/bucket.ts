/** A token bucket for each of a bounded number of names: `perSecond` in the long run, `burst` at once. */
export interface Buckets {
  /** True when one more is allowed now. */
  take(name: string): boolean;
  forget(name: string): void;
}

const MAX_NAMES = 2000;

export function createBuckets(perSecond: number, burst: number): Buckets {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return {
    take(name) {
      const now = performance.now();
      const bucket = buckets.get(name) ?? { tokens: burst, at: now };
      bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
      bucket.at = now;
      if (!buckets.has(name) && buckets.size >= MAX_NAMES) buckets.delete(buckets.keys().next().value!);
      buckets.set(name, bucket);
      if (bucket.tokens < 1) return false;
      bucket.tokens -= 1;
      return true;
    },
    forget: (name) => void buckets.delete(name),
  };
}
