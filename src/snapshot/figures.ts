/**
 * What snapshots say: how well each class uses its pages, and what is different in a later snapshot. Pure functions; cost
 * O(rows), and O(spans + bitmaps) for a comparison.
 */
import type { RowJSON, SpanKind, TotalsJSON } from "./format.js";
import { PAGE_BYTES } from "./format.js";
import { popcount } from "./memory.js";
import type { HeapSnapshot } from "./snapshot.js";
import { NO_BITS } from "./spans.js";

/** How a row uses its pages. */
export interface ClassFigures {
  readonly row: number;
  readonly kind: SpanKind;
  readonly class: number;
  readonly size: number;
  readonly spans: number;
  readonly pages: number;
  readonly slots: number;
  readonly live: number;
  /** Bytes of its pages, of live slots, of free slots, and behind the last slots of spans. */
  readonly bytes: number;
  readonly liveBytes: number;
  readonly freeBytes: number;
  readonly tailBytes: number;
  /** Share of its bytes that are live, 0 to 1. */
  readonly used: number;
  /** Bytes that could be given back if the live slots were moved together. */
  readonly excessBytes: number;
}

/** The rows of a snapshot with their figures, the one with most free bytes first. */
export function classFigures({ rows, totals }: HeapSnapshot): ClassFigures[] {
  const figures = rows.map((one): ClassFigures => {
    const { row, kind, size, spans, pages, slots, live } = one;
    const bytes = pages * PAGE_BYTES;
    const liveBytes = row === 0 ? totals.largeLiveBytes : live * size;
    const freeBytes = row === 0 ? bytes - liveBytes : (slots - live) * size;
    const needed = Math.ceil(live / (slots / spans));
    const excess = row === 0 ? freeBytes : Math.floor((pages / spans) * (spans - needed)) * PAGE_BYTES;
    return {
      ...{ row, kind, class: one.class, size, spans, pages, slots, live, bytes, liveBytes, freeBytes },
      tailBytes: bytes - liveBytes - freeBytes,
      used: bytes === 0 ? 0 : liveBytes / bytes,
      excessBytes: excess,
    };
  });
  return figures.sort((a, b) => b.freeBytes - a.freeBytes || b.bytes - a.bytes);
}

/** A span that is not as it was. */
export interface SpanChange {
  readonly page: number;
  readonly pages: number;
  readonly row: number;
  readonly kind: SpanKind;
  readonly size: number;
  /** new: it was not there; gone: it is not there any more; changed: other slots are live. */
  readonly what: "new" | "gone" | "changed";
  /** Slots that became live, and slots that were freed. */
  readonly appeared: number;
  readonly gone: number;
}

/** A row in both snapshots; what it had none of is 0. */
export interface RowChange {
  readonly row: number;
  readonly kind: SpanKind;
  readonly size: number;
  readonly live: readonly [before: number, after: number];
  readonly pages: readonly [before: number, after: number];
}

export interface SnapshotDiff {
  readonly totals: { readonly [Name in keyof TotalsJSON]: readonly [before: number, after: number] };
  /** Rows that changed, the one with the largest change of live bytes first. */
  readonly rows: readonly RowChange[];
  /** By address; a page may be in two of them, one gone and one new. */
  readonly spans: readonly SpanChange[];
}

/**
 * What is different in `after`. A block that was freed and whose slot was given out again counts as the same. Without
 * bitmaps only the numbers of live slots are compared.
 */
export function compareSnapshots(before: HeapSnapshot, after: HeapSnapshot): SnapshotDiff {
  const totals = Object.fromEntries(
    Object.entries(after.totals).map(([name, value]) => [name, [before.totals[name as keyof TotalsJSON], value]]),
  ) as unknown as SnapshotDiff["totals"];
  return { totals, rows: rowChanges(before, after), spans: spanChanges(before, after) };
}

function rowChanges(before: HeapSnapshot, after: HeapSnapshot): RowChange[] {
  // Of a fitted row it is the size that says whether it is the same.
  const key = ({ row, size }: RowJSON) => `${row} ${size}`;
  const old = new Map(before.rows.map((row) => [key(row), row]));
  const now = new Map(after.rows.map((row) => [key(row), row]));
  const changes = [...new Set([...old.keys(), ...now.keys()])].map((name): RowChange => {
    const [a, b] = [old.get(name), now.get(name)];
    const { row, kind, size } = (b ?? a)!;
    return { row, kind, size, live: [a?.live ?? 0, b?.live ?? 0], pages: [a?.pages ?? 0, b?.pages ?? 0] };
  });
  const weight = ({ live, pages, size }: RowChange) =>
    Math.abs(size === 0 ? (pages[1] - pages[0]) * PAGE_BYTES : (live[1] - live[0]) * size);
  return changes
    .filter(({ live, pages }) => live[0] !== live[1] || pages[0] !== pages[1])
    .sort((a, b) => weight(b) - weight(a));
}

function spanChanges(before: HeapSnapshot, after: HeapSnapshot): SpanChange[] {
  const changes: SpanChange[] = [];
  const [a, b] = [before.columns, after.columns];
  const put = (snapshot: HeapSnapshot, i: number, what: SpanChange["what"], appeared: number, gone: number) => {
    const c = snapshot.columns;
    const kind = snapshot.kindOf(i);
    const size = snapshot.sizeOf(i);
    changes.push({ page: c.page[i]!, pages: c.pages[i]!, row: c.row[i]!, kind, size, what, appeared, gone });
  };
  let i = 0;
  let j = 0;
  while (i < a.count || j < b.count) {
    const [p, q] = [a.page[i] ?? Number.POSITIVE_INFINITY, b.page[j] ?? Number.POSITIVE_INFINITY];
    const isSame =
      p === q && a.pages[i] === b.pages[j] && a.row[i] === b.row[j] && before.sizeOf(i) === after.sizeOf(j);
    if (isSame) {
      const [appeared, gone] = slotChanges(before, i, after, j);
      if (appeared + gone > 0) put(after, j, "changed", appeared, gone);
      i++;
      j++;
    } else if (p <= q) {
      put(before, i, "gone", 0, a.live[i]!);
      i++;
    } else {
      put(after, j, "new", b.live[j]!, 0);
      j++;
    }
  }
  return changes;
}

/** Slots of the same span that became live, and that were freed. */
function slotChanges(before: HeapSnapshot, i: number, after: HeapSnapshot, j: number): [number, number] {
  const [a, b] = [before.columns, after.columns];
  const known = (c: typeof a, at: number) => c.bitsAt[at] !== NO_BITS || c.live[at] === 0 || c.live[at] === c.slots[at];
  if (!known(a, i) || !known(b, j)) {
    const more = b.live[j]! - a.live[i]!;
    return [Math.max(more, 0), Math.max(-more, 0)];
  }
  let appeared = 0;
  let gone = 0;
  for (let word = 0; word < b.wordsOf(j); word++) {
    const [x, y] = [a.word(i, word), b.word(j, word)];
    appeared += popcount(y & ~x);
    gone += popcount(x & ~y);
  }
  return [appeared, gone];
}
