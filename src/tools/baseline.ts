/**
 * V8's baseline compiler alone, for compilers that are WebAssembly themselves: binaryen, asc, clang. V8 would spend
 * more time to optimise one of them than it needs for a small input; their output is the same.
 */

/**
 * Options of a Node that runs such a tool. The flag is set by a module, not on the command line: a Node that does not
 * know it would not start.
 */
export const BASELINE: readonly string[] = [
  "--import",
  "data:text/javascript,import v8 from 'node:v8';v8.setFlagsFromString('--liftoff-only');",
];
