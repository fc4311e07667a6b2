/**
 * From what was sampled to an estimate of the whole, as Go does it. A block of `size` bytes is sampled with probability
 * 1 - e^(-size/rate), so each that was stands for the inverse of that: 512 of 1 KiB at the default rate, 1.6 of 512 KiB.
 *
 * The estimate is unbiased. Of n sampled blocks the standard error is about 1/sqrt(n) of the result: a stack with a
 * hundred samples is right within 20 % in nineteen cases of twenty, one with a single sample says no more than that it
 * exists.
 */

/** How many blocks one sampled block of `size` bytes stands for. A rate up to 1 samples all: 1. */
export function scaleFactor(size: number, rate: number): number {
  // Not 1 - e^x, which loses the digits of small sizes
  return rate <= 1 ? 1 : -1 / Math.expm1(-size / rate);
}

/** `count` sampled blocks of `size` bytes, drawn by `rate`, as so many that had been drawn by `as`. */
export function countAs(count: number, size: number, rate: number, as: number): number {
  return rate === as || size === 0 ? count : (count * scaleFactor(size, rate)) / scaleFactor(size, as);
}

/** Objects and bytes that `count` sampled blocks of `size` bytes stand for, cut to whole numbers. */
export function unsample(count: number, size: number, rate: number): { objects: number; bytes: number } {
  if (count === 0 || size === 0) return { objects: 0, bytes: 0 };
  const factor = scaleFactor(size, rate);
  return { objects: Math.trunc(count * factor), bytes: Math.trunc(count * size * factor) };
}
