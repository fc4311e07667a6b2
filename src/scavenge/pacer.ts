/**
 * The pace of the background scavenger: it works for a piece of time, and sleeps so long that its share of the time
 * stays what it was told.
 *
 * Timers fire late, and a piece of work may take longer than it was given. So what is owed is carried over: sleep that
 * was missed is added to the next one, and sleep that was too long allows a longer piece of work, within bounds. Go's
 * scavenger holds its 1 % by a PI controller over the ratio of both; the sum of what is owed does the same with nothing
 * to tune. Pure arithmetic, milliseconds. Cost: none.
 */

/** Least work between two sleeps. */
const LEAST_MS = 1;
/** Most work between two sleeps, after sleeps that were too long. */
const MOST_MS = 8;

export class Pacer {
  /** Sleep for each millisecond of work. */
  readonly #ratio: number;
  /** Milliseconds of sleep that are owed; below 0: slept too long. */
  #owed = 0;

  /** `share` of the time, above 0, below 1. */
  constructor(share: number) {
    this.#ratio = (1 - share) / share;
  }

  /** How long the next piece of work may take. */
  get budget(): number {
    return Math.min(Math.max(LEAST_MS, -this.#owed / this.#ratio), MOST_MS);
  }

  /** How long to sleep now. */
  get sleep(): number {
    return Math.max(this.#owed, 0);
  }

  worked(ms: number): void {
    // What was slept too long is worth one piece of the longest work.
    this.#owed = Math.max(this.#owed, -MOST_MS * this.#ratio) + ms * this.#ratio;
  }

  slept(ms: number): void {
    this.#owed -= ms;
  }
}
