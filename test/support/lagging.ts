/**
 * A module as on an engine that is late to hear of other threads' growth, whatever this one does.
 *
 * Each instance has a size of its own for the memory: what the memory had when the instance was made, and after each
 * memory.grow of the instance what it has then. memory.size gives that size, and memory.fill, memory.copy, memory.init
 * and atomics beyond it trap, in a function named `$late`. Loads and stores do not, as in V8. So instances of one thread
 * show in any order, each time, what real threads show once in many runs.
 *
 * The module is rewritten as text: binaryen prints it in folded form, and takes it back. Cost: a second a flavour.
 */
import binaryen from "binaryen";

/** What the modules use. With all features binaryen writes imported functions in a form that engines do not read yet. */
const F = binaryen.Features;
const FEATURES = F.Atomics | F.BulkMemory | F.BulkMemoryOpt | F.MutableGlobals | F.NontrappingFPToInt | F.SignExt;

const INSTRUCTION =
  /\((memory\.(?:size|grow|fill|copy|init)|(?:i32|i64|memory)\.atomic\.[\w.]+)((?: offset=\d+| align=\d+)*)( \$[^\s()]+)?/g;

/** Exported global of a lagging module: the pages that the instance sees. */
export const SEEN = "seen";

/** What an instance is made with besides its memory. */
export function lagImports(memory: WebAssembly.Memory): { lag: { pages: number } } {
  return { lag: { pages: memory.buffer.byteLength / 65536 } };
}

/** Bytes of the word that an atomic works on. */
function width(op: string): number {
  const bits = /(?:load|store|rmw|wait)(8|16|32|64)/.exec(op)?.[1];
  if (bits !== undefined) return Number(bits) / 8;
  return op.startsWith("i64") ? 8 : 4;
}

function signature(op: string): { params: string[]; result: string } {
  if (op.startsWith("memory.atomic")) {
    const params = op.endsWith("notify") ? ["i32", "i32"] : ["i32", op.endsWith("64") ? "i64" : "i32", "i64"];
    return { params, result: "i32" };
  }
  if (op.startsWith("memory")) return { params: ["i32", "i32", "i32"], result: "" };
  const type = op.slice(0, 3);
  if (op.includes(".load")) return { params: ["i32"], result: type };
  if (op.includes(".store")) return { params: ["i32", type], result: "" };
  return { params: ["i32", type, ...(op.includes("cmpxchg") ? [type] : [])], result: type };
}

const extended = (local: number) => `(i64.extend_i32_u (local.get ${local}))`;

/** Traps if the range that begins at a parameter ends beyond the size. */
function check(from: number, length: string): string {
  const size = "(i64.shl (i64.extend_i32_u (global.get $lag.seen)) (i64.const 16))";
  return `(if (i64.gt_u (i64.add ${extended(from)} ${length}) ${size}) (then (call $late)))`;
}

/** `wasm` with one memory. An instance is made with lagImports beside what it imports already. */
export function lagging(wasm: Uint8Array): WebAssembly.Module {
  binaryen.setDebugInfo(true);
  const source = binaryen.readBinary(wasm);
  source.setFeatures(FEATURES);
  const text = source.emitText();
  source.dispose();
  const functions = new Map<string, string>();
  const body = text.replaceAll(INSTRUCTION, (head, op: string, immediates: string, segment = "") => {
    if (op === "memory.size") return "(global.get $lag.seen";
    if (op === "memory.grow") return "(call $lag.grow";
    const known = functions.get(head)?.match(/\$lag\.\d+/)?.[0];
    if (known !== undefined) return `(call ${known}`;
    const name = `$lag.${functions.size}`;
    const { params, result } = signature(op);
    const gets = params.map((_, i) => `(local.get ${i})`).join(" ");
    const offset = /offset=(\d+)/.exec(immediates)?.[1] ?? "0";
    const checks = op.includes("atomic")
      ? check(0, `(i64.const ${Number(offset) + width(op)})`)
      : check(0, extended(2)) + (op === "memory.copy" ? check(1, extended(2)) : "");
    functions.set(
      head,
      `(func ${name} (param ${params.join(" ")})${result && ` (result ${result})`} ${checks}
        (${op}${immediates}${segment} ${gets}))`,
    );
    return `(call ${name}`;
  });
  const added = `
    (global $lag.seen (mut i32) (global.get $lag.pages))
    (export "${SEEN}" (global $lag.seen))
    (func $late (unreachable))
    (func $lag.grow (param i32) (result i32) (local $before i32)
      (local.set $before (memory.grow (local.get 0)))
      (global.set $lag.seen (memory.size))
      (local.get $before))
    ${[...functions.values()].join("\n")}`;
  const first = body.search(/\(import /);
  const imported = `${body.slice(0, first)}(import "lag" "pages" (global $lag.pages i32)) ${body.slice(first)}`;
  const module = binaryen.parseText(`${imported.slice(0, imported.lastIndexOf(")"))}${added})`);
  module.setFeatures(FEATURES);
  if (!module.validate()) throw new Error("the lagging module is not valid");
  const bytes = module.emitBinary();
  module.dispose();
  return new WebAssembly.Module(new Uint8Array(bytes));
}
