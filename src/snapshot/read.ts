/**
 * Reads a heap from outside: its records in linear memory, without a call into the module.
 *
 * Every number is checked before it is used, every walk has an end, and what is impossible is skipped and counted: the
 * reader ends without an exception whatever the records say, also while other threads change them. Between two steps the
 * program may run, allocate and move records, so no address of a record is kept across steps. A snapshot that took
 * several steps shows each 512 KiB of the heap as they were at one moment, not the whole.
 *
 * The rules by which slots are live are those of assembly/central/mspan.ts; what a span, a group and a row are,
 * assembly/base/layout.ts says. Reads only. Any thread. Cost: O(pages + spans + groups); see docs/map.md for figures.
 */
import { MAX_PS } from "../base/abinumbers.js";
import { boolean, namesOf, object, reading, readOptions, show, text, u32, within } from "../base/check.js";
import { arenaAt, type CheckedHeap, chooseHeap, findHeaps, noHeap } from "./find.js";
import {
  flagBit,
  PAGE_BYTES,
  type PJSON,
  type RowJSON,
  RUN_KINDS,
  type SampledBlock,
  type SpanKind,
} from "./format.js";
import {
  ARENA_BITS,
  ARENA_IN_USE,
  ARENA_PAGES,
  ARENA_SCAV,
  CHUNK_PAGES,
  FLAG_DEFERRED,
  FLAG_EMPTY,
  FLAG_FULL,
  FLAG_LISTED,
  GROUP_SHIFT,
  HEAP_FREE_SPANS,
  HEAP_STATS,
  type Layout,
  MAX_GROUPS,
  MAX_RUNS,
  MCENTRAL_AT,
  MHEAP_AT,
  MSPAN_AT,
  MSPAN_SIZE,
  NUM_ARENAS,
  PAGE_RECORD_SHIFT,
  PAGE_SHIFT,
  PAGE_STAYS,
  PAGERECORD_AT,
  PRECORD_AT,
  RAW_ROWS,
  ROW_AT,
  ROW_FITTED,
  ROW_SHIFT,
  SPAN_IN_USE,
  STAT_LARGE_MALLOCS,
  SUMS_SIZE,
} from "./layout.js";
import { type MemorySource, MemoryWords, popcount } from "./memory.js";
import { HeapSnapshot, PAGE_SPAN, type Run } from "./snapshot.js";
import { NO_BITS, SpanColumns } from "./spans.js";

/** How a heap is read. */
export interface SnapshotOptions {
  /** Address of the heap's record, for a memory with several; findHeaps lists them. It also saves the search. */
  heap?: number | undefined;
  /** Read which slots are live, not only how many. Default true. */
  bitmaps?: boolean | undefined;
  /** Written into the snapshot. */
  label?: string | undefined;
  /** Milliseconds of Unix time, for a memory that was dumped earlier. Default: now. */
  time?: number | undefined;
  /** Blocks that a profiler has sampled: they are kept in the snapshot. */
  samples?: readonly SampledBlock[] | undefined;
}

const OPTIONS = namesOf<SnapshotOptions>({ heap: 0, bitmaps: 0, label: 0, time: 0, samples: 0 });

/**
 * The heap in `memory`: a memory, or its bytes from address 0 on. Throws SnapshotError when there is none, there are
 * several and the option `heap` is not given, or its record is damaged; TypeError and RangeError for bad arguments.
 */
export function readSnapshot(memory: MemorySource, options: SnapshotOptions = {}): HeapSnapshot {
  const reader = new SnapshotReader(memory, options);
  reader.step(Number.POSITIVE_INFINITY);
  return reader.snapshot;
}

/** All heaps in `memory`, in the order of their addresses. Throws SnapshotError when there is none. */
export function readSnapshots(memory: MemorySource, options: Omit<SnapshotOptions, "heap"> = {}): HeapSnapshot[] {
  const given = readOptions(options as SnapshotOptions, OPTIONS, "readSnapshots");
  const found = findHeaps(memory);
  if (found.length === 0) throw noHeap();
  return found.map(({ address }) => readSnapshot(memory, { ...given, heap: address }));
}

/**
 * Reads a heap in steps, so that a page or a server works on between them:
 *
 *   const reader = new SnapshotReader(memory, { heap, bitmaps: false });
 *   while (!reader.step(4)) await nextFrame();
 *   draw(reader.snapshot.pageMap());
 */
export class SnapshotReader {
  readonly #words: MemoryWords;
  readonly #work: Generator<void, HeapSnapshot>;
  #snapshot: HeapSnapshot | undefined;

  /**
   * Throws TypeError and RangeError for bad arguments. `spare`, for the live view: columns of a snapshot that nobody uses any
   * more, which this one then has; so a snapshot ten times a second is no work for the engine's collector.
   */
  constructor(memory: MemorySource, options: SnapshotOptions = {}, spare?: SpanColumns) {
    const { heap, bitmaps = true, label, time, samples } = readOptions(options, OPTIONS, "the snapshot reader");
    if (heap !== undefined) u32(heap, "heap");
    if (label !== undefined) text(label, "label");
    const list = samples === undefined ? [] : reading("samples", () => (Array.isArray(samples) ? [...samples] : null));
    if (list === null) throw new TypeError(`samples must be an array: ${show(samples)}`);
    if (time !== undefined) within(time, 0, Number.MAX_SAFE_INTEGER, "time");
    this.#words = new MemoryWords(memory);
    this.#work = read(this.#words, heap, spare, {
      bitmaps: boolean(bitmaps, "bitmaps"),
      label,
      time: time ?? Date.now(),
      samples: samples === undefined ? undefined : list.map(aSample),
    });
  }

  /**
   * Reads on for some `ms` milliseconds; a step takes a few hundredths of a millisecond more than that, and it always gets
   * on. True: the snapshot is there. Throws SnapshotError as readSnapshot does; then the reader is at its end.
   */
  step(ms: number): boolean {
    this.#words.refresh();
    const until = now() + ms;
    while (this.#snapshot === undefined) {
      const { done, value } = this.#work.next();
      if (done) {
        if (value === undefined) throw new TypeError("this reader has thrown an error: make a new one");
        this.#snapshot = value;
      } else if (now() >= until) return false;
    }
    return true;
  }

  /** Throws TypeError before step has returned true. */
  get snapshot(): HeapSnapshot {
    if (this.#snapshot === undefined) throw new TypeError("the snapshot is not there yet: call step until it is true");
    return this.#snapshot;
  }
}

function now(): number {
  return typeof performance === "object" ? performance.now() : Date.now();
}

/** A sampled block, its fields and no others. Throws TypeError, RangeError. */
export function aSample(sample: SampledBlock): SampledBlock {
  const { address, size, age, stack } = object(sample, "a sampled block");
  if (age !== undefined && !(age >= 0)) throw new RangeError(`age must be milliseconds: ${show(age)}`);
  if (stack !== undefined && !Array.isArray(stack)) throw new TypeError(`stack must be a list: ${show(stack)}`);
  return {
    address: u32(address, "address"),
    size: u32(size, "size"),
    ...(age === undefined ? {} : { age }),
    ...(stack === undefined ? {} : { stack: stack.map((frame) => text(frame, "a frame of the stack")) }),
  };
}

/** What the snapshot is given beside what is read. */
interface Given {
  readonly bitmaps: boolean;
  readonly label: string | undefined;
  readonly time: number;
  readonly samples: readonly SampledBlock[] | undefined;
}

/** A page that nothing is known of yet; other values are indices of RUN_KINDS, or PAGE_SPAN. */
const UNKNOWN = 255;
const [FREE, SCAVENGED, PAGE_CACHE, RUN_CACHE, METADATA, FOREIGN] = [0, 1, 2, 3, 4, 5] as const;
/** Size classes, and bytes of the largest slot. */
const [NUM_CLASSES, MAX_SLOT] = [68, 32768] as const;
/** Things skipped that are listed. */
const MAX_LISTED = 16;
/** Pages between two steps where little is done for each. */
const STRIDE = 1 << 13;
/** Pages of 64 KiB, the unit of memory.grow. */
const WASM_PAGE_PAGES = 8;
/** The states of Ps, in the order of base/abinumbers.ts. */
const P_STATES = ["unused", "idle", "running", "blocked", "stopping", "dead", "starting"] as const;

const CACHED = flagBit("cached");
const LISTED = flagBit("listed");
const RETAINED = flagBit("retained");
const WHOLE = flagBit("full");
const UNSWEPT = flagBit("unswept");
const DEFERRED = flagBit("deferred");
const COLLECTED = flagBit("collected");
const SCAN = flagBit("scan");

function* read(
  words: MemoryWords,
  address: number | undefined,
  spare: SpanColumns | undefined,
  given: Given,
): Generator<void, HeapSnapshot> {
  const heap = yield* chooseHeap(words, address);
  yield;
  const walk = new Walk(words, heap, given.bitmaps, spare);
  yield* walk.run();
  return walk.finish(given);
}

/** One reading of one heap. */
class Walk {
  readonly #w: MemoryWords;
  readonly #heap: number;
  readonly #l: Layout;
  readonly #bitmaps: boolean;
  readonly #columns: SpanColumns;
  /** The columns are to be used again: their room stays. */
  readonly #reused: boolean;
  readonly #runs: Run[] = [];
  /** Pages of the runs, by kind. */
  readonly #runPages = RUN_KINDS.map(() => 0);
  /** By page from #start on. */
  readonly #kinds: Uint8Array<ArrayBuffer>;
  /** Pages that a record was seen on; null where the page records say which these are. */
  readonly #seen: Uint8Array<ArrayBuffer> | null;
  /** Page caches: P and its record, by number; 0 is the heap's own. */
  readonly #records = new Map<number, number>();
  readonly #ps: PJSON[] = [];
  /** By number: the class and the size of a slot as they were at the row's first span, and sums. */
  readonly #rows: { class: number; size: number; spans: number; pages: number; slots: number; live: number }[] = [];
  readonly #skippedFirst: { address: number; what: string }[] = [];
  readonly #start: number;
  readonly #end: number;
  #skipped = 0;
  #recordBytes = 0;
  #liveBytes = 0;
  #largeBytes = 0;
  /** The page behind the last span that was read. */
  #next = 0;
  /** Pages that are described. */
  #last = 0;

  constructor(words: MemoryWords, { address, layout }: CheckedHeap, bitmaps: boolean, spare: SpanColumns | undefined) {
    this.#columns = spare ?? new SpanColumns();
    this.#columns.clear();
    this.#reused = spare !== undefined;
    this.#w = words;
    this.#heap = address;
    this.#l = layout;
    this.#bitmaps = bitmaps;
    this.#start = address >>> PAGE_SHIFT;
    const arenas = (this.#head(MHEAP_AT.arenaHi) + 1) * ARENA_PAGES;
    this.#end = Math.max(this.#start + 1, Math.min(arenas, Math.floor(words.length / PAGE_BYTES)));
    this.#kinds = new Uint8Array(this.#end - this.#start).fill(UNKNOWN);
    this.#seen = layout.COMPACTS ? null : new Uint8Array(this.#kinds.length);
  }

  /** A word of the heap's MHeap. */
  #head(field: number): number {
    return this.#w.word(this.#heap + field);
  }

  #skip(address: number, what: string): void {
    this.#skipped++;
    if (this.#skippedFirst.length < MAX_LISTED) this.#skippedFirst.push({ address, what });
  }

  /** `size` bytes at `at` are records. */
  #see(at: number, size: number): void {
    const seen = this.#seen;
    if (seen === null) return;
    const to = Math.floor((at + size - 1) / PAGE_BYTES) - this.#start;
    for (let page = Math.floor(at / PAGE_BYTES) - this.#start; page <= to && page < seen.length; page++) seen[page] = 1;
  }

  /** Sets the kind of pages that lie in the range and have none yet. */
  #set(page: number, pages: number, kind: number): void {
    const from = Math.max(page - this.#start, 0);
    const to = Math.min(page - this.#start + pages, this.#kinds.length);
    for (let i = from; i < to; i++) if (this.#kinds[i] === UNKNOWN) this.#kinds[i] = kind;
  }

  *run(): Generator<void> {
    const l = this.#l;
    this.#set(this.#start, Math.ceil((this.#heap + this.#headBytes()) / PAGE_BYTES) - this.#start, METADATA);
    this.#readPs();
    yield;
    const lo = Math.min(this.#head(MHEAP_AT.arenaLo), NUM_ARENAS);
    const hi = Math.min(this.#head(MHEAP_AT.arenaHi), NUM_ARENAS - 1);
    for (let index = lo; index <= hi; index++) {
      const first = Math.max(index * ARENA_PAGES, this.#start - (this.#start % CHUNK_PAGES));
      for (let page = first; page < Math.min((index + 1) * ARENA_PAGES, this.#end); page += CHUNK_PAGES) {
        // Looked up anew: a compaction between two steps moves the record.
        const named = this.#w.word(this.#heap + l.HEAP_ARENA_MAP + index * 4);
        const arena = arenaAt(this.#w, this.#heap, l, index);
        if (arena === 0) {
          if (named !== 0) this.#skip(named, `record of arena ${index}`);
          break;
        }
        this.#see(arena, l.ARENA_RECORD_SIZE);
        this.#readChunk(arena, page);
        yield;
      }
    }
    this.#readCaches();
    yield* this.#explain();
    yield* this.#collectRuns();
    if (!this.#reused) this.#columns.close();
    yield;
  }

  /** Bytes from the heap's record to the page allocator's first page, before these are rounded up to a page. */
  #headBytes(): number {
    return this.#l.HEAP_RECORD_SIZE + this.#l.FIXED_SIZE + this.#l.ARENA_RECORD_SIZE;
  }

  /** The heap's own record and those of the Ps. */
  #readPs(): void {
    const l = this.#l;
    this.#records.set(0, this.#heap);
    if (!l.SHARED) return;
    const w = this.#w;
    for (let id = 1; id <= MAX_PS; id++) {
      const record = w.word(this.#heap + l.HEAP_P_RECORDS + id * 4);
      if (record === 0) continue;
      const p = record + l.HEAP_P;
      if (!w.lies(record, l.P_RECORD_SIZE, PAGE_BYTES, this.#heap) || w.word(p + PRECORD_AT.id) !== id) {
        this.#skip(record, `record of P ${id}`);
        continue;
      }
      this.#records.set(id, record);
      this.#see(record, l.P_RECORD_SIZE);
      const state = w.word(this.#heap + l.HEAP_P_STATES + id * 4);
      this.#ps.push({
        id,
        state: P_STATES[state & 0xff] ?? "unused",
        token: state >>> 8,
        ownedPages: w.word(p + PRECORD_AT.ownedPages),
        remoteFrees: w.long(p + PRECORD_AT.remoteFrees),
        groupsPushed: w.long(p + PRECORD_AT.groupsPushed),
        groupsTaken: w.long(p + PRECORD_AT.groupsTaken),
        lateDoubleFrees: w.long(p + PRECORD_AT.lateDoubleFrees),
        spansTaken: w.long(p + PRECORD_AT.spansTaken),
        spansGiven: w.long(p + PRECORD_AT.spansGiven),
      });
    }
  }

  /** 64 pages of an arena: free ones, records where pages are marked so, and the spans that begin there. */
  #readChunk(arena: number, page: number): void {
    const w = this.#w;
    const at = (page % ARENA_PAGES) >>> 3;
    for (let half = 0; half < 2; half++) {
      const from = page + half * 32;
      const bits = w.word(arena + ARENA_BITS + at + half * 4);
      const zero = w.word(arena + ARENA_SCAV + at + half * 4);
      for (let free = ~bits; free !== 0; free &= free - 1) {
        const bit = free & -free;
        this.#set(from + 31 - Math.clz32(bit), 1, (zero & bit) === 0 ? FREE : SCAVENGED);
      }
      const firsts = w.word(arena + ARENA_IN_USE + at + half * 4);
      for (let left = firsts; left !== 0; left &= left - 1) {
        this.#readSpan(arena, from + 31 - Math.clz32(left & -left));
      }
      if (this.#seen === null) {
        for (let i = 0; i < 32; i++) if (this.#isRecords(arena, from + i)) this.#set(from + i, 1, METADATA);
      }
    }
  }

  /** Whether the page's record says that records lie on it. */
  #isRecords(arena: number, page: number): boolean {
    const at = arena + ((page % ARENA_PAGES) << PAGE_RECORD_SHIFT);
    const kind = this.#w.word(at + PAGERECORD_AT.row);
    return kind - 1 < PAGE_STAYS && kind !== 0 && this.#w.word(at + PAGERECORD_AT.groups) === 0;
  }

  /** The span whose first page is `page`. */
  #readSpan(arena: number, page: number): void {
    const w = this.#w;
    const l = this.#l;
    if (page < this.#next || page < this.#start || page >= this.#end) {
      this.#skip(page * PAGE_BYTES, "span in a span");
      return;
    }
    const groups = w.word(arena + ((page % ARENA_PAGES) << PAGE_RECORD_SHIFT) + PAGERECORD_AT.groups);
    const at = groups - MSPAN_SIZE;
    if (!w.lies(at, MSPAN_SIZE, 16, this.#heap)) {
      this.#skip(page * PAGE_BYTES, "record of a page");
      return;
    }
    const row = w.byte(at + MSPAN_AT.row);
    const pages = w.word(at + MSPAN_AT.npages);
    const ngroups = w.byte(at + MSPAN_AT.ngroups);
    const owner = l.SHARED ? w.byte(at + MSPAN_AT.owner) : 0;
    const has = w.half(at + MSPAN_AT.partialMask);
    const room = ngroups === 0 ? has : ngroups;
    const fits =
      w.word(at + MSPAN_AT.startAddr) === page * PAGE_BYTES &&
      (!(l.GC || l.SHARED) || w.byte(at + MSPAN_AT.state) === SPAN_IN_USE) &&
      row < l.NUM_ROWS &&
      pages > 0 &&
      pages <= this.#end - page &&
      room <= (ngroups === 0 ? 1 : MAX_GROUPS) &&
      (ngroups === 0) === (row === 0) &&
      w.lies(at - frontSize(l, ngroups), frontSize(l, ngroups) + MSPAN_SIZE + room * l.GROUP_RECORDS, 16, this.#heap) &&
      this.#records.has(owner);
    if (!fits) {
      this.#skip(at, "record of a span");
      return;
    }
    if (ngroups === 0) this.#addLarge(at, page, pages, owner);
    else if (!this.#addSmall(at, page, pages, row, ngroups, owner)) {
      this.#skip(at, "record of a span");
      return;
    }
    const bytes = frontSize(l, ngroups) + MSPAN_SIZE + room * l.GROUP_RECORDS;
    this.#recordBytes += MSPAN_SIZE + room * l.GROUP_RECORDS;
    this.#see(at - frontSize(l, ngroups), bytes);
    this.#next = page + pages;
    this.#kinds.fill(PAGE_SPAN, page - this.#start, this.#next - this.#start);
  }

  #addLarge(at: number, page: number, pages: number, owner: number): void {
    const flags = this.#w.byte(at + MSPAN_AT.flags);
    const deferred = this.#l.SHARED !== 0 && (flags & FLAG_DEFERRED) !== 0;
    const collected = this.#l.GC !== 0 && (flags & FLAG_FULL) !== 0;
    const live = deferred ? 0 : 1;
    let mask = deferred ? DEFERRED : WHOLE;
    if (collected) mask |= COLLECTED | (this.#isUnswept(at, flags) ? UNSWEPT : 0);
    if ((this.#w.byte(at + MSPAN_AT.spanclass) & 1) === 0) mask |= SCAN;
    this.#largeBytes += live * pages * PAGE_BYTES;
    this.#count(0, pages, 1, live, 0);
    this.#columns.add({ page, pages, row: 0, owner, flags: mask, slots: 1, live }, NO_BITS);
  }

  /** False: the record is impossible, and nothing was added. */
  #addSmall(at: number, page: number, pages: number, row: number, ngroups: number, owner: number): boolean {
    const w = this.#w;
    const l = this.#l;
    const slots = w.half(at + MSPAN_AT.nelems);
    const size = w.word(this.#heap + l.HEAP_ROWS + (row << ROW_SHIFT) + ROW_AT.elemsize);
    const known = this.#rows[row]?.size ?? size;
    if (slots === 0 || (slots + 63) >>> 6 !== ngroups || slots * size > pages * PAGE_BYTES) return false;
    if (size === 0 || size > MAX_SLOT || size !== known || this.#classOf(row) >= NUM_CLASSES) return false;
    const line = this.#records.get(owner)! + l.HEAP_ROWS + (row << ROW_SHIFT);
    const isCached = w.word(line + ROW_AT.span) === at;
    // The group that the mcache has: its words say what is free although partialMask does not name it.
    const cached = isCached ? (w.word(line + ROW_AT.group) - at - MSPAN_SIZE) >> GROUP_SHIFT : -1;
    const partial = w.half(at + MSPAN_AT.partialMask);
    const firstWord = this.#columns.words;
    const { u32 } = w;
    let live = 0;
    for (let i = 0; i < ngroups; i++) {
      const group = (at + MSPAN_SIZE + (i << GROUP_SHIFT)) >>> 2;
      const remote = group + (ngroups << (GROUP_SHIFT - 2));
      const isFull = ((partial >>> i) & 1) === 0 && i !== cached;
      const left = slots - i * 64;
      for (let half = 0; half < 2 && left > half * 32; half++) {
        const valid = left >= half * 32 + 32 ? -1 : 2 ** (left - half * 32) - 1;
        let bits = isFull ? valid : ~(u32[group + half]! | u32[group + 2 + half]!) & valid;
        if (l.SHARED) bits &= ~u32[remote + half]!;
        live += popcount(bits);
        if (this.#bitmaps) this.#columns.put(bits);
      }
    }
    const flags = w.byte(at + MSPAN_AT.flags);
    let mask = isCached ? CACHED : 0;
    if ((flags & FLAG_LISTED) !== 0) mask |= LISTED;
    if ((flags & FLAG_EMPTY) !== 0) mask |= RETAINED;
    if (live === slots) mask |= WHOLE;
    if (l.GC && row >= l.FIRST_GC_ROW && this.#isUnswept(at, flags)) mask |= UNSWEPT;
    const uniform = live === 0 || live === slots;
    if (uniform) this.#columns.words = firstWord;
    this.#liveBytes += live * size;
    this.#count(row, pages, slots, live, size);
    const bitsAt = uniform || !this.#bitmaps ? NO_BITS : firstWord;
    this.#columns.add({ page, pages, row, owner, flags: mask, slots, live }, bitsAt);
    return true;
  }

  #isUnswept(at: number, flags: number): boolean {
    return (flags & FLAG_EMPTY) === 0 && this.#w.word(at + MSPAN_AT.sweepgen) !== this.#head(MHEAP_AT.sweepgen);
  }

  /** Go's size class of a row. */
  #classOf(row: number): number {
    return this.#w.byte(this.#heap + this.#l.HEAP_CENTRAL + row * this.#l.MCENTRAL_SIZE + MCENTRAL_AT.sizeclass);
  }

  #count(row: number, pages: number, slots: number, live: number, size: number): void {
    const sizeclass = row === 0 ? 0 : this.#classOf(row);
    this.#rows[row] ??= { class: sizeclass, size, spans: 0, pages: 0, slots: 0, live: 0 };
    const sum = this.#rows[row];
    sum.spans += 1;
    sum.pages += pages;
    sum.slots += slots;
    sum.live += live;
  }

  /** The run cache, and the page caches of all Ps. The page allocator counts their pages as allocated. */
  #readCaches(): void {
    const w = this.#w;
    const runs = Math.min(this.#head(MHEAP_AT.runCount), MAX_RUNS);
    for (let i = 0; i < runs; i++) {
      const at = this.#heap + this.#l.HEAP_RUNS + i * 8;
      const [from, to] = [w.word(at), w.word(at + 4)];
      if (from < this.#start || to <= from || to > this.#end) this.#skip(at, "cached run");
      else this.#set(from, to - from, RUN_CACHE);
    }
    for (const record of this.#records.values()) {
      const base = w.word(record + MHEAP_AT.pcBase);
      const cached = [w.word(record + MHEAP_AT.pcCache), w.word(record + MHEAP_AT.pcCache + 4)];
      if ((cached[0]! | cached[1]!) === 0) continue;
      if (base % CHUNK_PAGES !== 0 || base >= this.#end) {
        this.#skip(record + MHEAP_AT.pcBase, "page cache");
        continue;
      }
      cached.forEach((word, half) => {
        for (let left = word; left !== 0; left &= left - 1) {
          this.#set(base + half * 32 + 31 - Math.clz32(left & -left), 1, PAGE_CACHE);
        }
      });
    }
  }

  /**
   * What the pages are that nothing has named: records, where page records do not say which those are, or memory of
   * others. If there are as many as the heap counts for its records, all of them are. Else those are that a record was
   * seen on, with the others of their 64 KiB: others get memory in whole pages of 64 KiB.
   */
  *#explain(): Generator<void> {
    const kinds = this.#kinds;
    const seen = this.#seen;
    const end = Math.min(kinds.length, Math.ceil(this.#head(MHEAP_AT.sysEnd) / PAGE_BYTES) - this.#start);
    if (seen === null) return;
    this.#seeRecords();
    let unknown = 0;
    for (let i = 0; i < end; i++) {
      if (kinds[i] === UNKNOWN) unknown++;
      if (i % STRIDE === STRIDE - 1) yield;
    }
    const all = unknown === this.#head(MHEAP_AT.metaPages);
    for (let i = 0; i < end; i++) {
      if (i % STRIDE === STRIDE - 1) yield;
      if (kinds[i] !== UNKNOWN) continue;
      if (all || this.#isBesideRecord(i)) kinds[i] = METADATA;
    }
  }

  /** Notes the pages of records that no walk over spans meets. */
  #seeRecords(): void {
    const w = this.#w;
    const sums = this.#head(MHEAP_AT.sums);
    if (sums !== 0) this.#see(sums, SUMS_SIZE);
    for (const record of this.#records.values()) {
      const chunk = w.word(record + MHEAP_AT.persistCur);
      const chunkEnd = w.word(record + MHEAP_AT.persistEnd);
      if (chunkEnd > chunk) this.#see(chunk, chunkEnd - chunk);
      for (let n = 0; n <= MAX_GROUPS; n++) {
        // A list of dead records has an end, unless a word of it was overwritten.
        let left = this.#kinds.length * PAGE_BYTES;
        const bytes = MSPAN_SIZE + n * this.#l.GROUP_RECORDS;
        for (let at = w.word(record + HEAP_FREE_SPANS + n * 4); at !== 0 && left > 0; left -= bytes) {
          if (!w.lies(at, bytes, 16, this.#heap)) break;
          this.#see(at, bytes);
          at = w.word(at + MSPAN_AT.next);
        }
      }
    }
  }

  /** Whether a record was seen on one of the 64 KiB that the page lies in, or one of them is in use otherwise. */
  #isBesideRecord(i: number): boolean {
    const from = i - ((i + this.#start) % WASM_PAGE_PAGES);
    for (let page = Math.max(from, 0); page < Math.min(from + WASM_PAGE_PAGES, this.#kinds.length); page++) {
      const kind = this.#kinds[page]!;
      if (this.#seen![page] === 1 || (kind !== UNKNOWN && kind !== METADATA)) return true;
    }
    return false;
  }

  /** Pages without a span, as runs. */
  *#collectRuns(): Generator<void> {
    const owners = this.#cacheOwners();
    const kinds = this.#kinds;
    let last = kinds.length;
    // Behind the heap's last page lies memory of others, or memory that the heap has not taken yet.
    while (last > 1 && kinds[last - 1] === UNKNOWN) last--;
    let from = 0;
    for (let i = 0; i < last; i++) {
      if (i % STRIDE === STRIDE - 1) yield;
      if (kinds[i] === UNKNOWN) kinds[i] = FOREIGN;
      const kind = kinds[i]!;
      const owner = kind === PAGE_CACHE ? owners(i + this.#start) : 0;
      const next = i + 1 < last ? kinds[i + 1]! : UNKNOWN;
      const isLast =
        i + 1 === last ||
        (next === UNKNOWN ? FOREIGN : next) !== kind ||
        (kind === PAGE_CACHE && owners(i + 1 + this.#start) !== owner);
      if (!isLast) continue;
      if (kind !== PAGE_SPAN) {
        this.#runs.push({ page: from + this.#start, pages: i + 1 - from, kind, owner });
        this.#runPages[kind]! += i + 1 - from;
      }
      from = i + 1;
    }
    this.#last = last;
  }

  /** Which P's page cache has a page; 0: the only one, or the heap's own. */
  #cacheOwners(): (page: number) => number {
    const chunks = new Map<number, [base: number, id: number][]>();
    for (const [id, record] of this.#records) {
      const base = this.#w.word(record + MHEAP_AT.pcBase);
      chunks.set(base, [...(chunks.get(base) ?? []), [record + MHEAP_AT.pcCache, id]]);
    }
    return (page) => {
      const bit = page % CHUNK_PAGES;
      const found = chunks.get(page - bit)?.find(([at]) => (this.#w.word(at + (bit >>> 5) * 4) >>> (bit & 31)) & 1);
      return found?.[1] ?? 0;
    };
  }

  finish(given: Given): HeapSnapshot {
    const pagesOf = (...kinds: number[]) => kinds.reduce((sum, kind) => sum + this.#runPages[kind]!, 0) * PAGE_BYTES;
    const rows = this.#rowList();
    const inuse = rows.reduce((sum, { pages }) => sum + pages, 0) * PAGE_BYTES;
    const idle = pagesOf(FREE, SCAVENGED, PAGE_CACHE, RUN_CACHE);
    const sys = this.#head(MHEAP_AT.sys);
    let retained = 0;
    for (const record of this.#records.values()) retained += this.#w.word(record + MHEAP_AT.retainedPages);
    return new HeapSnapshot({
      ...given,
      flavour: this.#l.flavour,
      address: this.#heap,
      memoryBytes: this.#w.length,
      start: this.#start,
      end: this.#start + this.#last,
      totals: {
        sys,
        heapSys: inuse + idle,
        heapInuse: inuse,
        heapIdle: idle,
        scavenged: pagesOf(SCAVENGED),
        heapAlloc: this.#liveBytes + this.#largeBytes,
        heapObjects: rows.reduce((sum, { live }) => sum + live, 0),
        heapRetained: retained * PAGE_BYTES,
        spansInUse: this.#columns.count,
        largeLiveBytes: this.#largeBytes,
        mspanInuse: this.#recordBytes,
        overhead: sys - inuse - idle,
        metadata: pagesOf(METADATA),
        foreign: pagesOf(FOREIGN),
      },
      rows,
      columns: this.#columns,
      runs: this.#runs,
      ps: this.#l.SHARED ? this.#ps : undefined,
      skipped: { count: this.#skipped, first: this.#skippedFirst },
    });
  }

  #rowList(): RowJSON[] {
    const rows: RowJSON[] = [];
    this.#rows.forEach((sum, row) => {
      rows.push({
        row,
        kind: kindOfRow(this.#l, row),
        ...sum,
        ...(this.#l.HOST ? { mallocs: this.#mallocs(row) } : {}),
      });
    });
    return rows;
  }

  /** Slots of a row handed out by all Ps so far; of row 0, large blocks. */
  #mallocs(row: number): number {
    const w = this.#w;
    let sum = 0;
    for (const record of this.#records.values()) {
      if (row === 0) {
        sum += w.long(record + HEAP_STATS + STAT_LARGE_MALLOCS * 8);
        continue;
      }
      // What the window of the row's group still has was counted, and is not handed out.
      const group = w.word(record + this.#l.HEAP_ROWS + (row << ROW_SHIFT) + ROW_AT.group);
      const window = w.lies(group, 16, 16, this.#heap) ? popcount(w.word(group)) + popcount(w.word(group + 4)) : 0;
      sum += w.long(record + this.#l.HEAP_CENTRAL + row * this.#l.MCENTRAL_SIZE + MCENTRAL_AT.taken) - window;
    }
    return Math.min(Math.max(sum, 0), Number.MAX_SAFE_INTEGER);
  }
}

/** Bytes before the record of a span with `ngroups` groups: frontSize of assembly/base/layout.ts. */
function frontSize(l: Layout, ngroups: number): number {
  return l.GC ? ((Math.max(ngroups, 1) << 3) + 8 + 15) & ~15 : 0;
}

/** What a row is for: the list is in assembly/base/config.ts. */
function kindOfRow(l: Layout, row: number): SpanKind {
  if (row === 0) return "large";
  if (l.ASC) return row <= RAW_ROWS ? "raw" : row < l.ROW_SCAN ? "noscan" : "scan";
  if (row < ROW_FITTED) return "malloc";
  if (row < l.ROW_SCAN || !l.HOST) return "fitted";
  if (row === l.ROW_TINY) return "tiny";
  return row < l.ROW_TINY ? "scan" : "noscan";
}
