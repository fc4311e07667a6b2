/**
 * The textbook TCMalloc is one: its classes, the slow start of its lists, spans that come back and join. (That it keeps
 * the promises of the malloc family is tested with all the others.)
 */
import { beforeAll, describe, expect, it } from "vitest";
import { ALLOCATORS } from "../../bench/lib/catalog.ts";
import { heapBase, initialPages } from "../../bench/lib/layout.ts";

interface Heap {
  malloc(size: number): number;
  free(ptr: number): void;
  pages(): number;
}

const PAGE = 8192;
let module: WebAssembly.Module;

beforeAll(async () => {
  const bytes = await ALLOCATORS.find(({ name }) => name === "tcmalloc")!.module("timed");
  module = new WebAssembly.Module(bytes!);
});

function open(): Heap {
  const memory = new WebAssembly.Memory({ initial: initialPages("timed"), maximum: 4096 });
  const raw = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Heap & {
    init(at: number): void;
  };
  raw.init(heapBase("timed"));
  return {
    malloc: (size) => raw.malloc(size) >>> 0,
    free: (ptr) => raw.free(ptr),
    pages: () => memory.buffer.byteLength >>> 16,
  };
}

/** The distance of neighbours among `count` blocks of one size in a fresh heap. */
function slot(size: number, count: number): number {
  const { malloc } = open();
  const blocks = Array.from({ length: count }, () => malloc(size)).sort((a, b) => a - b);
  return Math.min(...blocks.slice(1).map((ptr, i) => ptr - blocks[i]!));
}

describe("size classes", () => {
  it.each([
    [1, 8],
    [8, 8],
    [9, 16],
    [17, 32],
    [100, 112],
    [128, 128],
    [1025, 1152],
  ])("puts %i bytes into %i", (size, expected) => {
    expect(slot(size, 40)).toBe(expected);
  });

  it("rounds no request above 128 bytes up by more than a quarter of it", () => {
    // Steps are an eighth; classes whose spans would hold as many objects are one class.
    for (let size = 129; size <= 65_536; size = Math.ceil(size * 1.07)) {
      const rounded = slot(size, 24);
      expect(rounded, `${size} bytes`).toBeGreaterThanOrEqual(size);
      expect(rounded, `${size} bytes`).toBeLessThanOrEqual(size * 1.25);
    }
  });

  it("gives whole pages beyond 256 KiB", () => {
    const { malloc } = open();
    const blocks = Array.from({ length: 4 }, () => malloc(256 * 1024 + 1));
    for (const ptr of blocks) expect(ptr % PAGE).toBe(0);
  });
});

describe("thread cache", () => {
  it("gives out first what was freed last", () => {
    const { malloc, free } = open();
    const blocks = Array.from({ length: 100 }, () => malloc(64));
    for (const ptr of blocks.slice(0, 10)) free(ptr);
    const again = Array.from({ length: 10 }, () => malloc(64));
    expect(again).toEqual(blocks.slice(0, 10).reverse());
  });

  it("starts slowly: the list grows by one at each visit, then holds whole batches", () => {
    const { malloc } = open();
    // Spans are cut in the order of addresses and a fetched batch is linked backwards: where the addresses go down
    // tells how many came at once.
    const blocks = Array.from({ length: 200 }, () => malloc(64));
    const fetched: number[] = [];
    let at = 0;
    while (at < blocks.length && fetched.length < 8) {
      let end = at + 1;
      // The first of a visit is the lowest; the rest follow from the highest down. A visit for two looks like two.
      while (end + 1 < blocks.length && blocks[end + 1]! < blocks[end]!) end++;
      const length = blocks[at + 1]! > blocks[at]! + 64 ? end - at + 1 : 1;
      fetched.push(length);
      at += length;
    }
    expect(fetched).toEqual([1, 1, 1, 3, 4, 5, 6, 7]);
  });
});

describe("spans", () => {
  it("join when they are freed, in any order", () => {
    const { malloc, free, pages } = open();
    const size = 300 * 1024;
    const blocks = Array.from({ length: 30 }, () => malloc(size));
    const had = pages();
    for (let k = 0; k < 3; k++) for (let i = k; i < blocks.length; i += 3) free(blocks[i]!);
    const whole = malloc(size * 24);
    expect(whole).not.toBe(0);
    expect(pages()).toBe(had);
  });

  it("of small blocks come back when the cache has given them up", () => {
    const { malloc, free, pages } = open();
    // 16 MiB, eight times what the cache may hold.
    const blocks = Array.from({ length: 16384 }, () => malloc(1024));
    const had = pages();
    for (const ptr of blocks) free(ptr);
    const whole = malloc(4 << 20);
    expect(whole).not.toBe(0);
    expect(pages()).toBe(had);
  });

  it("of more than 128 pages: the shortest that is long enough is taken", () => {
    const { malloc, free, pages } = open();
    const [long, , short] = [malloc(3 << 20), malloc(300_000), malloc(2 << 20), malloc(300_000)];
    const had = pages();
    free(long!);
    free(short!);
    expect(malloc(2 << 20)).toBe(short);
    expect(malloc(3 << 20)).toBe(long);
    expect(pages()).toBe(had);
  });
});
