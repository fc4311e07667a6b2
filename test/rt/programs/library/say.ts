/** Lines that the host compares, and points where a program collects. */

/** A line: the name of what was done, and what came of it. */
export function say(name: string, result: string): void {
  console.log(name + ": " + result);
}

/** A text that only the caller holds, with garbage on both sides of it. */
export function fresh(text: string, n: i32): string {
  const before = "x".repeat(n & 31);
  const made = text + n.toString();
  return before.length + made.length > 0 ? made : before;
}

/** What nothing holds is gone after this, and its place is taken by other things. */
export function collect(): void {
  __collect();
  for (let i = 0; i < 40; i++) new ArrayBuffer(8 + i * 4);
}
