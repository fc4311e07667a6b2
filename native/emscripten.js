/**
 * For emcc: --js-library gomalloc/native/emscripten.js
 *
 * emcc wants a JavaScript function behind every function import, whatever module it comes from, and would stop at those
 * of gomalloc.c as undefined symbols. These are the names; the glue holds only the ones that a program imports. None is
 * ever called: `npx gomalloc link` resolves the imports, and a .wasm that was not linked does not instantiate.
 */
const names = [
  "init",
  "malloc",
  "free",
  "calloc",
  "realloc",
  "aligned_alloc",
  "posix_memalign",
  "malloc_usable_size",
  "free_sized",
  "malloc_trim",
  "mallopt",
  "memstats",
  "validate",
  "validateInfo",
  "gomalloc_thread_exit",
  "gomalloc_sync",
  "numPs",
];

function notLinked() {
  throw new Error("this module was not linked: npx gomalloc link");
}

mergeInto(LibraryManager.library, Object.fromEntries(names.map((name) => [name, notLinked])));
