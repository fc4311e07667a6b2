/** What must hold of every snapshot, and what a heap's own figures say of one. */
import { expect } from "vitest";
import { type HeapSnapshot, parseSnapshot } from "../../../src/snapshot/index.ts";
import type { Stats } from "../../support/wasm.ts";

/** Spans and runs are all pages, once each; sums are sums; JSON and back changes nothing. */
export function expectSound(snapshot: HeapSnapshot): void {
  expect(snapshot.skipped).toEqual({ count: 0, first: [] });
  const parts = [...snapshot.spans(), ...snapshot.runs].sort((a, b) => a.page - b.page);
  let page = snapshot.start;
  for (const part of parts) {
    if (part.page !== page) throw new Error(`page ${page} is not described, or twice`);
    page += part.pages;
  }
  expect(page).toBe(snapshot.end);
  const { totals, rows } = snapshot;
  const sum = (of: (row: (typeof rows)[number]) => number) => rows.reduce((n, row) => n + of(row), 0);
  expect(sum(({ live }) => live)).toBe(totals.heapObjects);
  expect(sum(({ spans }) => spans)).toBe(totals.spansInUse);
  expect(sum(({ pages }) => pages) * 8192).toBe(totals.heapInuse);
  expect(totals.heapInuse + totals.heapIdle).toBe(totals.heapSys);
  const { kinds } = snapshot.pageMap();
  expect(kinds.filter((kind) => kind === 6)).toHaveLength(totals.heapInuse / 8192);
  const text = JSON.stringify(snapshot);
  expect(JSON.stringify(parseSnapshot(JSON.parse(text)))).toBe(text);
}

/** The live slots are these addresses and no others. */
export function expectLive(snapshot: HeapSnapshot, model: Iterable<number>): void {
  const wanted = [...model].sort((a, b) => a - b);
  const found = [...snapshot.liveBlocks()];
  const has = new Set(found);
  expect(wanted.filter((p) => !has.has(p)).map(hex)).toEqual([]);
  const wants = new Set(wanted);
  expect(found.filter((p) => !wants.has(p)).map(hex)).toEqual([]);
}

const hex = (p: number) => p.toString(16);

/** Totals and rows are what the heap counts itself. */
export function expectFigures({ totals, rows }: HeapSnapshot, stats: Stats): void {
  const { sys, heapSys, heapInuse, heapIdle, heapAlloc, largeLiveBytes, mspanInuse, spansInUse } = stats;
  expect(totals).toMatchObject({ sys, heapSys, heapInuse, heapIdle, heapAlloc, largeLiveBytes, mspanInuse });
  expect(totals).toMatchObject({ overhead: sys - heapSys, spansInUse, heapObjects: stats.mallocs - stats.frees });
  const mallocs = rows.reduce((sum, row) => sum + (row.mallocs ?? 0), 0);
  // Rows without a span are left out, and slots that they handed out are not counted here.
  expect(mallocs).toBeLessThanOrEqual(stats.mallocs - stats.tinyAllocs);
  for (const { class: sizeClass, size, kind } of rows) {
    if (kind !== "large" && kind !== "fitted" && kind !== "raw") expect(stats.bySize[sizeClass]!.size).toBe(size);
  }
}
