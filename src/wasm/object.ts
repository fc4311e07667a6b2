/**
 * A built module as an object file: what wasm-ld and every linker like it take, and compilers write.
 *
 *   functions   each export is a global symbol, under all its names; the rest are local symbols, named as in the name section
 *   imports     functions are symbols that are missing; so are globals, which stand for addresses (see below)
 *   globals     local symbols
 *   code        each index of a function or a global is five bytes long and has a relocation
 *   memory      is imported as linkers do it, env.__linear_memory
 *
 * An imported global that is an unchangeable i32 is the address of the data symbol of its name: whoever reads it gets a
 * constant that the linker fills in.
 *
 * The format is version 2 of the tool conventions' object files (WebAssembly/tool-conventions, Linking). Invariant:
 * the module has no table, element, data or start of its own. Cost: linear in the module.
 */
import { concat, concatAll, encodeName, encodeS32, encodeU32, vector } from "./edit.js";
import { IGNORE, walk } from "./instructions.js";
import { inspect, type ModuleInfo, SECTION } from "./parse.js";

export interface ObjectOptions {
  /** More names of an export's function. An export that has none keeps its own name alone. */
  readonly names: Readonly<Record<string, readonly string[]>>;
  /** How a local symbol is called, from its name in the name section. */
  readonly local: (name: string) => string;
  /** As linkers know them: "bulk-memory", "atomics". The linked program is marked as using them. */
  readonly features: readonly string[];
  /** A custom section of that name goes into the linked program, whatever optimisers make of the code. */
  readonly mark: string;
}

const RELOCATION = { functionIndex: 0, address: 4, globalIndex: 7 } as const;
const SYMBOL = { function: 0, data: 1, global: 2 } as const;
const FLAG = { local: 2, undefined: 0x10 } as const;
const GLOBAL_GET = 0x23;
const I32_CONST = 0x41;
const VERSION = 2;
const SYMBOL_TABLE = 8;

interface Relocation {
  readonly type: number;
  /** From the beginning of the code section's contents. */
  readonly at: number;
  readonly symbol: number;
}

/** The object file of a module. Throws an Error when the module has what an object of ours must not have. */
export function toObject(module: Uint8Array, options: ObjectOptions): Uint8Array<ArrayBuffer> {
  const info = inspect(module);
  const symbols = new Symbols(info, options);
  const code = relocate(module, info, symbols);

  const imports = info.imports.filter(({ kind }) => kind !== "global").map((entry) => importOf(module, entry));
  const globals = info.sections.find(({ id }) => id === SECTION.global);
  const parts: [id: number, contents: Uint8Array][] = [
    [SECTION.type, sectionOf(module, info, SECTION.type)],
    [SECTION.import, vector(imports)],
    [SECTION.function, sectionOf(module, info, SECTION.function)],
    ...(globals === undefined
      ? []
      : [[SECTION.global, sectionOf(module, info, SECTION.global)] as [number, Uint8Array]]),
    [SECTION.code, code.contents],
  ];
  const codeIndex = parts.length - 1;
  parts.push(
    [SECTION.custom, linking(symbols)],
    [SECTION.custom, relocations(codeIndex, code.relocations)],
    [SECTION.custom, targetFeatures(options.features)],
    // Linkers drop an empty one.
    [SECTION.custom, concat(encodeName(options.mark), encodeName("libgomalloc.a"))],
  );
  const header = module.subarray(0, 8);
  return concatAll([header, ...parts.map(([id, contents]) => concat(Uint8Array.of(id), sized(contents)))]);
}

function sized(contents: Uint8Array): Uint8Array {
  return concat(encodeU32(contents.length), contents);
}

function sectionOf(module: Uint8Array, info: ModuleInfo, id: number): Uint8Array {
  const section = info.sections.find((candidate) => candidate.id === id);
  if (section === undefined) throw new Error(`the module has no section ${id}`);
  return module.subarray(section.body, section.end);
}

function importOf(module: Uint8Array, entry: ModuleInfo["imports"][number]): Uint8Array {
  const { kind, name, start, end } = entry;
  if (kind === "function") return module.subarray(start, end);
  if (kind !== "memory") throw new Error(`the module imports the ${kind} ${name}`);
  // The linker decides on the memory's limits, and whether it is shared.
  return concat(encodeName("env"), encodeName("__linear_memory"), Uint8Array.of(2, 0, 0));
}

/** The symbol table: functions, then globals, then addresses. */
class Symbols {
  readonly entries: Uint8Array[] = [];
  readonly #functions: number[] = [];
  /** Symbols by index of a global of the module; those of addresses among them. */
  readonly #globals: number[] = [];
  readonly #addresses: ReadonlySet<number>;

  constructor(info: ModuleInfo, options: ObjectOptions) {
    const imported = info.imports.filter(({ kind }) => kind === "function");
    for (const { index } of imported)
      this.#functions[index] = this.#add(symbol(SYMBOL.function, FLAG.undefined, index));
    for (let index = info.importedFunctions; index < info.functions.length; index++) {
      const own = info.exports.filter((entry) => entry.kind === "function" && entry.index === index);
      const names = own.flatMap(({ name }) => [name, ...(options.names[name] ?? [])]);
      const name = options.local(info.functionNames.get(index) ?? `function${index}`);
      this.#functions[index] = this.entries.length;
      if (names.length === 0) this.#add(symbol(SYMBOL.function, FLAG.local, index, name));
      for (const each of names) this.#add(symbol(SYMBOL.function, 0, index, each));
    }
    this.#addresses = new Set(info.globals.flatMap(({ imported }, i) => (imported === undefined ? [] : [i])));
    for (const [i, { imported, mutable, type }] of info.globals.entries()) {
      if (imported === undefined) {
        const name = options.local(info.globalNames.get(i) ?? `global${i}`);
        const index = i - this.#addresses.size;
        this.#globals[i] = this.#add(symbol(SYMBOL.global, FLAG.local, index, name));
      } else {
        if (mutable || type !== "i32") throw new Error(`the imported global ${imported.name} is no address`);
        this.#globals[i] = this.#add(concat(Uint8Array.of(SYMBOL.data, FLAG.undefined), encodeName(imported.name)));
      }
    }
  }

  #add(entry: Uint8Array): number {
    return this.entries.push(entry) - 1;
  }

  functionAt(index: number): number {
    return this.#functions[index]!;
  }

  globalAt(index: number): number {
    return this.#globals[index]!;
  }

  isAddress(global: number): boolean {
    return this.#addresses.has(global);
  }

  /** The index of a global in the object, whose imported ones are gone. */
  ownGlobal(index: number): number {
    return index - this.#addresses.size;
  }
}

function symbol(kind: number, flags: number, index: number, name?: string): Uint8Array {
  const head = concat(Uint8Array.of(kind), encodeU32(flags), encodeU32(index));
  return name === undefined ? head : concat(head, encodeName(name));
}

/** The code section with indices that a linker can overwrite. */
function relocate(
  module: Uint8Array,
  info: ModuleInfo,
  symbols: Symbols,
): { contents: Uint8Array; relocations: Relocation[] } {
  const relocated: Relocation[] = [];
  const parts: Uint8Array[] = [encodeU32(info.bodies.length)];
  let size = parts[0]!.length;
  for (const { start, end } of info.bodies) {
    const pieces: Uint8Array[] = [];
    const inside: Relocation[] = [];
    let from = start;
    let length = 0;
    const put = (to: number, bytes: Uint8Array, type: number, symbol: number, behind: number) => {
      const before = module.subarray(from, to);
      pieces.push(before, bytes);
      length += before.length + bytes.length;
      inside.push({ type, at: length - PADDED, symbol });
      from = behind;
    };
    walk(module, start, end, info, {
      ...IGNORE,
      linkedIndex: (kind, index, at, behind) => {
        if (kind === "type") throw new Error("the module has a block or an indirect call of a type by its index");
        if (kind === "function") {
          put(at, padded(index), RELOCATION.functionIndex, symbols.functionAt(index), behind);
        } else if (symbols.isAddress(index)) {
          if (module[at - 1] !== GLOBAL_GET) throw new Error("the module writes to an address of the linker");
          const constant = concat(Uint8Array.of(I32_CONST), padded(0));
          put(at - 1, constant, RELOCATION.address, symbols.globalAt(index), behind);
        } else {
          put(at, padded(symbols.ownGlobal(index)), RELOCATION.globalIndex, symbols.globalAt(index), behind);
        }
      },
    });
    pieces.push(module.subarray(from, end));
    const body = concatAll(pieces);
    const head = encodeU32(body.length);
    for (const { at, ...rest } of inside) relocated.push({ ...rest, at: size + head.length + at });
    parts.push(head, body);
    size += head.length + body.length;
  }
  return { contents: concatAll(parts), relocations: relocated };
}

/** Bytes of a number that a linker overwrites. */
const PADDED = 5;

/** LEB128 of a number below 2^28, in five bytes: the same signed and unsigned. */
function padded(value: number): Uint8Array {
  const groups = [0, 7, 14, 21, 28].map((shift) => (value >>> shift) & 0x7f);
  return Uint8Array.from(groups, (group, i) => (i < PADDED - 1 ? group | 0x80 : group));
}

function linking(symbols: Symbols): Uint8Array {
  const table = vector(symbols.entries);
  return concat(encodeName("linking"), encodeU32(VERSION), Uint8Array.of(SYMBOL_TABLE), sized(table));
}

function relocations(section: number, list: readonly Relocation[]): Uint8Array {
  const entries = list.map(({ type, at, symbol }) =>
    concat(
      Uint8Array.of(type),
      encodeU32(at),
      encodeU32(symbol),
      type === RELOCATION.address ? encodeS32(0) : new Uint8Array(),
    ),
  );
  return concat(encodeName("reloc.CODE"), encodeU32(section), vector(entries));
}

function targetFeatures(features: readonly string[]): Uint8Array {
  const USED = 0x2b;
  return concat(
    encodeName("target_features"),
    vector(features.map((name) => concat(Uint8Array.of(USED), encodeName(name)))),
  );
}
