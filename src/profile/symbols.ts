/**
 * What the functions of a module are called, and where their code comes from: names by byte offset in its file.
 *
 * Sources, the better first:
 *   DWARF        functions with their namespaces, the calls that were inlined, files, lines, columns
 *   source map   files, lines, columns
 *   names        the name section, then exports, then numbers: "wasm-function[12]"
 * DWARF may be in the module, or in a debug copy: the same module before it was stripped. A place that DWARF does not
 * have is taken from the source map.
 *
 * C++ needs no demangler: wasm-ld writes the name section demangled, and DWARF has the parts of a name. One that was
 * left mangled (wasm-ld --no-demangle) stays so. names.ts has what Rust and binaryen need.
 */
import { ToolError } from "../wasm/errors.js";
import { codeSection, inspect, type ModuleInfo } from "../wasm/parse.js";
import { Reader } from "../wasm/reader.js";
import { Dwarf, type DwarfFrame } from "./dwarf/dwarf.js";
import { Mappings } from "./mappings.js";
import { readableName } from "./names.js";
import { lastBefore } from "./search.js";
import type { SourceFrame, SymbolSource } from "./types.js";

export interface SymbolOptions {
  /** The module's source map: JSON, as text or bytes. */
  readonly sourceMap?: string | Uint8Array | undefined;
  /** The same module with its debug information, for one that was stripped. Its code has to be the same. */
  readonly debug?: Uint8Array | undefined;
}

/** Where names come from: what a message can tell a user who misses lines. */
export type SymbolKind = "dwarf" | "source-map" | "names" | "numbers";

export class Symbols implements SymbolSource {
  readonly #info: ModuleInfo;
  /** Offset of the code section's contents, which DWARF counts from. */
  readonly #code: number;
  readonly #names: ReadonlyMap<number, string>;
  readonly #dwarf: Dwarf | undefined;
  readonly #mappings: Mappings | undefined;
  /** Hexadecimal; undefined when the module has no section build_id. */
  readonly buildId: string | undefined;
  /** What the module says of its source map and of its debug copy: a path or URL beside it. */
  readonly sourceMappingURL: string | undefined;
  readonly debugFile: string | undefined;

  /**
   * Throws ToolError: what `inspect` of the tools throws for bytes that are no module; "source-map" for a map that is
   * none of wasm; "option" for a debug copy with other code. Damaged names and debug information are no error.
   */
  constructor(module: Uint8Array, options: SymbolOptions = {}) {
    const info = inspect(module);
    const debugInfo = options.debug === undefined ? undefined : debugCopy(module, info, options.debug);
    const debug = debugInfo === undefined ? module : options.debug!;
    const code = codeSection(info);
    this.#info = info;
    this.#code = code?.body ?? 0;
    this.#names = info.functionNames.size > 0 ? info.functionNames : (debugInfo ?? info).functionNames;
    const size = code === undefined ? 0 : code.end - code.body;
    this.#dwarf = Dwarf.of(debug, (debugInfo ?? info).sections, size) ?? Dwarf.of(module, info.sections, size);
    this.#mappings = options.sourceMap === undefined ? undefined : new Mappings(options.sourceMap);
    this.buildId = hexOf(module, info);
    this.sourceMappingURL = info.sourceMappingURL;
    this.debugFile = nameIn(module, info, "external_debug_info");
  }

  /** The best source that there is. */
  get kind(): SymbolKind {
    if (this.#dwarf !== undefined) return "dwarf";
    if (this.#mappings !== undefined) return "source-map";
    return this.#names.size > 0 ? "names" : "numbers";
  }

  frames(offset: number): readonly SourceFrame[] {
    const body = this.#bodyAt(offset);
    if (body < 0) return [];
    const index = this.#info.importedFunctions + body;
    const named = this.#named(index);
    const mapped = this.#mappings?.at(offset, this.#info.bodies[body]!.start);
    const found: DwarfFrame[] = this.#dwarf?.frames(offset - this.#code) ?? [];
    if (found.length === 0) return [{ ...named, ...mapped }];
    return found.map((frame, i) => {
      const known = i === found.length - 1 ? { ...named, ...frame } : { function: "(inlined function)", ...frame };
      return i === 0 && known.line === undefined ? { ...known, ...mapped } : known;
    });
  }

  functionFrames(index: number): readonly SourceFrame[] {
    const body = this.#info.bodies[index - this.#info.importedFunctions];
    if (body === undefined) return index < this.#info.importedFunctions ? [this.#named(index)] : [];
    // Where it begins, DWARF knows the function though no line of it
    const outer = this.#dwarf?.frames(body.start - this.#code).at(-1);
    const { line: _line, column: _column, inlined: _inlined, ...known } = outer ?? {};
    return [{ ...this.#named(index), ...known }];
  }

  /** Index among the bodies of the one that has an offset; -1: none. */
  #bodyAt(offset: number): number {
    const { bodies } = this.#info;
    const body = lastBefore(bodies.length, (i) => bodies[i]!.start <= offset);
    return body >= 0 && offset < bodies[body]!.end ? body : -1;
  }

  #named(index: number): { function: string; systemName?: string } {
    const raw = this.#names.get(index) ?? this.#external(index);
    if (raw === undefined || raw === "") return { function: `wasm-function[${index}]` };
    const name = readableName(raw);
    return name === raw ? { function: name } : { function: name, systemName: raw };
  }

  /** What a function without a name is exported or imported as. */
  #external(index: number): string | undefined {
    const { exports, imports } = this.#info;
    const of = ({ kind, index: other }: { kind: string; index: number }) => kind === "function" && other === index;
    return (exports.find(of) ?? imports.find(of))?.name;
  }
}

/** Checks that a debug copy has the module's code. */
function debugCopy(module: Uint8Array, info: ModuleInfo, debug: Uint8Array): ModuleInfo {
  const debugInfo = inspect(debug);
  const [own, other] = [codeSection(info), codeSection(debugInfo)];
  const same =
    own !== undefined &&
    other !== undefined &&
    own.end - own.body === other.end - other.body &&
    module.subarray(own.body, own.end).every((byte, i) => byte === debug[other.body + i]);
  if (same) return debugInfo;
  throw new ToolError(
    "option",
    "the debug copy has other code than the program: its lines would be wrong",
    "Give the file that the program was made of by stripping alone (wasm-strip, llvm-strip), or a build with the " +
      "debug information beside it (-gseparate-dwarf). For a program that was optimised or linked after that, give " +
      "the source map that the last tool wrote.",
  );
}

function customSection(module: Uint8Array, info: ModuleInfo, name: string): Reader | undefined {
  const section = info.sections.find((one) => one.name === name);
  return section === undefined ? undefined : new Reader(module, section.body, section.end);
}

/** The text that is all of a custom section. */
function nameIn(module: Uint8Array, info: ModuleInfo, section: string): string | undefined {
  try {
    return customSection(module, info, section)?.text();
  } catch {
    return undefined;
  }
}

function hexOf(module: Uint8Array, info: ModuleInfo): string | undefined {
  const reader = customSection(module, info, "build_id");
  try {
    const bytes = reader?.take(reader.u32());
    return bytes === undefined ? undefined : [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  } catch {
    return undefined;
  }
}
