/**
 * The errors of the host API. Each has a `code` that survives minification and several copies of the package in one
 * program. A size, alignment or option out of range is a plain RangeError; everything else is a GomallocError.
 */

/** Base of every error that is about the heap rather than about an argument's range. */
export abstract class GomallocError extends Error {
  abstract readonly code: string;
}

/** The heap could not obtain the memory: the memory's maximum, the option maxBytes or the 4 GiB are reached. */
export class OutOfMemoryError extends GomallocError {
  override readonly name = "OutOfMemoryError";
  readonly code = "ERR_OUT_OF_MEMORY";

  constructor(
    /** The bytes asked for; for calloc the product, which may be above 2^32. */
    readonly size: number,
    options?: ErrorOptions,
  ) {
    super(`out of memory: ${size} bytes asked for`, options);
  }
}

/** What is wrong with a pointer given to free or realloc. */
export type MisuseKind =
  /** The block is free already, or its slot was never given out. */
  | "double-free"
  /** No block of this heap lies there. */
  | "foreign-pointer"
  /** The pointer points into a block, not at its start. */
  | "interior-pointer"
  /** A small pointer-free object of mallocgc, which shares its block with others and has no free of its own. */
  | "tiny-block";

const MISUSE_KINDS: readonly MisuseKind[] = ["double-free", "foreign-pointer", "interior-pointer", "tiny-block"];

const MISUSE_TEXT: Record<MisuseKind, string> = {
  "double-free": "the block is free already or was never given out",
  "foreign-pointer": "no block of this heap lies there",
  "interior-pointer": "the address is inside a block, not at its start",
  "tiny-block": "the object shares a 16-byte block with others and cannot be freed by hand",
};

/** A pointer that cannot be freed or reallocated. The call changed nothing; the heap is intact. */
export class MisuseError extends GomallocError {
  override readonly name = "MisuseError";
  readonly code = "ERR_MISUSE";

  constructor(
    readonly kind: MisuseKind,
    /** The address given, unsigned. */
    readonly address: number,
    /** The call that was misused. */
    readonly operation: "free" | "realloc",
  ) {
    super(`${operation}(${hex(address)}): ${MISUSE_TEXT[kind]}`);
  }
}

/** The name of a kind as wasm numbers it, 1 to 4. */
export function misuseKind(kind: number): MisuseKind {
  const name = MISUSE_KINDS[kind - 1];
  if (name === undefined) throw new ModuleLoadError(`the module reports misuse of unknown kind ${kind}`);
  return name;
}

/** validate() found an invariant of the heap broken: memory of the heap's own was overwritten, or the heap has a bug. */
export class InvariantError extends GomallocError {
  override readonly name = "InvariantError";
  readonly code = "ERR_INVARIANT";

  constructor(
    /** Number of the invariant in INVARIANTS. */
    readonly invariant: number,
    /** What should have held. */
    readonly description: string,
    /** The address concerned, of a span, a page or a group; for rows and accounts the number in question. */
    readonly address: number,
  ) {
    super(`invariant ${invariant} broken at ${hex(address)}: ${description}`);
  }
}

/** The heap was disposed of. */
export class HeapDisposedError extends GomallocError {
  override readonly name = "HeapDisposedError";
  readonly code = "ERR_HEAP_DISPOSED";

  constructor() {
    super("the heap was disposed of");
  }
}

/** The wasm given to createHeap or createHeapAsync could not be loaded, or is not gomalloc's host flavour. */
export class ModuleLoadError extends GomallocError {
  override readonly name = "ModuleLoadError";
  readonly code = "ERR_MODULE_LOAD";
}

function hex(address: number): string {
  return `0x${address.toString(16)}`;
}
