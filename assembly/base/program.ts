/**
 * What an object file of gomalloc asks of the program that it is linked to: each import is a symbol of the linker.
 * native/object/ defines the functions for each target; src/wasm/object.ts makes symbols of the imports.
 *
 * In all other flavours nothing of this exists: they import their memory alone.
 *
 * Any thread; each function says more. Cost: none on the fast paths.
 */

import { OBJECT } from "./config";

/** errno's values in wasi-libc and in emscripten. */
@inline export const ERRNO_EINVAL: i32 = 28;
@inline export const ERRNO_ENOMEM: i32 = 48;

/** The address behind the program's static data and stack: the linker's symbol. */
@external("env", "__heap_base")
declare const heapBaseSymbol: u32;

/** As memory.grow, by whatever else has to know of it. */
@external("env", "gomalloc_grow")
declare function growSymbol(pages: u32): i32;

/** The program's own function, or that of native/object/, which traps. */
@external("env", "gomalloc_on_misuse")
declare function misuseSymbol(kind: i32, ptr: u32): void;

/** Sets errno where there is a libc. */
@external("env", "gomalloc_set_errno")
declare function errnoSymbol(code: i32): void;

/** Shared heaps: the calling thread has got a P, which gomalloc_thread_exit has to give up at its end. */
@external("env", "gomalloc_thread_start")
declare function threadSymbol(): void;

/** Where the program says that its heap begins; 0: it does not say. */
@inline
export function programHeapBase(): u32 {
  return OBJECT ? heapBaseSymbol : 0;
}

/** memory.grow: the number of pages before, or -1. */
@inline
export function growMemory(pages: u32): i32 {
  return OBJECT ? growSymbol(pages) : <i32>memory.grow(pages);
}

/** Calls the program's misuse hook. Returns if that returns; then the misused call has no effect. */
@inline
export function callMisuseHook(kind: i32, ptr: u32): void {
  misuseSymbol(kind, ptr);
}

@inline
export function setErrno(code: i32): void {
  if (OBJECT) errnoSymbol(code);
}

@inline
export function noteThread(): void {
  if (OBJECT) threadSymbol();
}
