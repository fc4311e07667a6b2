/**
 * What a link accepts: every property of a program's module that gomalloc cannot work with is refused here, before
 * anything is changed, with what to do about it.
 */
import { ToolError } from "../wasm/errors.js";
import type { MemoryInfo, ModuleInfo } from "../wasm/parse.js";

/** What the tools name things of their own by, in a program's imports, exports and functions. */
const RESERVED = ["gomalloc-link:", "gomalloc:"];

/** Throws ToolError "malformed" for a program that has names which the tools need for themselves. */
function refuseReserved({ imports, exports, functionNames }: ModuleInfo): void {
  const names = [...imports.map(({ module }) => module), ...exports.map(({ name }) => name), ...functionNames.values()];
  const taken = names.find((name) => RESERVED.some((prefix) => name.startsWith(prefix)));
  if (taken === undefined) return;
  throw new ToolError(
    "malformed",
    `the module uses the name ${taken}`,
    `Rename it: names that begin with ${RESERVED.join(" or ")} are for the tools alone.`,
  );
}

/** The program's one memory, or a ToolError: side-module, object-file, no-memory, several-memories, memory64, ... */
export function acceptProgram(info: ModuleInfo): MemoryInfo {
  if (info.dylink) {
    throw new ToolError(
      "side-module",
      "the module is a shared library (it has a dylink section): where its data lies is known at run time only",
      "Link it statically: no -shared, -fPIC, -sSIDE_MODULE or -sMAIN_MODULE.",
    );
  }
  if (info.object) {
    throw new ToolError(
      "object-file",
      "the file is an object file (it has a linking section), not a program",
      "Run the linker first, without -c and -r, and give the .wasm that it writes.",
    );
  }
  const [memory, ...more] = info.memories;
  if (memory === undefined) {
    throw new ToolError(
      "no-memory",
      "the module has no memory for a heap to be in",
      "Define one in the module or import one; modules of garbage-collected languages need no malloc.",
    );
  }
  if (more.length > 0) {
    throw new ToolError(
      "several-memories",
      `the module has ${info.memories.length} memories`,
      "Lower them to one first: wasm-opt --enable-multimemory --multi-memory-lowering in.wasm -o out.wasm.",
    );
  }
  if (memory.is64) {
    throw new ToolError(
      "memory64",
      "the module's memory has 64-bit addresses",
      "Compile for wasm32: no -m64, --target=wasm64 or -sMEMORY64.",
    );
  }
  if (memory.pageSize !== 65536) {
    throw new ToolError(
      "page-size",
      `the module's memory has pages of ${memory.pageSize} bytes`,
      "Build it with the standard pages of 64 KiB: no --page-size for the linker, no (pagesize ...) in text.",
    );
  }
  refuseReserved(info);
  return memory;
}
