/** Which functions are the allocator's own: a profile begins at their caller. */
import type { SourceFrame } from "./types.js";

/** Functions that programs call for memory, by their plain names. */
const ENTRIES: ReadonlySet<string> = new Set([
  ...["malloc", "calloc", "realloc", "reallocarray", "free", "aligned_alloc", "memalign", "posix_memalign"],
  ...["valloc", "pvalloc", "malloc_usable_size", "dlmalloc", "__libc_malloc", "__libc_calloc", "__libc_realloc"],
  ...["emscripten_builtin_malloc", "emscripten_builtin_calloc", "emscripten_builtin_realloc"],
  ...["emscripten_builtin_memalign", "__libcpp_operator_new", "__new", "__renew"],
  ...["__rust_alloc", "__rust_alloc_zeroed", "__rust_realloc", "exchange_malloc"],
]);

const PATTERNS: readonly RegExp[] = [
  // gomalloc's, linked into a program or compiled with it, and what its C API exports
  /(^|\/)assembly\/(base|heap|central|alloc|gc|check|abi)\//,
  /(^|\/)gomalloc\//,
  /^gomalloc_/,
  // C++: operator new, plain and mangled
  /^operator new(\[\])?($|\()/,
  /^_Zn[wa]/,
  // Rust: what alloc::alloc calls, and the allocators behind it
  /^__r(g|dl|ust)_/,
  /^(<)?(alloc|std)::alloc::/,
  /^std::sys::(.*::)?alloc::/,
  // AssemblyScript's runtime, and heap.alloc
  /^~lib\/rt\//,
  /^~lib\/memory\/heap\./,
];

/** Files of AssemblyScript's library that are of the runtime: a program without names has them in its source map. */
const FILES = /(^|\/)~lib\/(rt|gomalloc\/assembly)\//;

/** Whether a frame is of an allocator, by its name or by its file. */
export function isAllocator(frame: SourceFrame): boolean {
  const { function: name, systemName, file } = frame;
  if (file !== undefined && FILES.test(file)) return true;
  const known = (text: string) => ENTRIES.has(text) || PATTERNS.some((pattern) => pattern.test(text));
  return known(name) || (systemName !== undefined && known(systemName));
}
