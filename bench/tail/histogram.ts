/** Values of any size in buckets that are 4 % wide, as an HDR histogram has them. */
export interface Histogram {
  record(ms: number): void;
  /** Upper bound of the bucket in which the percentile is. */
  percentile(percent: number): number;
  /** Values from `fromMs` up to `untilMs`, by their buckets. */
  countBetween(fromMs: number, untilMs: number): number;
  readonly count: number;
}

const lowestMs = 0.01;
const growth = 1.04;

export function createHistogram(): Histogram {
  const counts = new Uint32Array(512);
  let count = 0;
  const upperOf = (bucket: number) => lowestMs * growth ** bucket;
  return {
    record(ms) {
      const bucket = ms <= lowestMs ? 0 : Math.min(counts.length - 1, Math.ceil(Math.log(ms / lowestMs) / Math.log(growth)));
      counts[bucket] = (counts[bucket] as number) + 1;
      count += 1;
    },
    percentile(percent) {
      let left = count * (1 - percent / 100);
      for (let bucket = counts.length - 1; bucket > 0; bucket -= 1) {
        left -= counts[bucket] as number;
        if (left < 0) return upperOf(bucket);
      }
      return lowestMs;
    },
    countBetween(fromMs, untilMs) {
      return counts.reduce((sum, one, bucket) => (upperOf(bucket) >= fromMs && upperOf(bucket) < untilMs ? sum + one : sum), 0);
    },
    get count() {
      return count;
    },
  };
}
