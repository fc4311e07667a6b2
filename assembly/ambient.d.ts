/**
 * For editors only: names that asc knows and TypeScript does not. Constants of the command line (asc --use), and what the
 * compiler makes of a program.
 */
declare const GOMALLOC_HOST: i32;
declare const GOMALLOC_OBJECT: i32;
declare const GOMALLOC_PROFILE: i32;
declare const GOMALLOC_TEST: i32;
declare const GOMALLOC_SHARED: i32;
declare const GOMALLOC_CHECKMARK: i32;
declare const GOMALLOC_CLOBBERFREE: i32;
declare const GOMALLOC_GOGC: i32;
declare const GOMALLOC_GC_OFF: i32;
declare const GOMALLOC_MEMORY_LIMIT: i32;
declare const GOMALLOC_HEAP_MINIMUM: i32;
declare const ASC_GC_IDLEFACTOR: i32;
declare const ASC_RTRACE: i32;
declare const ASC_PROFILE: i32;

/** A program's own function, called with each object that is freed. */
declare function __finalize(ptr: usize): void;
/** Of rt-weak.ts, in programs that import it: called when all marks are made. */
declare function __gcMarked(): void;
/** The compiler's: the table of classes, and visitors of globals and of an object's references. */
declare const __rtti_base: usize;
declare function __visit_globals(cookie: u32): void;
declare function __visit_members(ptr: usize, cookie: u32): void;
