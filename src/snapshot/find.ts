/**
 * Finds heaps in a memory by the magic word in their records, and checks that a heap is really there.
 *
 * Stray bytes and copies of a record are no heaps: a record names its own address in each line of the mcache that has no
 * span. Of two heaps that claim the same pages, the one that has seen less of the memory's growth is dead. Reads only.
 * Cost: one word in 16 bytes of the memory, in steps of a mebibyte; O(1) where the address is known.
 */
import { HEAP_MAGIC, LAYOUT_VERSION } from "../base/abinumbers.js";
import { hex, SnapshotError } from "../base/errors.js";
import {
  ARENA_BITS,
  ARENA_IN_USE,
  ARENA_PAGES,
  type Flavour,
  HEAP_DUMMY,
  HEAP_MARK,
  type Layout,
  layouts,
  MHEAP_AT,
  MSPAN_AT,
  MSPAN_SIZE,
  NUM_ARENAS,
  PAGE_RECORD_SHIFT,
  PAGE_SHIFT,
  PAGERECORD_AT,
  ROW_AT,
} from "./layout.js";
import { type MemorySource, MemoryWords } from "./memory.js";

/** A heap that was found. */
export interface FoundHeap {
  /** Address of its record. */
  readonly address: number;
  readonly flavour: Flavour;
}

/** A heap whose record has been checked. */
export interface CheckedHeap extends FoundHeap {
  readonly layout: Layout;
}

/** Bytes between two steps of a search. */
const STEP = 1 << 20;
/** Records lie at multiples of 16. */
const ALIGN = 16;
/** HEAP_SETUP of a shared heap that is made: SETUP_DONE of assembly/alloc/init.ts. */
const SETUP_DONE = 2;
/** The low byte of a layout word is its version. */
const VERSION_MASK = 0xff;

/**
 * All heaps in a memory, in the order of their addresses. Reads the whole memory once: some 0.1 ms a mebibyte. Throws
 * TypeError.
 */
export function findHeaps(memory: MemorySource): FoundHeap[] {
  const { heaps } = returned(searchHeaps(new MemoryWords(memory)));
  return heaps.map(({ address, flavour }) => ({ address, flavour }));
}

/** What work in steps returns, done in one. */
export function returned<T>(work: Generator<void, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

interface Search {
  readonly heaps: CheckedHeap[];
  /** Layout words of records that this version of the package cannot read. */
  readonly strangers: number[];
}

/** As findHeaps, a mebibyte at a time. */
export function* searchHeaps(words: MemoryWords): Generator<void, Search> {
  const heaps: CheckedHeap[] = [];
  const strangers: number[] = [];
  for (let from = 0; from < words.length; from += STEP) {
    const { u32 } = words;
    const end = Math.min(from + STEP, words.length) >>> 2;
    for (let i = (from + (HEAP_MARK % ALIGN)) >>> 2; i < end; i += ALIGN / 4) {
      if (u32[i] !== HEAP_MAGIC) continue;
      const address = i * 4 - HEAP_MARK;
      const heap = address < ALIGN ? "too low" : checkHeap(words, address);
      if (typeof heap !== "string") heaps.push(heap);
      else if (heap === "version") strangers.push(words.word(address + HEAP_MARK + 4));
    }
    yield;
    words.refresh();
  }
  return { heaps: heaps.filter((heap) => !heaps.some((other) => isDead(words, heap, other))), strangers };
}

/** The heap at `address`, "version", or what is wrong with its record. Throws nothing. */
export function checkHeap(words: MemoryWords, address: number): CheckedHeap | string {
  if (!words.lies(address, HEAP_MARK + 8, ALIGN, ALIGN)) return "no record can begin there";
  if (words.word(address + HEAP_MARK) !== HEAP_MAGIC) return "there is no magic word";
  const mark = words.word(address + HEAP_MARK + 4);
  const layout = layouts().find(({ LAYOUT }) => LAYOUT === mark);
  if (layout === undefined) return "version";
  if (!words.lies(address, layout.HEAP_RECORD_SIZE, layout.RECORD_ALIGN, ALIGN)) return "it does not fit in the memory";
  // Row 0 never has a span: its group is the dummy group of its own record.
  const row = address + layout.HEAP_ROWS;
  if (words.word(row + ROW_AT.group) !== address + HEAP_DUMMY || words.word(row + ROW_AT.span) !== 0) {
    return "it is a copy of a record, or row 0 was overwritten";
  }
  for (let i = 0; i < 16; i += 4) if (words.word(address + HEAP_DUMMY + i) !== 0) return "its dummy group has slots";
  const lo = words.word(address + MHEAP_AT.arenaLo);
  const hi = words.word(address + MHEAP_AT.arenaHi);
  if (lo > hi || hi >= NUM_ARENAS) return "the range of its arenas is impossible";
  for (const index of [lo, hi])
    if (arenaAt(words, address, layout, index) === 0) return `it has no record of arena ${index}`;
  if (layout.SHARED && words.word(address + layout.HEAP_SETUP) !== SETUP_DONE) return "it is not made yet";
  return { address, flavour: layout.flavour, layout };
}

/** Address of the record of arena `index`; 0 if the heap has none, or one that is not in the memory. */
export function arenaAt(words: MemoryWords, heap: number, layout: Layout, index: number): number {
  const at = words.word(heap + layout.HEAP_ARENA_MAP + index * 4);
  return words.lies(at, layout.ARENA_RECORD_SIZE, 8, heap) ? at : 0;
}

/** Whether the record of `heap` lies in pages that belong to `other`, which has seen the memory grow further. */
function isDead(words: MemoryWords, heap: CheckedHeap, other: CheckedHeap): boolean {
  const end = ({ address }: CheckedHeap) => words.word(address + MHEAP_AT.sysEnd);
  if (heap === other || end(other) <= end(heap) || other.address > heap.address) return false;
  const page = heap.address >>> PAGE_SHIFT;
  const arena = arenaAt(words, other.address, other.layout, Math.floor(page / ARENA_PAGES));
  if (arena === 0) return false;
  const bit = (bits: number, at: number) => (words.word(arena + bits + (((at >>> 5) & 15) << 2)) >>> (at & 31)) & 1;
  if (bit(ARENA_BITS, page) === 0) return true;
  // In a span that begins in the same arena; one that does not is met rarely, and then both heaps are told of.
  let first = page;
  while (first % ARENA_PAGES !== 0 && bit(ARENA_IN_USE, first) === 0) first--;
  if (bit(ARENA_IN_USE, first) === 0) return false;
  return page < first + spanPages(words, arena, first);
}

/** Pages of the span whose first page is `page`, in the arena with the record at `arena`. */
function spanPages(words: MemoryWords, arena: number, page: number): number {
  const groups = words.word(arena + ((page % ARENA_PAGES) << PAGE_RECORD_SHIFT) + PAGERECORD_AT.groups);
  return words.word(groups - MSPAN_SIZE + MSPAN_AT.npages);
}

/** Address of the record of the shared host heap whose claim (assembly/base/layout.ts) is the word at `claim`. */
export function heapOfClaim(memory: MemorySource, claim: number): number {
  const words = new MemoryWords(memory);
  const shared = layouts().filter(({ HOST, SHARED }) => HOST && SHARED);
  const own = shared.find(({ HEAP_CLAIM, LAYOUT }) => words.word(claim - HEAP_CLAIM + HEAP_MARK + 4) === LAYOUT);
  return claim - (own ?? shared[0]!).HEAP_CLAIM;
}

/** The one heap of a memory, or the one at `address`. Throws SnapshotError: none, several, or damaged. */
export function* chooseHeap(words: MemoryWords, address: number | undefined): Generator<void, CheckedHeap> {
  if (address !== undefined) return heapAt(words, address);
  const { heaps, strangers } = yield* searchHeaps(words);
  if (heaps.length > 1) {
    const list = heaps.map((heap) => `${hex(heap.address)} (${heap.flavour})`).join(", ");
    throw new SnapshotError(
      "several-heaps",
      `the memory has ${heaps.length} heaps, at ${list}`,
      "choose one by the option heap, or read all with readSnapshots",
    );
  }
  const [heap] = heaps;
  if (heap !== undefined) return heap;
  if (strangers[0] !== undefined) throw wrongVersion(strangers[0]);
  throw noHeap();
}

/** The heap at an address that somebody gave. Throws SnapshotError. */
function heapAt(words: MemoryWords, address: number): CheckedHeap {
  const found = checkHeap(words, address);
  if (typeof found !== "string") return found;
  if (found === "version") throw wrongVersion(words.word(address + HEAP_MARK + 4));
  throw new SnapshotError(
    "damaged",
    `no heap can be read at ${hex(address)}: ${found}`,
    "findHeaps lists the addresses of heaps, and the memory has to be given from address 0 on",
  );
}

export function noHeap(): SnapshotError {
  return new SnapshotError(
    "no-heap",
    "no heap is in the memory",
    "a heap is made by its first malloc, and in an AssemblyScript program when it needs more than a few KiB; the memory " +
      "has to be given whole, from address 0 on, and not compressed",
  );
}

function wrongVersion(mark: number): SnapshotError {
  const version = mark & VERSION_MASK;
  const is =
    version === LAYOUT_VERSION ? `a flavour that this version does not know (${hex(mark)})` : `layout ${version}`;
  return new SnapshotError(
    "version",
    `the heap in the memory has ${is}, and this version of gomalloc reads layout ${LAYOUT_VERSION}`,
    "read it with the version of gomalloc that the program was built with",
  );
}
