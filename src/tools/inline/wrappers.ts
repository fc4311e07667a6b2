/**
 * Thin wrappers: short functions whose only call is that of one imported function of their own type, as a shim's
 * `malloc` is that calls gomalloc's and sets errno when it gives NULL. Inlining the allocator into such a function
 * helps nobody unless the function itself is inlined where it is called. Cost: a look at every body of at most MAX_SIZE
 * bytes.
 *
 * Gain: without the hints for them Lua (binary trees) and cJSON (small documents) take 1.02x of the processor time, and
 * their modules are 0.2 and 5 % smaller (measured as in pointers.ts). crowds.ts counts their calls too: without that,
 * binaryen inlines them by itself, and vscode-oniguruma gets as long as without any budget.
 */
import { sameType } from "../../base/family.js";
import { IGNORE, walkIfKnown } from "../../wasm/instructions.js";
import type { ModuleInfo } from "../../wasm/parse.js";

/** Bytes of a body. Passing three parameters on takes 10, a test for NULL with a store to errno some 20 more. */
const MAX_SIZE = 48;

/** The functions that wrap one of the imported functions `targets`, each with the one that it wraps: indices. */
export function thinWrappers(bytes: Uint8Array, info: ModuleInfo, targets: ReadonlySet<number>): Map<number, number> {
  const found = new Map<number, number>();
  for (const [i, { start, end }] of info.bodies.entries()) {
    if (end - start > MAX_SIZE) continue;
    const index = info.importedFunctions + i;
    const [callee, ...more] = directCalls(bytes, start, end, info) ?? [];
    if (callee === undefined || more.length > 0 || !targets.has(callee)) continue;
    const [own, other] = [info.functions[index], info.functions[callee]];
    if (own && other && sameType(own, other)) found.set(index, callee);
  }
  return found;
}

/** The functions that a body calls; undefined when it makes other calls too, or has instructions that are not known. */
function directCalls(bytes: Uint8Array, start: number, end: number, info: ModuleInfo): number[] | undefined {
  const calls: number[] = [];
  let others = false;
  const known = walkIfKnown(bytes, start, end, info, {
    ...IGNORE,
    call: (callee) => calls.push(callee),
    indirectCall: () => {
      others = true;
    },
  });
  return known && !others ? calls : undefined;
}
