/** Engines and pages without memory to share: the same program on one thread, and errors that name what is missing. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import {
  AttachError,
  attachHeap,
  createSharedHeap,
  createSharedHeapAsync,
  SharedMemoryUnavailableError,
} from "../../src/shared/index.ts";

const INDEX = fileURLToPath(new URL("../../src/shared/index.ts", import.meta.url));

/** Runs a program that has the package as `gomalloc`, in an engine that `before` has changed; what it prints, as JSON. */
async function run(before: string, program: string): Promise<unknown> {
  const { outputFiles } = await build({
    entryPoints: [INDEX],
    bundle: true,
    platform: "browser",
    format: "iife",
    globalName: "gomalloc",
    write: false,
  });
  const source = `${before}\n${outputFiles[0]!.text}\n(async () => {${program}})();`;
  const { stdout, stderr } = spawnSync(process.execPath, ["-"], {
    input: source,
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

const PROGRAM = `
  const told = (call) => { try { call(); } catch (error) { return [error.name, error.code, error.message]; } };
  const heap = gomalloc.createSharedHeap({ procs: 4 });
  const ptr = heap.calloc(100, 100);
  heap.u8.fill(7, ptr, ptr + 100);
  const moved = heap.realloc(ptr, 10_000_000);
  const kept = heap.u8.subarray(moved, moved + 100).every((byte) => byte === 7);
  heap.free(moved);
  heap.release();
  heap.ps.block(() => heap.ps.turn(() => heap.malloc(8)));
  const monitor = heap.ps.monitor({ idleMs: 0 });
  monitor.tick();
  await heap.ps.turnAsync(() => heap.malloc(8));
  await heap.lock().lockAsync();
  heap.lock().unlock();
  heap.validate({ deep: true });
  const { ps, locks } = heap.stats();
  const result = {
    shared: heap.shared,
    kept,
    states: ps.map(({ p, state }) => p + " " + state),
    locks: locks.length,
    share: told(() => heap.share()),
    forced: told(() => gomalloc.createSharedHeap({ shared: true })),
    attach: told(() => gomalloc.attachHeap({ kind: "gomalloc-shared-heap", version: 1 })),
    other: (await gomalloc.createSharedHeapAsync()).shared,
  };
  heap.dispose();
  console.log(JSON.stringify(result));`;

describe("without shared memory", () => {
  it("in a page without the headers, the errors name them", async () => {
    const before = "delete globalThis.SharedArrayBuffer; globalThis.crossOriginIsolated = false;";
    const headers = /Cross-Origin-Opener-Policy: same-origin" and "Cross-Origin-Embedder-Policy: require-corp"/;
    expect(await run(before, PROGRAM)).toEqual({
      shared: false,
      kept: true,
      states: ["1 running"],
      locks: 1,
      share: ["SharedMemoryUnavailableError", "ERR_SHARED_MEMORY_UNAVAILABLE", expect.stringMatching(headers)],
      forced: ["SharedMemoryUnavailableError", "ERR_SHARED_MEMORY_UNAVAILABLE", expect.stringMatching(headers)],
      attach: ["AttachError", "ERR_ATTACH", expect.stringMatching(headers)],
      other: false,
    });
  });

  it("in an engine that has it switched off, they name the flags", async () => {
    const result = (await run("delete globalThis.SharedArrayBuffer;", PROGRAM)) as { share: string[] };
    expect(result.share[2]).toMatch(/this engine has no SharedArrayBuffer.*--enable-features=SharedArrayBuffer/);
  });

  it("in an engine whose wasm has no threads, they say so", async () => {
    const before = `const { Memory } = WebAssembly;
      WebAssembly.Memory = class extends Memory {
        constructor(type) { if (type.shared) throw new TypeError("no"); super(type); }
      };`;
    const result = (await run(before, PROGRAM)) as { shared: boolean; share: string[] };
    expect(result.shared).toBe(false);
    expect(result.share[2]).toMatch(/WebAssembly has no threads/);
  });

  it("when asked for one thread, share says why", async () => {
    const heap = createSharedHeap({ shared: false });
    expect(() => heap.share()).toThrow(SharedMemoryUnavailableError);
    expect(() => heap.share()).toThrow(/made with the option shared: false/);
    expect((await createSharedHeapAsync({ shared: false })).shared).toBe(false);
  });

  it("where there is no Atomics.waitAsync, waiting is looking now and then", async () => {
    const result = await run(
      "delete Atomics.waitAsync;",
      `const heap = gomalloc.createSharedHeap({ procs: 1 });
       const other = gomalloc.attachHeap(heap.share());
       heap.malloc(8);
       const began = other.ps.acquireAsync();
       // heap gives way by its timer.
       const id = await began;
       await other.lock().lockAsync();
       setTimeout(() => other.lock().unlock(), 5);
       const third = gomalloc.attachHeap(heap.share());
       heap.ps.limit = 2;
       setTimeout(() => { heap.dispose(); other.dispose(); third.dispose(); }, 50);
       console.log(JSON.stringify({ id, states: heap.ps.list().map(({ state, token }) => state + token) }));`,
    );
    expect(result).toEqual({ id: 1, states: ["running2"] });
  });

  it("on a thread that must not sleep, waiting is bounded", async () => {
    const result = await run(
      "Atomics.wait = () => { throw new TypeError('Atomics.wait cannot be called in this context'); };",
      `const heap = gomalloc.createSharedHeap({ procs: 1 });
       const other = gomalloc.attachHeap(heap.share());
       const told = (call) => { try { call(); } catch (error) { return [error.name, error.holders ?? error.owner]; } };
       const busy = told(() => other.malloc(8));
       heap.ps.limit = 2;
       other.malloc(8);
       heap.lock().lock();
       const locked = told(() => other.lock().lock());
       const large = told(() => other.malloc(1 << 20));
       heap.lock().unlock();
       other.free(other.malloc(1 << 20));
       heap.validate({ deep: true });
       console.log(JSON.stringify({ busy, locked, large }));`,
    );
    const owner = { p: 1, token: 1, state: expect.stringMatching(/running|stopping/) };
    expect(result).toEqual({
      busy: ["ProcsBusyError", [owner]],
      locked: ["HeapLockError", owner],
      large: ["HeapLockError", owner],
    });
  });
});

describe("a message", () => {
  it("of a heap for one thread cannot be made up", () => {
    const { memory } = createSharedHeap({ shared: false });
    const message = { kind: "gomalloc-shared-heap", version: 1, memory } as never;
    expect(() => attachHeap(message)).toThrow(AttachError);
  });
});
