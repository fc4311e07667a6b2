/**
 * The allocator under test, as the driver sees it: the C malloc family, imported from the module `alloc`.
 *
 * wasm-merge resolves these imports to the exports of one allocator, so that after merging a call here is a
 * direct call, open to inlining. The optimiser is given the same flags whichever allocator it is.
 */

@external("alloc", "malloc")
export declare function malloc(size: usize): usize;

@external("alloc", "free")
export declare function free(ptr: usize): void;

@external("alloc", "calloc")
export declare function calloc(count: usize, size: usize): usize;

@external("alloc", "realloc")
export declare function realloc(ptr: usize, size: usize): usize;

@external("alloc", "aligned_alloc")
export declare function aligned_alloc(align: usize, size: usize): usize;
