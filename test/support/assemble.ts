/** A small program on the malloc family, for tests of the package: a list of numbers in heap blocks. */
import binaryen from "binaryen";

/** Exports count(n): allocates n blocks, chains them with the numbers 0..n-1, sums the chain up, frees it. */
export const COUNTING_PROGRAM = `(module
  (import "gomalloc" "malloc" (func $malloc (param i32) (result i32)))
  (import "gomalloc" "free" (func $free (param i32)))
  (memory (export "memory") 1)
  (global (export "__heap_base") i32 (i32.const 1024))
  (func (export "count") (param $n i32) (result i32) (local $list i32) (local $p i32) (local $sum i32)
    (loop $push
      (if (local.get $n) (then
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (local.set $p (call $malloc (i32.add (i32.const 8) (i32.and (local.get $n) (i32.const 63)))))
        (i32.store (local.get $p) (local.get $list))
        (i32.store offset=4 (local.get $p) (local.get $n))
        (local.set $list (local.get $p))
        (br $push))))
    (loop $pop
      (if (local.get $list) (then
        (local.set $p (local.get $list))
        (local.set $sum (i32.add (local.get $sum) (i32.load offset=4 (local.get $p))))
        (local.set $list (i32.load (local.get $p)))
        (call $free (local.get $p))
        (br $pop))))
    (local.get $sum)))`;

/** Text to a module that every engine since 2022 runs. */
export function assemble(text: string): Uint8Array<ArrayBuffer> {
  const module = binaryen.parseText(text);
  try {
    const { Features } = binaryen;
    module.setFeatures(Features.BulkMemory | Features.BulkMemoryOpt | Features.MutableGlobals | Features.Atomics);
    if (!module.validate()) throw new Error("the program is not valid");
    return new Uint8Array(module.emitBinary());
  } finally {
    module.dispose();
  }
}
