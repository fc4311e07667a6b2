/** realloc of the collector's objects, at the host ABI: what they point to, and whether they do, is not lost with the old one. */
import { describe, expect, it } from "vitest";
import type { CollectorExports } from "../../src/base/gcabi.ts";
import { type HostExports, type Opened, open, PAGE } from "../support/wasm.ts";

type Exports = HostExports & CollectorExports & { gc(): void };

describe.each(["host", "test"] as const)("%s: realloc of an object", (flavour) => {
  const start = (maximum = 1000) => open(flavour, { initial: 2, maximum, heapBase: 1024 }) as Opened<Exports>;

  it.each([
    [64, 8, 300],
    [64, 60, 64],
    [64, 8, 100_000],
    [5000, 4000, 4100],
    [300_000, 299_996, 400_000],
    [300_000, 20, 24],
  ])("during the marking keeps what it points to: %i bytes, a pointer at %i, to %i", (bytes, at, more) => {
    const { e, mem } = start();
    const child = e.mallocgc(200, 1, 0);
    const old = e.mallocgc(bytes, 1, 0);
    const handle = e.handleNew(old);
    e.writePointer(old + at, child);
    mem.view.setUint32(child + 100, 123_456_789, true);
    // The old object waits to be scanned, and is gone before that.
    expect(e.gcStart(1)).toBe(1);
    const moved = e.tryRealloc(old, more);
    expect(e.handleSet(handle, moved)).toBe(1);
    while (e.gcStep(1) > 0) {}
    while (e.gcSweep(1000) > 0) {}
    expect(mem.u32(moved + at)).toBe(child);
    expect(e.isObject(child)).toBe(1);
    expect(mem.u32(child + 100)).toBe(123_456_789);
    expect(e.validateDeep()).toBe(0);
  });

  it("is of the same kind as the old one when the pin for the time has records moved", () => {
    const { e, mem } = start(48);
    // One pin more, and the table takes two pages.
    for (let i = 0; i < 512; i++) expect(e.pin(e.mallocgc(16, 0, 0))).toBe(1);
    const garbage = e.mallocgc(16, 0, 0);
    const handle = e.handleNew(0);
    const recordPage = (p: number) => e.spanOf(p) & -PAGE;
    const blocks = [e.malloc(PAGE)];
    // Up to the first span on the next page of records.
    while (recordPage(blocks.at(-1)!) === recordPage(blocks[0]!)) blocks.push(e.malloc(PAGE));
    e.free(blocks.pop()!);
    const object = e.mallocgc(64, 0, 1);
    const page = recordPage(object);
    const below = blocks.filter((p) => p < page - PAGE);
    for (let p = e.malloc(PAGE); p !== 0; p = e.malloc(PAGE)) blocks.push(p);
    // No two free pages are neighbours, until the record's page becomes free: and there the table goes.
    for (let i = 6; i < below.length; i += 2) e.free(below[i]!);
    expect(blocks).toContain(page + PAGE);
    e.free(page + PAGE);
    const moved = e.tryRealloc(object, 60);
    expect(e.handleSet(handle, moved)).toBe(1);
    // It holds no pointers: an address in it keeps nothing.
    mem.view.setUint32(moved, garbage, true);
    e.gc();
    expect(e.isObject(moved)).toBe(1);
    expect(e.isObject(garbage)).toBe(0);
    expect(e.validateDeep()).toBe(0);
  });
});
