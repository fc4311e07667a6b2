/**
 * Budget: what stacks may cost. A stack takes some ten microseconds where engines are warm and hundreds where samples are
 * rare; a program that allocates a gigabyte a second would pay a tenth of its time at Go's rate. So the time is measured,
 * and when it is more than a share of all time, the mean distance between two samples doubles for those to come. It comes
 * back when there is room. The heap weighs each sample with the rate that it was drawn by, so the profile stays unbiased:
 * a budget costs exactness, not truth.
 *
 * One object a thread. Cost: two looks at the clock a sample.
 */

/** The largest factor: 2 to the power of it. */
const MAX_SHIFT = 10;
/** Part of the budget below which samples come closer again. */
const ROOM = 1 / 4;
/** What the first samples may cost, milliseconds: a program that has just begun has no time yet to take a share of. */
const FIRST_MS = 1;

export class Budget {
  readonly #share: number;
  readonly #base: number;
  readonly #now: () => number;
  readonly #begun: number;
  #spent = 0;
  #shift = 0;

  /** `share` of the thread's time, 0 to 1; `base`: the rate asked for, bytes. */
  constructor(share: number, base: number, now: () => number) {
    this.#share = share;
    this.#base = base;
    this.#now = now;
    this.#begun = now();
  }

  /** A stack is about to be taken. What `after` needs. */
  before(): number {
    return this.#now();
  }

  /**
   * It was taken, of a heap whose rate was asked to be `asked` and is `current` now. The rate to be in force from now on:
   * `current` where the program has asked for another than the one that this budget is for.
   */
  after(before: number, asked: number, current: number): number {
    const now = this.#now();
    this.#spent += now - before;
    if (asked !== this.#base) return current;
    // Another thread of the heap may have changed it.
    this.#shift = Math.min(Math.max(Math.round(Math.log2(current / this.#base)), 0), MAX_SHIFT);
    const budget = FIRST_MS + (now - this.#begun) * this.#share;
    if (this.#spent > budget) this.#shift = Math.min(this.#shift + 1, MAX_SHIFT);
    else if (this.#spent < budget * ROOM) this.#shift = Math.max(this.#shift - 1, 0);
    return this.#base * 2 ** this.#shift;
  }
}
