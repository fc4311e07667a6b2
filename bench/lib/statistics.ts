/** Medians and means. */

/** The middle value; the mean of the two middle ones for an even count; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  if (!sorted.length) return Number.NaN;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** The geometric mean; NaN for none. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** Half the distance between the quartiles over the median: how much the rounds differed. */
export function spread(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.round(q * (sorted.length - 1))]!;
  return (at(0.75) - at(0.25)) / 2 / median(values);
}

/**
 * How far the median may be off, as a part of it: its standard error, were the values of one normal distribution. From
 * the quartiles, which one slow round does not move. 0 for one value.
 */
export function medianError(values: readonly number[]): number {
  // A standard deviation is the quartiles' distance over 1.349; the median's error is 1.2533 of the mean's.
  return ((2 * spread(values)) / 1.349) * (1.2533 / Math.sqrt(values.length));
}
