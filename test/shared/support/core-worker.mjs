/**
 * A worker that plays seeded random calls of the allocator on the shared heap, checks the contents of every block that it
 * touches, and hands blocks to other workers through a shared ring.
 *
 * A block tells what it is: its size, a word that goes with its address and size, and a byte that fills the rest. The
 * worker's live blocks stand in a shared table, so that whoever buries it can have them; a block is out of the table
 * while a call is about it. Between two operations the worker looks whether it is to be quiet (quiet.mjs).
 */
import { parentPort, workerData } from "node:worker_threads";
import { leave, OPS, obey, STOP, wordOf } from "./quiet.mjs";

const { module, memory, base, control, ring, table, slot, token, seed, options } = workerData;
const ops = wordOf(slot, OPS);
const M_MISUSE = 1;
const M_LOCK_WAIT = 5;
const M_RESERVE = 4;
const M_PROFILE_RATE = 7;
const M_PROFILE_GUARD = 8;
const M_QUARANTINE = 9;

/** What a flavour that samples imports. The stack is one of some; damage is an error, a block freed twice is another. */
const gomalloc = {
  option: () => 0,
  stack(buffer) {
    const words = new Uint32Array(memory.buffer, buffer >>> 0, 5);
    words[2] = 0;
    words[4] = token * 64 + below(16);
    return 1;
  },
  report: (kind, sample) => fail(`a report of kind ${kind} about sample ${(sample >>> 0).toString(16)}`),
};

const e = new WebAssembly.Instance(module, { env: { memory }, gomalloc }).exports;
let u8 = new Uint8Array(memory.buffer);
let view = new DataView(memory.buffer);

/** Views that reach to `end`: others grow the memory, and this thread may hear of it late. */
function reach(end) {
  if (u8.length >= end) return;
  if (memory.buffer.byteLength < end) memory.grow(0);
  u8 = new Uint8Array(memory.buffer);
  view = new DataView(memory.buffer);
  if (u8.length < end) fail(`a block up to ${end} in ${u8.length} bytes`);
}

function fail(what) {
  throw new Error(`worker ${slot}, seed ${seed}, operation ${control[ops]}: ${what}`);
}

let state = seed | 1;
function below(n) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % n;
}

const word = (p, n) => (Math.imul(p, 0x9e3779b1) ^ n) | 0;
const filler = (p, n) => ((p >>> 4) ^ n) & 0xff;
/** Bytes looked at from both ends of a long block. */
const EDGE = 128;

function write(p, n) {
  reach(p + n);
  view.setUint32(p, n, true);
  view.setInt32(p + 4, word(p, n), true);
  u8.fill(filler(p, n), p + 8, p + n);
}

function same(from, to, byte, p, n) {
  for (let i = from; i < to; i++) {
    if (u8[i] !== byte) fail(`byte ${i - p} of block ${p.toString(16)} of ${n} bytes is ${u8[i]}, not ${byte}`);
  }
}

/** Size of the block at p, which is intact. */
function check(p) {
  reach(p + 8);
  const n = view.getUint32(p, true);
  const w = view.getInt32(p + 4, true);
  if (w !== word(p, n)) fail(`block ${p.toString(16)} begins with ${n.toString(16)} ${(w >>> 0).toString(16)}`);
  reach(p + n);
  const byte = filler(p, n);
  if (n <= 4 * EDGE) same(p + 8, p + n, byte, p, n);
  else {
    same(p + 8, p + EDGE, byte, p, n);
    same(p + n - EDGE, p + n, byte, p, n);
  }
  return n;
}

/** Live blocks: table[0..count). */
let count = 0;
let bytes = 0;

function keep(p, n, align) {
  if (p === 0) {
    if (options.maximum === 0) fail(`no memory for ${n} bytes`);
    return;
  }
  if (p % align !== 0) fail(`${p.toString(16)} is no multiple of ${align}`);
  write(p, n);
  bytes += n;
  table[count++] = p;
}

/** Takes the i-th block out of the table. */
function take(i) {
  const p = table[i] >>> 0;
  count--;
  // The last one is in the table twice for a moment, rather than not at all; the fleet knows.
  table[i] = table[count];
  table[count] = 0;
  bytes -= check(p);
  return p;
}

function size() {
  const kind = below(1000);
  if (kind < 600) return 8 + below(120);
  if (kind < 900) return 8 + below(2000);
  if (kind < 985) return 8 + below(33_000);
  return 32_769 + below(options.large);
}

function allocate() {
  const n = size();
  const kind = below(8);
  if (kind < 5) return keep(e.malloc(n) >>> 0, n, 8);
  if (kind === 5) {
    const align = 16 << below(9);
    return keep(e.aligned_alloc(align, n) >>> 0, n, align);
  }
  const p = (kind === 6 ? e.calloc(n, 1) : e.mallocgc(n < 16 ? 16 : n, 1, 1)) >>> 0;
  if (p !== 0) {
    reach(p + n);
    for (let i = p; i < p + Math.min(n, 512); i++) if (u8[i] !== 0) fail(`zeroed block ${p.toString(16)} is not zero`);
  }
  return keep(p, n, 8);
}

function free(p) {
  const kind = e.tryFree(p);
  if (kind !== 0) fail(`the free of ${p.toString(16)} is refused as ${kind}`);
}

function resize() {
  const p = take(below(count));
  const old = view.getUint32(p, true);
  const n = below(3) === 0 ? size() : Math.max(8, (old >> 1) + below(old + 1));
  const q = e.realloc(p, n) >>> 0;
  if (q === 0) {
    if (options.maximum === 0) fail(`no memory for realloc to ${n} bytes`);
    check(p);
    bytes += old;
    table[count++] = p;
    return;
  }
  reach(q + n);
  const byte = filler(p, old);
  if (view.getUint32(q, true) !== old) fail(`realloc of ${p.toString(16)} to ${q.toString(16)} lost its size`);
  same(q + 8, q + Math.min(n, old, EDGE), byte, q, n);
  if (n >= old && old > 8) same(q + Math.max(8, old - EDGE), q + old, byte, q, n);
  keep(q, n, 8);
}

/** A block for another thread, and one of another's in return. */
function exchange() {
  const p = take(below(count));
  const old = Atomics.exchange(ring, below(ring.length), p) >>> 0;
  if (old === 0) return;
  if (below(4) === 0) {
    const n = check(old);
    bytes += n;
    table[count++] = old;
  } else {
    check(old);
    free(old);
  }
}

/** Its blocks are whole. */
function checkMine() {
  for (let i = 0; i < count; i++) check(table[i] >>> 0);
}

/** A P, however long it takes: there may be fewer than workers. */
function acquire() {
  while (e.acquireP(token) === 0 && control[STOP] === 0) {
    obey(control, slot, checkMine);
    Atomics.wait(control, STOP, 0, 1);
  }
}

/** What takes long inside the allocator, most of it under its locks. */
function dwell() {
  const kind = below(6);
  if (kind < 3) e.memstats();
  else if (kind === 3) e.releaseAll();
  else if (kind === 4) for (let i = 0; i < 50; i++) free(e.malloc(33_000) >>> 0);
  else {
    // Spans are made and go back.
    const some = [];
    for (let i = 0; i < 100; i++) some.push(e.malloc(3000 + below(6000)) >>> 0);
    for (const p of some) free(p);
  }
}

/** Another rate, guards or none, another quarantine: for all threads. */
function changeSampling() {
  const rates = [1, 1, 64, 4096, 65_536, 524_288, 0];
  const quarantines = [0, 1000, 65_536, 1 << 20];
  e.mallopt(M_PROFILE_RATE, rates[below(rates.length)]);
  e.mallopt(M_PROFILE_GUARD, below(4) === 0 ? 0 : 1);
  e.mallopt(M_QUARANTINE, quarantines[below(quarantines.length)]);
}

function step() {
  if (options.sampled && below(400) === 0) changeSampling();
  if (options.dwell && below(2) === 0) dwell();
  const kind = below(1000);
  if (kind < 430) {
    if (count < options.blocks && bytes < options.bytes) allocate();
    else for (let i = 0; i < 40 && count > 0; i++) free(take(below(count)));
  } else if (count === 0) allocate();
  else if (kind < 760) free(take(below(count)));
  else if (kind < 860) resize();
  else if (kind < 990) exchange();
  else if (kind === 990 && options.foreign) memory.grow(1);
  else if (kind < 993) e.malloc_trim(0);
  else if (kind < 995) {
    // Given up, and another in its place.
    if (below(options.stay) === 0) {
      e.releaseP();
      acquire();
    }
  } else if (kind < 996) {
    if (e.blockP() === 1) {
      Atomics.wait(control, STOP, 0, 1);
      if (e.unblockP() === 0) acquire();
    }
  } else if (kind < 997) e.releaseAll();
  else check(table[below(count)] >>> 0);
}

try {
  e.init(base);
  e.mallopt(M_MISUSE, 0);
  e.mallopt(M_RESERVE, below(2) === 0 ? 0 : 1 << 20);
  e.mallopt(M_LOCK_WAIT, 0);
  acquire();
  for (let n = options.ops; n !== 0 && control[STOP] === 0; n--) {
    obey(control, slot, checkMine);
    // A turn is over: with fewer Ps than workers somebody waits.
    if (options.turn !== 0 && n % options.turn === 0) {
      e.releaseP();
      Atomics.wait(control, STOP, 0, 1);
      acquire();
    }
    step();
    control[ops]++;
  }
  checkMine();
  e.releaseP();
  leave(control, slot);
  parentPort.postMessage({ done: true });
} catch (error) {
  parentPort.postMessage({ error: error.stack ?? String(error) });
}
