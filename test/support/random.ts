/** Seeded pseudo-random numbers (sfc32), so that a failing run can be had again from the seed that it prints. */

export type Random = () => number;

/** Uniform u32 values from a 32-bit seed. */
export function random(seed: number): Random {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
  let c = seed >>> 0;
  let d = 1;
  const next = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return t >>> 0;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

/** Uniform integer in [from, to]. */
export const between = (r: Random, from: number, to: number): number => from + (r() % (to - from + 1));

/** Uniform 64-bit word. */
export const word64 = (r: Random): bigint => (BigInt(r()) << 32n) | BigInt(r());

/** An environment variable as a number, or the default. */
export function env(name: string, fallback: number): number {
  const value = process.env[name];
  return value === undefined || value === "" ? fallback : Number(value);
}

/** Runs of a property; PROPERTY_SCALE multiplies them all. fast-check prints the seed of a failure. */
export const runs = (n: number): number => Math.round(n * env("PROPERTY_SCALE", 1));
