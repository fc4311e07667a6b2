/** Checks of arguments, each O(1). They throw RangeError with the argument's name and the value. */

const MAX_U32 = 0xffffffff;

/** `value` when it is an integer in 0..2^32-1. */
export function u32(value: number, name: string): number {
  if (value >>> 0 !== value) throw new RangeError(`${name} must be an integer in 0..${MAX_U32}: ${String(value)}`);
  return value;
}

/** `value` when it is a power of two in 1..2^31. */
export function powerOfTwo(value: number, name: string): number {
  if (value >>> 0 !== value || value === 0 || (value & (value - 1)) !== 0) {
    throw new RangeError(`${name} must be a power of two in 1..2^31: ${String(value)}`);
  }
  return value;
}

/** `value` when it is an integer in low..high. */
export function within(value: number, low: number, high: number, name: string): number {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`${name} must be an integer in ${low}..${high}: ${String(value)}`);
  }
  return value;
}
