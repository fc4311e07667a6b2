/**
 * Free pages that lie apart: no run is left for a span of several pages. Where the shortest span wastes little it is made
 * of them; where it wastes much the memory grows, and only at its maximum are they taken all the same.
 */
import { describe, expect, it } from "vitest";
import { type Flavour, type HostExports, type Opened, open, PAGE, readStats } from "../support/wasm.ts";

const FLAVOURS: Flavour[] = ["host", "host-shared"];
const BLOCKS = 400;

/** A heap in which every other page of a long stretch is free, and some of them; pages above it are in use. */
function scattered(o: Opened<HostExports>): number[] {
  const blocks = Array.from({ length: BLOCKS }, () => o.e.malloc(PAGE));
  // What the last growth left over: used up, so that the free pages are those in between.
  for (let free = readStats(o).heapIdle / PAGE; free > 0; free--) o.e.malloc(PAGE);
  const gaps = blocks.filter((_, i) => i % 2 === 1);
  for (const p of gaps) o.e.free(p);
  o.e.malloc_trim(0);
  expect(readStats(o).heapIdle / PAGE).toBeGreaterThanOrEqual(gaps.length - 2);
  return gaps;
}

describe.each(FLAVOURS)("%s: where free pages lie apart", (flavour) => {
  it.each([
    ["a quarter", 6144],
    ["a quarter", 3072],
    ["a fifth", 3200],
    ["three twentieths", 2304],
  ])("memory does not grow for a span of several pages if one page wastes %s: %i bytes", (_, size) => {
    const o = open(flavour) as Opened<HostExports>;
    const gaps = new Set(scattered(o));
    const pages = o.mem.pages;
    const perPage = Math.floor(PAGE / size);
    const blocks = Array.from({ length: (gaps.size - 10) * perPage }, () => o.e.malloc(size));
    // But for records, of which malloc_trim gave back what no span used: their pages are free too now.
    expect(o.mem.pages).toBeLessThanOrEqual(pages + 1);
    const inGaps = blocks.filter((p) => gaps.has(p - (p % PAGE)));
    expect(inGaps.length).toBeGreaterThanOrEqual(0.9 * blocks.length);
    expect(o.e.validateDeep()).toBe(0);
    for (const p of blocks) o.e.free(p);
    expect(o.e.validateDeep()).toBe(0);
  });

  it("it grows if a page would waste nearly half: 4368 bytes", () => {
    const o = open(flavour) as Opened<HostExports>;
    const gaps = new Set(scattered(o));
    const pages = o.mem.pages;
    // Beyond the class's first spans, which are the shortest whatever they waste.
    for (let i = 0; i < gaps.size / 2; i++) o.e.malloc(4368);
    expect(o.mem.pages).toBeGreaterThan(pages);
    expect(o.e.validateDeep()).toBe(0);
  });

  it("at the memory's maximum no free page is refused, whatever it wastes", () => {
    const o = open(flavour, { initial: 2, maximum: 80 }) as Opened<HostExports>;
    scattered(o);
    let got = 0;
    while (o.e.malloc(4368) !== 0) got++;
    // What is left is for records.
    expect(readStats(o).heapIdle / PAGE).toBeLessThanOrEqual(1);
    expect(got).toBeGreaterThanOrEqual(BLOCKS / 2 - 10);
    expect(o.e.validateDeep()).toBe(0);
  });
});
