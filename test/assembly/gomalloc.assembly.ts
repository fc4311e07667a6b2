/**
 * The allocator as a test program in wasm sees it: imports of a module named gomalloc, which wasm-merge joins. What a
 * program does not call is not imported, so that the plain malloc flavour serves one that keeps to the C names.
 */

@external("gomalloc", "malloc")
export declare function malloc(size: u32): u32;
@external("gomalloc", "free")
export declare function free(p: u32): void;
@external("gomalloc", "calloc")
export declare function calloc(count: u32, size: u32): u32;
@external("gomalloc", "realloc")
export declare function realloc(p: u32, size: u32): u32;
@external("gomalloc", "aligned_alloc")
export declare function aligned_alloc(align: u32, size: u32): u32;
@external("gomalloc", "memalign")
export declare function memalign(align: u32, size: u32): u32;
@external("gomalloc", "posix_memalign")
export declare function posix_memalign(out: u32, align: u32, size: u32): i32;
@external("gomalloc", "malloc_usable_size")
export declare function malloc_usable_size(p: u32): u32;
@external("gomalloc", "mallocgc")
export declare function mallocgc(size: u32, scan: i32, needzero: i32): u32;
@external("gomalloc", "tryFree")
export declare function tryFree(p: u32): i32;
@external("gomalloc", "tryRealloc")
export declare function tryRealloc(p: u32, size: u32): u32;
@external("gomalloc", "lastMisuse")
export declare function lastMisuse(): i32;
@external("gomalloc", "objectBase")
export declare function objectBase(p: u32): u32;
@external("gomalloc", "validateDeep")
export declare function validateDeep(): u32;
@external("gomalloc", "releaseAll")
export declare function releaseAll(): void;
