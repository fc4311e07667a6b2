/**
 * A source map of what DWARF says about lines. Tools that move code, such as `gomalloc link` and wasm-opt, carry source
 * maps along and drop DWARF: a program that was compiled with -g keeps its lines by this. Functions that were inlined by
 * the compiler have their own lines, without the calls. O(the line tables).
 */
import { codeSection, inspect } from "../wasm/parse.js";
import { encodeVlq } from "../wasm/sourcemap.js";
import { Dwarf } from "./dwarf/dwarf.js";

/** JSON; undefined for a module without debug information. Throws ToolError for bytes that are no module. */
export function sourceMapOf(module: Uint8Array): string | undefined {
  const info = inspect(module);
  const code = codeSection(info);
  const dwarf = code && Dwarf.of(module, info.sections, code.end - code.body);
  if (code === undefined || dwarf === undefined) return undefined;
  const sources = new Map<string, number>();
  const rows = [...dwarf.rows()].sort((a, b) => a.address - b.address);
  const segments: string[] = [];
  const before = { offset: 0, source: 0, line: 0, column: 0 };
  // What holds at an address is the last row for it; one that says what the one before did adds nothing
  let said = "";
  for (const [i, { address, file, line, column }] of rows.entries()) {
    if (rows[i + 1]?.address === address) continue;
    const known = file !== undefined && line > 0;
    const says = known ? `${file}:${line}:${column}` : "";
    if (says === said) continue;
    said = says;
    const offset = code.body + address;
    let segment = encodeVlq(offset - before.offset);
    before.offset = offset;
    if (known) {
      const source = sources.get(file) ?? sources.size;
      sources.set(file, source);
      // Columns count from 0 here, and DWARF's 0 is an unknown one
      const at = Math.max(0, column - 1);
      segment += encodeVlq(source - before.source) + encodeVlq(line - 1 - before.line) + encodeVlq(at - before.column);
      Object.assign(before, { source, line: line - 1, column: at });
    }
    segments.push(segment);
  }
  return JSON.stringify({ version: 3, sources: [...sources.keys()], names: [], mappings: segments.join(",") });
}
