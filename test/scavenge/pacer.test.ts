/** The pace of the scavenger, on a clock of the test's: its share of the time, whatever timers and pieces do. */
import { describe, expect, it } from "vitest";
import { Pacer } from "../../src/scavenge/pacer.ts";
import { random } from "../support/random.ts";

/** Milliseconds that the system needs for a page of 4 KiB. */
const PAGE_MS = 0.01;

/** Releases `bytes` in pieces; `late` and `long` are what a timer and a piece have in addition. Share and time. */
function play(share: number, bytes: number, late: () => number, long: () => number): { share: number; total: number } {
  const pacer = new Pacer(share);
  let worked = 0;
  let slept = 0;
  for (let left = bytes / 4096; left > 0; ) {
    const { budget } = pacer;
    expect(budget).toBeGreaterThanOrEqual(1);
    expect(budget).toBeLessThanOrEqual(8);
    let piece = long();
    for (; left > 0 && piece < budget; left -= 16) piece += 16 * PAGE_MS;
    pacer.worked(piece);
    worked += piece;
    const { sleep } = pacer;
    expect(sleep).toBeGreaterThanOrEqual(0);
    const really = sleep + late();
    pacer.slept(really);
    slept += really;
  }
  return { share: worked / (worked + slept), total: worked + slept };
}

describe("64 MiB", () => {
  const r = random(1);
  const some = (most: number) => () => ((r() % 1000) / 1000) * most;
  it.each<[string, () => number, () => number]>([
    ["timers that are exact", () => 0, () => 0],
    ["timers up to 2 ms late", some(2), () => 0],
    ["timers 20 ms late", () => 20, () => 0],
    ["pieces that take up to 5 ms more", () => 0, some(5)],
    ["timers and pieces that vary", some(30), some(3)],
  ])("at 1 %%, with %s", (_, late, long) => {
    const { share } = play(0.01, 64 << 20, late, long);
    expect(Math.abs(share - 0.01)).toBeLessThan(0.005);
  });

  it("at other shares", () => {
    for (const share of [0.001, 0.05, 0.25, 0.5]) {
      expect(
        play(
          share,
          64 << 20,
          () => 0,
          () => 0,
        ).share,
      ).toBeCloseTo(share, 1);
    }
  });
});

it("a sleep of minutes buys no more than one long piece", () => {
  const pacer = new Pacer(0.01);
  pacer.worked(1);
  pacer.slept(600_000);
  expect(pacer.budget).toBe(8);
  expect(pacer.sleep).toBe(0);
  pacer.worked(8);
  pacer.worked(1);
  expect(pacer.sleep).toBeCloseTo(99, 6);
});
