/**
 * The loop that reads frames, with turns that the test takes one by one: who gets what, a program that works between two
 * slices, slow viewers, heaps that come later and heaps that are gone. And the messages on a stream, however it is cut.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { createHeap, type Heap } from "../../src/index.ts";
import { LiveLoop, type Turns } from "../../src/live/loop.ts";
import { type LiveHeap, LiveSource } from "../../src/live/source.ts";
import { FRAME, jsonMessage, lengthOf, MessageSplitter, messageOf, STATE, type State } from "../../src/map/wire.ts";
import { createSharedHeap } from "../../src/shared/index.ts";
import { FrameReader, type ReadFrame } from "../../src/snapshot/frame.ts";
import { runs } from "../support/random.ts";

/** An event loop that goes on when it is told to. Its clock is not the machine's: what is due later is due at once. */
class ManualTurns implements Turns {
  readonly #work: (() => void)[] = [];

  after(_: number, work: () => void): void {
    this.#work.push(work);
  }

  soon(work: () => void): void {
    this.#work.push(work);
  }

  get idle(): boolean {
    return this.#work.length === 0;
  }

  /** A turn. False: there was nothing to do. */
  turn(): boolean {
    const work = this.#work.shift();
    work?.();
    return work !== undefined;
  }

  /** Turns until `done`, with `between` after each. */
  until(done: () => boolean, between: () => void = () => {}): number {
    let turns = 0;
    for (; !done(); turns++) {
      if (!this.turn()) throw new Error("nothing is to be done any more");
      between();
    }
    return turns;
  }
}

class TestViewer {
  readonly reader = new FrameReader();
  readonly frames: ReadFrame[] = [];
  readonly states: State[] = [];
  ended = false;
  busy = false;

  send(message: Uint8Array<ArrayBuffer>): boolean {
    if (this.busy) return false;
    const contents = message.slice(1);
    if (message[0] === FRAME) this.frames.push(this.reader.read(contents));
    else if (message[0] === STATE) this.states.push(JSON.parse(new TextDecoder().decode(contents)) as State);
    return true;
  }

  end(): void {
    this.ended = true;
  }

  get last(): ReadFrame {
    return this.frames.at(-1)!;
  }
}

function loopOf(heap: LiveHeap | WebAssembly.Memory, budgetMs = 5) {
  const turns = new ManualTurns();
  return { turns, loop: new LiveLoop(new LiveSource(heap), undefined, 10, budgetMs, turns) };
}

/** What is at rest, without the time at which it was read. */
function still(heap: Heap): object {
  const { time: _, ...snapshot } = heap.snapshot({ bitmaps: false }).toJSON();
  return snapshot;
}

function shown(viewer: TestViewer): object {
  const { time: _, ...snapshot } = viewer.last.snapshot.toJSON();
  return snapshot;
}

it("does nothing while nobody looks", () => {
  const { turns, loop } = loopOf(createHeap());
  expect(turns.idle).toBe(true);
  const viewer = new TestViewer();
  const number = loop.join(viewer);
  expect(loop.viewers).toBe(1);
  turns.until(() => viewer.frames.length === 3);
  loop.leave(number);
  while (turns.turn());
  expect(viewer.frames.length).toBe(3);
  expect([loop.viewers, turns.idle]).toEqual([0, true]);
});

it("two viewers that come at different times see the same", () => {
  const heap = createHeap();
  const { turns, loop } = loopOf(heap);
  const [a, b] = [new TestViewer(), new TestViewer()];
  loop.join(a);
  turns.until(() => a.frames.length === 2);
  for (let i = 0; i < 500; i++) heap.malloc(i);
  loop.join(b);
  turns.until(() => b.frames.length === 2);
  turns.until(() => a.last.head.time === b.last.head.time);
  expect(a.frames.map(({ head }) => head.full).filter(Boolean)).toEqual([true]);
  expect(b.frames.map(({ head }) => head.full).filter(Boolean)).toEqual([true]);
  expect(shown(a)).toEqual(still(heap));
  expect(shown(b)).toEqual(still(heap));
});

it("a frame in slices, while the program allocates, frees and grows the memory, is a heap; at rest it is the heap", () => {
  const heap = createHeap();
  const blocks: number[] = [];
  for (let i = 0; i < 30_000; i++) blocks.push(heap.malloc(i % 2000));
  const { turns, loop } = loopOf(heap, 1);
  const viewer = new TestViewer();
  loop.join(viewer);
  const before = heap.memory.buffer.byteLength;
  let i = 0;
  turns.until(
    () => viewer.frames.length === 6,
    () => {
      for (let k = 0; k < 300; k++, i++) {
        heap.free(blocks[i % blocks.length]!);
        blocks[i % blocks.length] = heap.malloc((i * 7) % 3000);
      }
      if (heap.memory.buffer.byteLength === before) heap.malloc(5_000_000);
      if (i % 3 === 0) heap.reclaim();
    },
  );
  expect(heap.memory.buffer.byteLength).toBeGreaterThan(before);
  const n = viewer.frames.length;
  turns.until(() => viewer.frames.length === n + 2);
  expect(shown(viewer)).toEqual(still(heap));
});

it("live slots come for the pages that somebody looks at, until he looks away", () => {
  const heap = createHeap();
  const blocks = Array.from({ length: 400 }, () => heap.malloc(64));
  for (const p of blocks.filter((_, i) => i % 3 === 0)) heap.free(p);
  const page = Math.floor(blocks[200]! / 8192);
  const { turns, loop } = loopOf(heap);
  const viewer = new TestViewer();
  const number = loop.join(viewer);
  const next = () => {
    const n = viewer.frames.length;
    turns.until(() => viewer.frames.length === n + 2);
    return viewer.last.snapshot.slotAt(blocks[200]!)!.live;
  };
  expect(next()).toBeUndefined();
  loop.look(number, page, page + 1);
  expect(next()).toBe(true);
  heap.free(blocks[200]!);
  expect(next()).toBe(false);
  loop.look(number, Number.NaN, 3);
  loop.look(99, 0, 10);
  expect(next()).toBe(false);
  loop.look(number, 0, 0);
  expect(next()).toBeUndefined();
});

it("a viewer that is slow loses frames, and gets a whole one when it is ready again", () => {
  const heap = createHeap();
  const { turns, loop } = loopOf(heap);
  const [slow, quick] = [new TestViewer(), new TestViewer()];
  loop.join(slow);
  loop.join(quick);
  turns.until(() => slow.frames.length === 2);
  slow.busy = true;
  for (let i = 0; i < 3; i++) {
    heap.malloc(100_000);
    const n = quick.frames.length;
    turns.until(() => quick.frames.length === n + 1);
  }
  slow.busy = false;
  const n = slow.frames.length;
  turns.until(() => slow.frames.length === n + 2);
  expect(slow.frames.slice(n).map(({ head }) => head.full)).toEqual([true, false]);
  expect(shown(slow)).toEqual(still(heap));
});

it("a heap that is disposed of ends the view: the last picture stays, also for those who come later", () => {
  const heap = createHeap();
  heap.malloc(1000);
  const { turns, loop } = loopOf(heap);
  const viewer = new TestViewer();
  loop.join(viewer);
  turns.until(() => viewer.frames.length === 2);
  const last = still(heap);
  heap.dispose();
  turns.until(() => viewer.ended);
  expect(viewer.states).toEqual([{ state: "ended", reason: "the heap was disposed of" }]);
  expect(shown(viewer)).toEqual(last);
  expect(turns.turn()).toBe(false);
  const late = new TestViewer();
  loop.join(late);
  turns.until(() => late.ended);
  expect(shown(late)).toEqual(last);
  expect(late.states).toEqual(viewer.states);
});

it("a memory without a heap is waited for; a note is told to all", () => {
  const memory = new WebAssembly.Memory({ initial: 2 });
  const { turns, loop } = loopOf(memory);
  const viewer = new TestViewer();
  loop.join(viewer);
  turns.until(() => viewer.states.length === 1);
  expect(viewer.states).toEqual([{ state: "waiting", reason: "no heap is in the memory" }]);
  for (let i = 0; i < 3; i++) turns.turn();
  // Not said again.
  expect(viewer.states.length).toBe(1);
  const heap = createHeap({ memory, heapBase: 65536 });
  heap.malloc(10);
  turns.until(() => viewer.frames.length === 1);
  expect(shown(viewer)).toEqual(still(heap));
  loop.note("half done");
  const late = new TestViewer();
  loop.join(late);
  turns.until(() => late.frames.length === 1);
  expect(late.states).toEqual([{ state: "note", reason: "half done" }]);
  expect(viewer.states.at(-1)).toEqual({ state: "note", reason: "half done" });
});

it("of two heaps in a memory the one that was given is shown", () => {
  const memory = new WebAssembly.Memory({ initial: 100 });
  const first = createHeap({ memory, heapBase: 1024, maxBytes: 2_000_000 });
  first.malloc(100);
  const second = createHeap({ memory, heapBase: 50 * 65536 });
  for (let i = 0; i < 5; i++) second.malloc(100_000);
  for (const heap of [first, second]) {
    const { turns, loop } = loopOf(heap);
    const viewer = new TestViewer();
    loop.join(viewer);
    turns.until(() => viewer.frames.length === 1);
    expect(shown(viewer)).toEqual(still(heap));
  }
});

it("a shared heap, and the cycles of a collector", () => {
  const heap = createSharedHeap();
  heap.malloc(1000);
  const { turns, loop } = loopOf(heap);
  const viewer = new TestViewer();
  loop.join(viewer);
  turns.until(() => viewer.frames.length === 1);
  expect(viewer.last.snapshot.flavour).toBe("host-shared");
  expect(viewer.last.snapshot.totals).toEqual(heap.snapshot().totals);
  expect(viewer.last.head.more).toMatchObject({ cycles: 0 });
  heap.collector.collect();
  heap.collector.collect();
  turns.until(() => viewer.frames.length === 3);
  expect(viewer.last.head.more).toMatchObject({ cycles: 2 });
});

it("refuses what is neither heap nor memory", () => {
  for (const wrong of [null, 7, {}, { memory: 3 }, new ArrayBuffer(8)]) {
    expect(() => new LiveSource(wrong as never)).toThrow(TypeError);
  }
});

it("messages are whole again, however the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }),
      (contents, cuts) => {
        const messages = contents.map((one) => messageOf(FRAME, one));
        const stream = Buffer.concat(messages.flatMap((message) => [lengthOf(message), message]));
        const splitter = new MessageSplitter();
        const found: Uint8Array[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const length = cuts[i % cuts.length]!;
          found.push(...splitter.push(new Uint8Array(stream.subarray(at, at + length))));
          at += length;
        }
        expect(found.map((one) => [...one])).toEqual(messages.map((one) => [...one]));
      },
    ),
    { numRuns: runs(200) },
  );
  expect(jsonMessage(STATE, { state: "note", reason: "x" })[0]).toBe(STATE);
});
