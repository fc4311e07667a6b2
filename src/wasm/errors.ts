/**
 * The one error of the tools: what is wrong with a module or a call, and what to do about it.
 *
 * Everything that a user's file or option can cause is a ToolError; any other exception is a bug of the tools.
 */

/** What went wrong. Stable: programs may switch on it. The table in docs/link.md says what each means. */
export type ToolErrorCode =
  // the file is not what the tools read
  | "empty"
  | "not-wasm"
  | "truncated"
  | "malformed"
  | "component"
  | "object-file"
  | "side-module"
  // the file's memory is not one that the allocator can share
  | "no-memory"
  | "several-memories"
  | "memory64"
  | "shared-memory"
  | "page-size"
  | "memory-maximum"
  // what the file imports and exports
  | "no-import"
  | "unknown-import"
  | "signature"
  | "flavour"
  | "heap-base"
  | "sbrk"
  // swap: which function is what, and whether all of it was found
  | "no-allocator"
  | "incomplete-family"
  | "inlined-allocator"
  | "unsure"
  // tools, files, options
  | "binaryen-missing"
  | "binaryen"
  | "allocator-missing"
  | "invalid-result"
  | "source-map"
  | "snapshot"
  | "program"
  | "server"
  | "option"
  | "file"
  | "internal";

/** What `link`, `swap` and `inspect` throw. `message` says what is wrong, `fix` what to do. */
export class ToolError extends Error {
  override readonly name = "ToolError";

  constructor(
    readonly code: ToolErrorCode,
    message: string,
    /** What to do about it: one imperative sentence or two, with the flag or command to use. */
    readonly fix: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What `check` gives; what it finds wrong with an argument is a ToolError "option" with this remedy. */
export function orToolError<T>(check: () => T, fix: string): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new ToolError("option", error.message, fix, { cause: error });
  }
}

/** Runs `work`: what it throws beside ToolErrors is a fault of the tools, and a ToolError "internal" that says so. */
export async function whole<T>(tool: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw cause instanceof ToolError ? cause : internalError(tool, cause);
  }
}

/** The error for what only a fault of the tools can have thrown. */
export function internalError(tool: string, cause: unknown): ToolError {
  return new ToolError(
    "internal",
    `${tool} failed in itself: ${cause instanceof Error ? cause.message : String(cause)}`,
    "Report it with the program: it is a fault of gomalloc, not of yours.",
    { cause },
  );
}
