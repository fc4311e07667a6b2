/**
 * The allocators of the threads benchmark, and how each gets into one module with the driver.
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { merge, type Part } from "../../lib/build/merge.ts";
import { BUILD } from "../../lib/paths.ts";
import {
  ALLOWED,
  assemble,
  buildDlmalloc,
  buildDriver,
  buildLock,
  buildMimalloc,
  expectNothingAtStart,
  type Mode,
} from "./build.ts";
import { WASM_PAGE } from "./layout.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** One column of the tables. */
export interface Contender {
  readonly name: string;
  /** One line for the reader of a table. */
  readonly about: string;
  /** Its memory is shared, and several threads may use it. */
  readonly shared: boolean;
  /** False for the driver alone: its blocks overlap. */
  readonly keepsContents: boolean;
  /** What it promises blocks below 8 bytes; 8 unless given. */
  readonly smallAlignment?: 4;
  /** The command that obtains what it is made of; npm run build unless given. */
  readonly remedy?: string;
  /** Data segments and a start function that write the static state in the first instance only. */
  readonly beginsOnce?: true;
  /** What is merged with the driver, the module `alloc` first; undefined if it has not been built. */
  parts(): Promise<readonly Part[] | undefined>;
}

/** A module of `npm run build`; undefined if it has not been built. */
export async function built(file: string): Promise<Bytes | undefined> {
  try {
    return new Uint8Array(await readFile(join(BUILD, file)));
  } catch {
    return undefined;
  }
}

function ours(file: string) {
  return async () => {
    const bytes = await built(file);
    return bytes && [{ name: "alloc", bytes }];
  };
}

function locked(kind: "futex" | "spin") {
  return async () => [
    { name: "alloc", bytes: await buildLock(kind) },
    { name: "inner", bytes: await buildDlmalloc() },
  ];
}

/**
 * No allocator: each instance hands out the bytes of a ring of its own, 1 MiB, over and over. Blocks overlap, so
 * contents are not kept, but they are touched as ever. What is left is the driver: no allocator can be below it.
 */
const RING_BYTES = 1 << 20;
const RING_ALLOCATOR = `(module
  (import "env" "memory" (memory 1 65536 shared))
  (global $base (mut i32) (i32.const 0))
  (global $at (mut i32) (i32.const 0))
  (func (export "init") (param i32)
    (global.set $base (i32.mul (memory.grow (i32.const ${RING_BYTES / WASM_PAGE})) (i32.const ${WASM_PAGE}))))
  (func $take (export "malloc") (param $size i32) (result i32)
    (local $ptr i32)
    (if (i32.gt_u (i32.add (global.get $at) (local.get $size)) (i32.const ${RING_BYTES}))
      (then (global.set $at (i32.const 0))))
    (local.set $ptr (i32.add (global.get $base) (global.get $at)))
    (global.set $at
      (i32.add (global.get $at) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -16))))
    (local.get $ptr))
  (func (export "free") (param i32))
  (func (export "calloc") (param i32 i32) (result i32) (call $take (local.get 1)))
  (func (export "realloc") (param i32 i32) (result i32) (call $take (local.get 1)))
  (func (export "aligned_alloc") (param i32 i32) (result i32) (call $take (local.get 1))))`;

/** The two that the single-thread ratio is taken of, and what remote frees and the trace are held against. */
export const OURS = "gomalloc-shared";
export const OURS_PLAIN = "gomalloc";
export const LOCKED = "dlmalloc-lock";
export const DRIVER = "driver";

/** In the order of the tables. */
export const CONTENDERS: readonly Contender[] = [
  {
    name: OURS_PLAIN,
    about: "build/gomalloc.debug.wasm over an unshared memory, one thread",
    shared: false,
    keepsContents: true,
    parts: ours("gomalloc.debug.wasm"),
  },
  {
    name: OURS,
    about: "build/gomalloc-shared.debug.wasm",
    shared: true,
    keepsContents: true,
    parts: ours("gomalloc-shared.debug.wasm"),
  },
  {
    name: "dlmalloc",
    about: "wasi-libc's malloc over an unshared memory, one thread, no lock",
    shared: false,
    keepsContents: true,
    parts: async () => [{ name: "alloc", bytes: await buildDlmalloc() }],
  },
  {
    name: LOCKED,
    about: "wasi-libc's malloc, every call under one lock (compare-and-swap, 100 spins, then wait and notify)",
    shared: true,
    keepsContents: true,
    parts: locked("futex"),
  },
  {
    name: "dlmalloc-spin",
    about: "wasi-libc's malloc, every call under one spin lock",
    shared: true,
    keepsContents: true,
    parts: locked("spin"),
  },
  {
    name: "mimalloc",
    about: "mimalloc 3, from Debian sid's emscripten, built for threads",
    shared: true,
    keepsContents: true,
    smallAlignment: 4,
    remedy: "npm run bench:peers",
    beginsOnce: true,
    parts: async () => {
      const bytes = await buildMimalloc();
      return bytes && [{ name: "alloc", bytes }];
    },
  },
  {
    name: DRIVER,
    about: "no allocator: the driver alone",
    shared: true,
    keepsContents: false,
    parts: async () => [{ name: "alloc", bytes: await assemble(RING_ALLOCATOR) }],
  },
];

/** The shared host flavour: the same heap with counters. Counted, never timed. */
export const COUNTED: Contender = {
  name: "gomalloc-host-shared",
  about: "build/gomalloc-host-shared.debug.wasm",
  shared: true,
  keepsContents: true,
  parts: ours("gomalloc-host-shared.debug.wasm"),
};

/** Exports of the counted flavour that stay beside the driver's. */
const COUNTERS = ["lockAddress", "lockCount", "pStat", "numPs"];

/** dlmalloc without a lock has no init. */
const INIT = "init";

/** The merged module; undefined if the allocator has not been built. */
export async function threadsModule(contender: Contender, mode: Mode): Promise<Bytes | undefined> {
  const parts = await contender.parts();
  if (!parts) return undefined;
  const driver = { name: "env", bytes: await buildDriver(mode, contender.shared, contender.smallAlignment) };
  const keep = contender === COUNTED ? [INIT, ...COUNTERS] : [INIT];
  const label = `threads-${contender.name}-${mode}-merged`;
  const merged = await merge(label, [driver, ...parts], keep, ALLOWED);
  return contender.beginsOnce ? merged : expectNothingAtStart(merged);
}
