/** Finding heaps in a memory: one, several, none, those of other versions, and what only looks like one. */
import { describe, expect, it } from "vitest";
import { HEAP_MAGIC, LAYOUT_VERSION } from "../../src/base/abinumbers.ts";
import { findHeaps, readSnapshot, readSnapshots, SnapshotError } from "../../src/snapshot/index.ts";
import { HEAP_MARK, layouts } from "../../src/snapshot/layout.ts";
import { open, openOver, WASM_PAGE, wasmModule } from "../support/wasm.ts";

/** The error of `read`, which has to be a SnapshotError of this kind. */
function refusal(read: () => unknown, kind: SnapshotError["kind"]): string {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(SnapshotError);
    expect(error).toMatchObject({ kind, code: "ERR_SNAPSHOT" });
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
}

/** A memory with a heap in it, and the address of its record. */
function heap(heapBase = WASM_PAGE) {
  const o = open("malloc", { initial: 4, heapBase });
  const block = o.e.malloc(1000);
  const [found] = findHeaps(o.mem.memory);
  return { ...o, block, address: found!.address };
}

describe("a heap is found", () => {
  it("at the address that init gave, rounded up", () => {
    expect(heap(5000).address).toBe(5008);
    expect(open("host", { heapBase: 70_000 })).toBeDefined();
  });

  it("where it grew its own memory", () => {
    const o = open("malloc", { initial: 2, heapBase: null });
    refusal(() => readSnapshot(o.mem.memory), "no-heap");
    const p = o.e.malloc(10);
    expect(findHeaps(o.mem.memory)).toEqual([{ address: 2 * WASM_PAGE, flavour: "malloc" }]);
    expect([...readSnapshot(o.mem.memory).liveBlocks()]).toEqual([p]);
  });

  it("in a memory, a buffer, and bytes that begin anywhere", () => {
    const { mem, block, address } = heap();
    const copy = new Uint8Array(mem.u8.length + 8);
    for (const shift of [0, 1, 4, 7]) {
      copy.set(mem.u8, shift);
      const bytes = copy.subarray(shift, shift + mem.u8.length);
      expect([...readSnapshot(bytes).liveBlocks()]).toEqual([block]);
    }
    expect(readSnapshot(mem.u8.slice().buffer)).toMatchObject({ address, memoryBytes: mem.u8.length });
    const shared = new Uint8Array(new SharedArrayBuffer(mem.u8.length));
    shared.set(mem.u8);
    expect(readSnapshot(shared.buffer).address).toBe(address);
    expect(() => readSnapshot("memory" as never)).toThrow(TypeError);
  });

  it("beside others: by its address, or all", () => {
    const a = open("malloc", { initial: 2, heapBase: null });
    const p = a.e.malloc(10);
    const b = openOver<typeof a.e>(wasmModule("malloc"), a.mem.memory, null);
    const q = b.e.malloc(20);
    const found = findHeaps(a.mem.memory);
    expect(found).toHaveLength(2);
    const [first, second] = found.map(({ address }) => `0x${address.toString(16)}`);
    const said = refusal(() => readSnapshot(a.mem.memory), "several-heaps");
    expect(said).toContain(`2 heaps, at ${first} (malloc), ${second} (malloc); choose one by the option heap`);
    expect([...readSnapshot(a.mem.memory, { heap: found[1]!.address }).liveBlocks()]).toEqual([q]);
    expect(readSnapshots(a.mem.memory).map((one) => [...one.liveBlocks()])).toEqual([[p], [q]]);
  });

  it("but not a dead one whose memory another has", () => {
    const old = open("malloc", { initial: 4, heapBase: 3 * WASM_PAGE });
    old.e.malloc(10);
    const now = openOver<typeof old.e>(wasmModule("malloc"), old.mem.memory, WASM_PAGE);
    now.e.malloc(500_000);
    expect(findHeaps(old.mem.memory).map(({ address }) => address)).toEqual([WASM_PAGE]);
  });
});

describe("what only looks like a heap", () => {
  it.each(["a stray word", "the mark alone", "a copy of a record"])("%s is none", (what) => {
    const { mem, address } = heap();
    const bytes = mem.u8.slice();
    const view = new DataView(bytes.buffer);
    const at = 3 * WASM_PAGE + 4096;
    if (what === "a copy of a record") bytes.copyWithin(at, address, address + 20_000);
    else view.setUint32(at + HEAP_MARK, HEAP_MAGIC, true);
    if (what === "the mark alone") view.setUint32(at + HEAP_MARK + 4, layouts()[0]!.LAYOUT, true);
    expect(findHeaps(bytes).map((one) => one.address)).toEqual([address]);
    expect(refusal(() => readSnapshot(bytes, { heap: at }), what === "a stray word" ? "version" : "damaged")).toMatch(
      what === "a stray word" ? /reads layout 1/ : /no heap can be read at 0x31000: .*findHeaps lists/,
    );
  });

  it("a memory without a heap, or with none any more, says what may be the reason", () => {
    expect(refusal(() => readSnapshot(new Uint8Array(WASM_PAGE)), "no-heap")).toMatch(/given whole, from address 0 on/);
    expect(refusal(() => readSnapshots(new Uint8Array(0)), "no-heap")).toMatch(/first malloc/);
    const { mem, address } = heap();
    mem.view.setUint32(address + HEAP_MARK, 0, true);
    refusal(() => readSnapshot(mem.memory), "no-heap");
  });

  it("a heap of another version names the remedy", () => {
    const { mem, address } = heap();
    mem.view.setUint8(address + HEAP_MARK + 4, LAYOUT_VERSION + 1);
    expect(refusal(() => readSnapshot(mem.memory), "version")).toContain(
      `layout ${LAYOUT_VERSION + 1}, and this version of gomalloc reads layout ${LAYOUT_VERSION}; read it with the version`,
    );
    refusal(() => readSnapshot(mem.memory, { heap: address }), "version");
  });

  it("bytes that are taken away are noticed", async () => {
    const { SnapshotReader } = await import("../../src/snapshot/index.ts");
    const buffer = heap().mem.u8.slice().buffer;
    const reader = new SnapshotReader(buffer);
    expect(reader.step(0)).toBe(false);
    structuredClone(buffer, { transfer: [buffer] });
    refusal(() => reader.step(0), "detached");
  });
});

it("options are checked", () => {
  const { mem } = heap();
  expect(() => readSnapshot(mem.memory, { heap: -1 })).toThrow(RangeError);
  expect(() => readSnapshot(mem.memory, { bitmap: true } as never)).toThrow(/has no option "bitmap"/);
  expect(() => readSnapshot(mem.memory, { samples: [{ address: 1, size: -1 }] })).toThrow("size must be an integer");
  const samples = [{ address: 4096, size: 10, age: 5.5, stack: ["f (a.c:1)", "main"] }];
  const snapshot = readSnapshot(mem.memory, { samples, label: "x", time: 7 });
  expect(JSON.parse(JSON.stringify(snapshot))).toMatchObject({ samples, label: "x", time: 7 });
});
