/**
 * Settings written as strings, by the rules of Go's runtime: GOGC and GOMEMLIMIT. Pure functions; null: not a value.
 */
import { text } from "../base/check.js";

const MAX_INT64 = 2n ** 63n - 1n;
const MAX_INT32 = 2 ** 31 - 1;
const MIN_INT32 = -(2 ** 31);
const UNITS = "KMGT";

/**
 * Go's parseByteCount: a number of bytes in decimal digits, with B, KiB, MiB, GiB or TiB behind it or nothing; at most
 * 2^63-1. Null for anything else: a sign, a space, a fraction, another unit. Throws TypeError for what is no string.
 */
export function parseByteCount(given: string): bigint | null {
  const match = /^(\d+)(?:([KMGT])iB|B)?$/.exec(text(given, "the byte count"));
  if (match === null) return null;
  const [, digits, unit] = match;
  // What is longer has leading zeros or is out of range; a string of any length may come from the environment.
  const significant = digits!.replace(/^0+(?=\d)/, "");
  if (significant.length > 19) return null;
  const power = unit === undefined ? 0 : UNITS.indexOf(unit) + 1;
  const bytes = BigInt(significant) << BigInt(10 * power);
  return BigInt(significant) <= MAX_INT64 && bytes <= MAX_INT64 ? bytes : null;
}

/** Go's atoi32: decimal digits, perhaps after a minus, in the range of a 32-bit integer. */
export function parseInt32(given: string): number | null {
  if (!/^-?\d+$/.test(given)) return null;
  const value = Number(given);
  return value >= MIN_INT32 && value <= MAX_INT32 ? value + 0 : null;
}

/** GOGC: a percentage, -1 for "off" and for everything negative. */
export function parsePercent(given: string): number | null {
  if (given === "off") return -1;
  const percent = parseInt32(given);
  return percent === null ? null : Math.max(percent, -1);
}

/**
 * GOMEMLIMIT in bytes: Infinity for "off" and for more than a double counts exactly. 0 is a limit here, as in Go, and
 * becomes the least there is, 1.
 */
export function parseLimit(given: string): number | null {
  if (given === "off") return Number.POSITIVE_INFINITY;
  const bytes = parseByteCount(given);
  if (bytes === null) return null;
  return bytes > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Math.max(Number(bytes), 1);
}
