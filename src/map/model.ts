/**
 * What the page knows of one snapshot: for each page its span or what else it is, which spans the filters let through, the
 * sampled blocks by page, and what is different from another snapshot. Cost: a few bytes a page.
 */

import { compareSnapshots, type SnapshotDiff, type SpanChange } from "../snapshot/figures.js";
import { PAGE_BYTES, RUN_KINDS, type RunKind, type SampledBlock } from "../snapshot/format.js";
import type { HeapSnapshot } from "../snapshot/snapshot.js";

/** Pages of an arena, which the map sets apart. */
export const ARENA = 512;
/** No span, or no run. */
const NONE = -1;

/** What is shown strongly. */
export interface Filter {
  /** Kinds of spans and runs that are hidden. */
  readonly hidden: ReadonlySet<string>;
  /** Row; undefined: all. */
  readonly row: number | undefined;
  /** P; 0: nobody's; undefined: all. */
  readonly owner: number | undefined;
}

export const NO_FILTER: Filter = { hidden: new Set(), row: undefined, owner: undefined };

export class Model {
  /** First page of the map: that of an arena. */
  readonly base: number;
  readonly length: number;
  /** By page from `base` on: index of its span, or NONE. */
  readonly #span: Int32Array;
  /** Index in RUN_KINDS, or NONE. */
  readonly #run: Int8Array;
  readonly #samples = new Map<number, SampledBlock[]>();
  readonly diff: SnapshotDiff | undefined;
  /** Share of a page that became live (above 0) or was freed; undefined without a comparison. */
  readonly weight: Float32Array | undefined;
  readonly #changes = new Map<number, SpanChange[]>();
  /** By span: 1 if the filter lets it through. */
  #shown: Uint8Array = new Uint8Array(0);
  #filter: Filter = NO_FILTER;

  constructor(
    readonly snapshot: HeapSnapshot,
    before?: HeapSnapshot,
  ) {
    const start = Math.min(snapshot.start, before?.start ?? snapshot.start);
    const end = Math.max(snapshot.end, before?.end ?? snapshot.end);
    this.base = Math.floor(start / ARENA) * ARENA;
    this.length = end - this.base;
    this.#span = new Int32Array(this.length).fill(NONE);
    this.#run = new Int8Array(this.length).fill(NONE);
    const { columns } = snapshot;
    for (let i = 0; i < columns.count; i++) {
      const from = columns.page[i]! - this.base;
      this.#span.fill(i, from, from + columns.pages[i]!);
    }
    for (const { page, pages, kind } of snapshot.runs) {
      this.#run.fill(kind, page - this.base, page - this.base + pages);
    }
    for (const sample of snapshot.samples ?? []) {
      const page = Math.floor(sample.address / PAGE_BYTES);
      this.#samples.set(page, [...(this.#samples.get(page) ?? []), sample]);
    }
    if (before !== undefined) {
      this.diff = compareSnapshots(before, snapshot);
      this.weight = new Float32Array(this.length);
      for (const change of this.diff.spans) this.#weigh(change, this.weight);
    }
    this.filter = NO_FILTER;
  }

  #weigh(change: SpanChange, weight: Float32Array): void {
    const { page, pages, size, appeared, gone } = change;
    const share = ((appeared - gone) * size) / (pages * PAGE_BYTES);
    for (let i = page; i < page + pages; i++) {
      weight[i - this.base]! += share;
      this.#changes.set(i, [...(this.#changes.get(i) ?? []), change]);
    }
  }

  get filter(): Filter {
    return this.#filter;
  }

  set filter(filter: Filter) {
    this.#filter = filter;
    const { columns } = this.snapshot;
    this.#shown = new Uint8Array(columns.count);
    for (let i = 0; i < columns.count; i++) {
      const fits =
        !filter.hidden.has(this.snapshot.kindOf(i)) &&
        (filter.row === undefined || columns.row[i] === filter.row) &&
        (filter.owner === undefined || columns.owner[i] === filter.owner);
      this.#shown[i] = fits ? 1 : 0;
    }
  }

  /** Index of the span that has the page, -1: none. */
  spanAt(page: number): number {
    return this.#span[page - this.base] ?? NONE;
  }

  runAt(page: number): RunKind | undefined {
    return RUN_KINDS[this.#run[page - this.base] ?? NONE];
  }

  /** Whether the page is part of the heap's range at all. */
  has(page: number): boolean {
    return (
      page >= this.base && page < this.base + this.length && (this.spanAt(page) >= 0 || this.runAt(page) !== undefined)
    );
  }

  isShown(page: number): boolean {
    const span = this.spanAt(page);
    if (span >= 0) return this.#shown[span] === 1;
    const { hidden, row, owner } = this.#filter;
    const run = this.runAt(page);
    return run !== undefined && !hidden.has(run) && row === undefined && owner === undefined;
  }

  /** Spans and live bytes that the filter lets through. */
  sums(): { spans: number; of: number; liveBytes: number; live: number } {
    const { columns } = this.snapshot;
    const sum = { spans: 0, of: columns.count, liveBytes: 0, live: 0 };
    for (let i = 0; i < columns.count; i++) {
      if (this.#shown[i] === 0) continue;
      sum.spans++;
      sum.live += columns.live[i]!;
      sum.liveBytes += columns.live[i]! * this.snapshot.sizeOf(i);
    }
    return sum;
  }

  samplesOn(page: number): readonly SampledBlock[] {
    return this.#samples.get(page) ?? [];
  }

  changesOn(page: number): readonly SpanChange[] {
    return this.#changes.get(page) ?? [];
  }
}
