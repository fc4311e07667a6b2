/**
 * What a module is made of, read from its sections: imports, exports, memories, start, globals, data segments, names.
 *
 * Nothing is decoded that the tools do not ask for; function bodies stay bytes. Every offset is from the start of the
 * file. Any bytes give a result or a ToolError: whether the module is valid beyond that is for the engine to say.
 * Damaged custom sections, which engines do not read, are passed over and named. One pass over the sections; cost
 * linear in the file's size without its code.
 */
import { ToolError } from "./errors.js";
import { malformed, Reader, truncated } from "./reader.js";
import { whatItIs } from "./sniff.js";

export type ExternKind = "function" | "table" | "memory" | "global" | "tag";
const KINDS: readonly ExternKind[] = ["function", "table", "memory", "global", "tag"];

/** The most parameters, and the most results, that engines allow a function; and the most pages of a memory. */
const MAX_VALUES = 1000;
const MAX_PAGES = 65536;

/** Numbers of the sections, in no particular order. */
export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;

/** The order of the sections in a file, by number. Each is there once at most. */
export const SECTION_ORDER: readonly number[] = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];

export interface Section {
  readonly id: number;
  /** Of custom sections. */
  readonly name?: string;
  /** Offset of the section's first byte, its number. */
  readonly start: number;
  /** Offset of its contents; for custom sections behind the name. */
  readonly body: number;
  readonly end: number;
}

/** Parameters and results as the text format spells them; a reference type beyond funcref and externref is "ref". */
export interface FunctionType {
  readonly params: readonly string[];
  readonly results: readonly string[];
}

export interface MemoryInfo {
  /** In pages of 64 KiB, or of `pageSize` bytes. */
  readonly initial: number;
  readonly maximum?: number;
  readonly shared: boolean;
  readonly is64: boolean;
  /** 65536 but for modules of the custom-page-sizes proposal. */
  readonly pageSize: number;
  /** Where it is imported from, if it is. */
  readonly imported?: { readonly module: string; readonly name: string };
  /** Offsets of its limits in the file. */
  readonly start: number;
  readonly end: number;
}

export interface ImportInfo {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternKind;
  /** Index in the index space of its kind. */
  readonly index: number;
  /** Of functions. */
  readonly type?: FunctionType;
  /** Offsets of the whole entry and of its description, which follows the names. */
  readonly start: number;
  readonly description: number;
  readonly end: number;
}

export interface ExportInfo {
  readonly name: string;
  readonly kind: ExternKind;
  readonly index: number;
}

export interface GlobalInfo {
  readonly type: string;
  readonly mutable: boolean;
  /** The initial value when it is a plain i32 constant, unsigned. */
  readonly value?: number;
  /** Functions that the initial value refers to. */
  readonly functions: readonly number[];
  readonly imported?: { readonly module: string; readonly name: string };
}

export interface DataSegment {
  /** Passive segments have no place of their own. */
  readonly active: boolean;
  /** First address, when the segment is active and its offset is a plain i32 constant. */
  readonly offset?: number;
  /** Where its bytes are in the file. */
  readonly start: number;
  readonly size: number;
}

/** Functions for the slots of a table, from `offset` on. */
export interface ElementSegment {
  readonly table: number;
  /** Passive and declarative segments have no place of their own. */
  readonly active: boolean;
  /** First slot, when the segment is active and its offset is a plain i32 constant. */
  readonly offset?: number;
  /** Their indices; undefined for null and what else is no plain reference to a function. */
  readonly functions: readonly (number | undefined)[];
}

/** Offsets of one function's body in the code section, its size not included. */
export interface Body {
  readonly start: number;
  readonly end: number;
}

export interface ModuleInfo {
  readonly size: number;
  readonly sections: readonly Section[];
  /** By type index; undefined for struct, array and continuation types. */
  readonly types: readonly (FunctionType | undefined)[];
  readonly imports: readonly ImportInfo[];
  readonly exports: readonly ExportInfo[];
  /** In index order, imported ones first, as in the three lists below. */
  readonly memories: readonly MemoryInfo[];
  readonly globals: readonly GlobalInfo[];
  /** Type of every function, imported ones first. */
  readonly functions: readonly (FunctionType | undefined)[];
  readonly importedFunctions: number;
  /** Bodies of the functions that are not imported: the first is function number `importedFunctions`. */
  readonly bodies: readonly Body[];
  /** Index of the start function. */
  readonly start?: number;
  readonly data: readonly DataSegment[];
  readonly elements: readonly ElementSegment[];
  readonly functionNames: ReadonlyMap<number, string>;
  readonly globalNames: ReadonlyMap<number, string>;
  /** Has a name section at all. */
  readonly named: boolean;
  /** A shared library of the dynamic-linking convention (sections dylink.0, dylink). */
  readonly dylink: boolean;
  /** An object file that a linker has yet to link (section linking). */
  readonly object: boolean;
  /** Uses types of the GC proposal in its type section. */
  readonly gc: boolean;
  /** Computes constants of globals or segments, which not every engine of today can. */
  readonly extendedConst: boolean;
  /** Names of custom sections that could not be read. */
  readonly damaged: readonly string[];
  /** Features that the target_features section names, without their sign; undefined when there is no such section. */
  readonly targetFeatures?: readonly string[];
  /** Of the section sourceMappingURL. */
  readonly sourceMappingURL?: string;
  /** What the section producers says of languages and compilers: "Rust", "Go cmd/compile go1.24". */
  readonly producers: readonly string[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

/**
 * Reads a module. Throws ToolError: empty, not-wasm, component, truncated, malformed. What the tools cannot work with
 * though it is a module (memory64, object files and so on) is not refused here.
 */
export function inspect(bytes: Uint8Array): ModuleInfo {
  checkHeader(bytes);
  const functionNames = new Map<number, string>();
  const globalNames = new Map<number, string>();
  const info: Mutable<ModuleInfo> = {
    size: bytes.length,
    sections: [],
    types: [],
    imports: [],
    exports: [],
    memories: [],
    globals: [],
    functions: [],
    importedFunctions: 0,
    bodies: [],
    data: [],
    elements: [],
    functionNames,
    globalNames,
    named: false,
    dylink: false,
    object: false,
    gc: false,
    extendedConst: false,
    damaged: [],
    producers: [],
  };
  const reader = new Reader(bytes, 8);
  let place = -1;
  while (!reader.done) {
    const start = reader.at;
    const id = reader.byte();
    const body = reader.sub(reader.u32());
    if (id === SECTION.custom) {
      const name = body.name();
      info.sections.push({ id, name, start, body: body.at, end: body.end });
      readCustom(name, body, info, functionNames, globalNames);
    } else {
      if (id > SECTION.tag) throw malformed(start, `a section of unknown number ${id}`);
      if (SECTION_ORDER.indexOf(id) <= place) throw malformed(start, `section ${id} twice, or in the wrong order,`);
      place = SECTION_ORDER.indexOf(id);
      info.sections.push({ id, start, body: body.at, end: body.end });
      const read = READERS[id];
      if (read === undefined) continue;
      read(body, info);
      if (!body.done) throw malformed(body.at, `bytes left over in section ${id}`);
    }
  }
  const defined = info.functions.length - info.importedFunctions;
  if (info.bodies.length !== defined) {
    throw malformed(bytes.length, `${defined} functions but ${info.bodies.length} bodies`);
  }
  return info;
}

const READERS: Record<number, (r: Reader, info: Mutable<ModuleInfo>) => void> = {
  [SECTION.type]: readTypes,
  [SECTION.import]: readImports,
  [SECTION.function]: (r, info) => each(r, () => info.functions.push(readTypeOf(r, info))),
  [SECTION.memory]: (r, info) => each(r, () => info.memories.push(readMemory(r))),
  [SECTION.global]: (r, info) =>
    each(r, () => {
      const type = { ...readGlobalType(r) };
      const { value, functions } = readConstant(r, info);
      info.globals.push(value === undefined ? { ...type, functions } : { ...type, value, functions });
    }),
  [SECTION.export]: (r, info) =>
    each(r, () => info.exports.push({ name: r.name(), kind: readKind(r), index: r.u32() })),
  [SECTION.start]: (r, info) => {
    info.start = r.u32();
  },
  [SECTION.element]: (r, info) => each(r, () => info.elements.push(readElements(r, info))),
  [SECTION.code]: (r, info) =>
    each(r, () => {
      const { at: start, end } = r.sub(r.u32());
      info.bodies.push({ start, end });
    }),
  [SECTION.data]: (r, info) => each(r, () => info.data.push(readData(r, info))),
};

function each(r: Reader, read: () => void): void {
  for (let left = r.count(); left > 0; left--) read();
}

function readTypeOf(r: Reader, info: Mutable<ModuleInfo>): FunctionType | undefined {
  const at = r.at;
  const index = r.u32();
  if (index >= info.types.length) throw malformed(at, `a function of type ${index}, which is not there,`);
  return info.types[index];
}

/** What the first bytes say when they are not a module's. */
function checkHeader(bytes: Uint8Array): void {
  if (!ArrayBuffer.isView(bytes) || !(bytes instanceof Uint8Array)) {
    throw new ToolError(
      "not-wasm",
      "the program must be a Uint8Array with a module's bytes",
      "Read the file with readFile of node:fs/promises, without an encoding, and pass what it gives.",
    );
  }
  if (bytes.length === 0) {
    throw new ToolError("empty", "the file is empty", "Build the module again; its compiler wrote nothing.");
  }
  const magic = [0, 0x61, 0x73, 0x6d];
  const head = bytes.subarray(0, 4);
  if (head.some((byte, i) => byte !== magic[i])) {
    const { what, fix } = whatItIs(bytes);
    throw new ToolError("not-wasm", `the file is not a WebAssembly module but ${what}`, fix);
  }
  if (bytes.length < 8) throw truncated(bytes.length);
  const [v0, v1, layer] = [bytes[4], bytes[5], bytes[6]! | (bytes[7]! << 8)];
  if (layer === 1) {
    throw new ToolError(
      "component",
      "the file is a component, not a core module",
      "Link the core module before it is made a component, for instance before `wasm-tools component new` or with a " +
        "target like wasm32-wasip1.",
    );
  }
  if (v0 !== 1 || v1 !== 0 || layer !== 0) throw malformed(4, "a version other than 1");
}

/** Those that are one byte and always the same type. */
export const VALUE_TYPES: Record<number, string> = {
  127: "i32",
  126: "i64",
  125: "f32",
  124: "f64",
  123: "v128",
  112: "funcref",
  111: "externref",
};

/** A value type; every reference type but funcref and externref reads as "ref". */
function readValueType(r: Reader): string {
  const code = r.byte();
  const plain = VALUE_TYPES[code];
  if (plain !== undefined) return plain;
  if (code === 0x63 || code === 0x64) readHeapType(r);
  else if (code < 0x65 || code > 0x74) throw malformed(r.at - 1, "an unknown value type");
  return "ref";
}

function readHeapType(r: Reader): void {
  // exact and shared types carry a byte in front
  while (r.peek() === 0x62 || r.peek() === 0x65) r.byte();
  r.skipNumber();
}

function readTypes(r: Reader, info: Mutable<ModuleInfo>): void {
  each(r, () => {
    if (r.peek() !== 0x4e) {
      info.types.push(readSubType(r, info));
      return;
    }
    r.byte();
    info.gc = true;
    each(r, () => info.types.push(readSubType(r, info)));
  });
}

function readSubType(r: Reader, info: Mutable<ModuleInfo>): FunctionType | undefined {
  let form = r.byte();
  if (form !== 0x60) info.gc = true;
  if (form === 0x50 || form === 0x4f) {
    each(r, () => r.u32());
    form = r.byte();
  }
  // descriptors and shared types: one byte, the first two with a type index
  while (form === 0x4d || form === 0x4c || form === 0x65) {
    if (form !== 0x65) r.u32();
    form = r.byte();
  }
  if (form === 0x60) {
    const params: string[] = [];
    const results: string[] = [];
    const at = r.at;
    each(r, () => params.push(readValueType(r)));
    each(r, () => results.push(readValueType(r)));
    if (Math.max(params.length, results.length) > MAX_VALUES) throw malformed(at, "a function of too many values");
    return { params, results };
  }
  if (form === 0x5f) each(r, () => readField(r));
  else if (form === 0x5e) readField(r);
  else if (form === 0x5d) readHeapType(r);
  else throw malformed(r.at - 1, "an unknown form of type");
  return undefined;
}

function readField(r: Reader): void {
  // i8 and i16 are storage types only
  if (r.peek() === 0x78 || r.peek() === 0x77) r.byte();
  else readValueType(r);
  r.byte();
}

function readKind(r: Reader): ExternKind {
  const at = r.at;
  const kind = KINDS[r.byte()];
  if (kind === undefined) throw malformed(at, "an import or export of unknown kind");
  return kind;
}

function readImports(r: Reader, info: Mutable<ModuleInfo>): void {
  const next: Record<ExternKind, number> = { function: 0, table: 0, memory: 0, global: 0, tag: 0 };
  each(r, () => {
    const start = r.at;
    const imported = { module: r.name(), name: r.name() };
    const description = r.at;
    const kind = readKind(r);
    let type: FunctionType | undefined;
    if (kind === "function") {
      type = readTypeOf(r, info);
      info.functions.push(type);
      info.importedFunctions++;
    } else if (kind === "table") {
      readValueType(r);
      readLimits(r);
    } else if (kind === "memory") info.memories.push({ ...readMemory(r), imported });
    else if (kind === "global") info.globals.push({ ...readGlobalType(r), functions: [], imported });
    else {
      r.byte();
      r.u32();
    }
    const entry = { ...imported, kind, index: next[kind]++, start, description, end: r.at };
    info.imports.push(type === undefined ? entry : { ...entry, type });
  });
}

function readLimits(r: Reader): { flags: number; initial: number; maximum?: number } {
  const flags = r.byte();
  const initial = r.u64();
  return flags & 1 ? { flags, initial, maximum: r.u64() } : { flags, initial };
}

function readMemory(r: Reader): MemoryInfo {
  const start = r.at;
  const { flags, ...limits } = readLimits(r);
  if (flags > 15) throw malformed(start, "a memory of unknown kind");
  const pageSize = flags & 8 ? 2 ** r.u32() : 65536;
  const pages = Math.max(limits.initial, limits.maximum ?? 0);
  if ((flags & 12) === 0 && pages > MAX_PAGES) throw malformed(start, `a memory of ${pages} pages`);
  return { ...limits, shared: (flags & 2) !== 0, is64: (flags & 4) !== 0, pageSize, start, end: r.at };
}

function readGlobalType(r: Reader): { type: string; mutable: boolean } {
  const type = readValueType(r);
  return { type, mutable: (r.byte() & 1) !== 0 };
}

interface Constant {
  /** When it is one i32.const, unsigned. */
  readonly value?: number;
  /** Functions that it refers to. */
  readonly functions: readonly number[];
}

/** The constant expression here. Leaves the reader behind its end. */
function readConstant(r: Reader, info: Mutable<ModuleInfo>): Constant {
  const functions: number[] = [];
  let value: number | undefined;
  for (let count = 0; ; count++) {
    const at = r.at;
    const op = r.byte();
    if (op === 0x0b) return count === 1 && value !== undefined ? { value, functions } : { functions };
    value = undefined;
    if (op === 0x41) value = r.s32() >>> 0;
    else if (op === 0x42) r.skipNumber();
    else if (op === 0x43) r.take(4);
    else if (op === 0x44) r.take(8);
    else if (op === 0x23) r.u32();
    else if (op === 0xd2) functions.push(r.u32());
    else if (op === 0xd0) readHeapType(r);
    else if (op === 0xfd) {
      if (r.u32() !== 12) throw malformed(at, "an unknown instruction in a constant");
      r.take(16);
    } else if (op === 0xfb) readGcConstant(r);
    else if ((op >= 0x6a && op <= 0x6c) || (op >= 0x7c && op <= 0x7e)) info.extendedConst = true;
    else throw malformed(at, "an unknown instruction in a constant");
  }
}

/** struct.new, array.new, array.new_fixed, ref.i31 and the conversions of the GC proposal. */
function readGcConstant(r: Reader): void {
  const at = r.at;
  const op = r.u32();
  if (op === 0 || op === 1 || op === 6 || op === 7) r.u32();
  else if (op === 8) {
    r.u32();
    r.u32();
  } else if (op !== 28 && op !== 26 && op !== 27) throw malformed(at, "an unknown instruction in a constant");
}

function readData(r: Reader, info: Mutable<ModuleInfo>): DataSegment {
  const flags = r.u32();
  if (flags === 2) r.u32();
  const offset = flags === 1 ? undefined : readConstant(r, info).value;
  const size = r.u32();
  const start = r.at;
  r.take(size);
  return { active: flags !== 1, ...(offset === undefined ? {} : { offset }), start, size };
}

function readElements(r: Reader, info: Mutable<ModuleInfo>): ElementSegment {
  const flags = r.u32();
  if (flags > 7) throw malformed(r.at - 1, "an element segment of unknown kind");
  const active = (flags & 1) === 0;
  const expressions = (flags & 4) !== 0;
  const table = active && flags & 2 ? r.u32() : 0;
  const offset = active ? readConstant(r, info).value : undefined;
  // All but the first form of each kind say what their elements are.
  if (flags & 3) {
    if (expressions) readValueType(r);
    else r.byte();
  }
  const functions: (number | undefined)[] = [];
  each(r, () => functions.push(expressions ? readConstant(r, info).functions[0] : r.u32()));
  return { table, active, ...(offset === undefined ? {} : { offset }), functions };
}

/** The section with the bodies of functions. */
export function codeSection(info: ModuleInfo): Section | undefined {
  return info.sections.find(({ id }) => id === SECTION.code);
}

/** What to call a function by: its name, or the one that it is imported under, or its number. */
export function functionName(info: ModuleInfo, index: number): string {
  const imported = () => info.imports.find((entry) => entry.kind === "function" && entry.index === index);
  return info.functionNames.get(index) ?? imported()?.name ?? `function ${index}`;
}

function readCustom(
  name: string,
  r: Reader,
  info: Mutable<ModuleInfo>,
  functionNames: Map<number, string>,
  globalNames: Map<number, string>,
): void {
  if (name === "dylink.0" || name === "dylink") info.dylink = true;
  if (name === "linking") info.object = true;
  if (name === "name") info.named = true;
  try {
    if (name === "name") readNames(r, functionNames, globalNames);
    else if (name === "sourceMappingURL") info.sourceMappingURL = r.name();
    else if (name === "target_features") info.targetFeatures = readFeatures(r);
    else if (name === "producers") info.producers = readProducers(r);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    info.damaged.push(name);
  }
}

function readFeatures(r: Reader): string[] {
  const features: string[] = [];
  each(r, () => {
    const sign = String.fromCharCode(r.byte());
    const feature = r.name();
    if (sign !== "-") features.push(feature);
  });
  return features;
}

function readProducers(r: Reader): string[] {
  const producers: string[] = [];
  each(r, () => {
    r.text();
    each(r, () => producers.push(`${r.text()} ${r.text()}`.trim()));
  });
  return producers;
}

/** The name section. What was read of a damaged one up to its damage counts. */
function readNames(r: Reader, functionNames: Map<number, string>, globalNames: Map<number, string>): void {
  while (!r.done) {
    const id = r.byte();
    const sub = r.sub(r.u32());
    const map = id === 1 ? functionNames : id === 7 ? globalNames : undefined;
    if (map) each(sub, () => map.set(sub.u32(), sub.text()));
  }
}
