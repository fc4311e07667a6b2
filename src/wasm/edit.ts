/**
 * Edits of a module at the level of its sections: function indices never change, and bodies only in patchBodies.
 *
 * Each edit returns new bytes and by how much the code section moved, which is what a source map has to be shifted by.
 * Cost: one copy of the file an edit.
 */
import type { ExportInfo, ExternKind, FunctionType, ImportInfo, ModuleInfo } from "./parse.js";
import { inspect, SECTION, SECTION_ORDER, VALUE_TYPES } from "./parse.js";
import { Reader } from "./reader.js";

export interface Edited {
  readonly bytes: Uint8Array;
  /** Bytes by which every function body moved towards the end of the file; negative towards its start. */
  readonly shift: number;
}

const KIND_CODES: Record<ExternKind, number> = { function: 0, table: 1, memory: 2, global: 3, tag: 4 };

/** One edit after the other; the shifts add up. */
export function editModule(bytes: Uint8Array, ...edits: readonly ((bytes: Uint8Array) => Edited)[]): Edited {
  return edits.reduce<Edited>(
    (before, edit) => {
      const after = edit(before.bytes);
      return { bytes: after.bytes, shift: before.shift + after.shift };
    },
    { bytes, shift: 0 },
  );
}

/** Gives imports other names: `rename` returns the new pair, or undefined to leave one alone. */
export function renameImports(
  bytes: Uint8Array,
  rename: (entry: ImportInfo) => { module: string; name: string } | undefined,
): Edited {
  const info = inspect(bytes);
  const entries = info.imports.map((entry) => {
    const to = rename(entry);
    if (to === undefined) return bytes.subarray(entry.start, entry.end);
    return concat(encodeName(to.module), encodeName(to.name), bytes.subarray(entry.description, entry.end));
  });
  return replaceSection(bytes, info, SECTION.import, entries.length > 0 ? vector(entries) : undefined);
}

/** Adds exports. Their names must be new; engines refuse a module with two exports of one name. */
export function addExports(bytes: Uint8Array, added: readonly ExportInfo[]): Edited {
  const info = inspect(bytes);
  return setExports(bytes, info, [...info.exports, ...added]);
}

/** Removes the exports for which `remove` is true. */
export function removeExports(bytes: Uint8Array, remove: (entry: ExportInfo) => boolean): Edited {
  const info = inspect(bytes);
  const kept = info.exports.filter((entry) => !remove(entry));
  return setExports(bytes, info, kept);
}

/** Gives exports other names: `rename` returns the new name, or undefined to leave one alone. */
export function renameExports(bytes: Uint8Array, rename: (entry: ExportInfo) => string | undefined): Edited {
  const info = inspect(bytes);
  const entries = info.exports.map((entry) => ({ ...entry, name: rename(entry) ?? entry.name }));
  return setExports(bytes, info, entries);
}

function setExports(bytes: Uint8Array, info: ModuleInfo, entries: readonly ExportInfo[]): Edited {
  const encoded = entries.map(({ name, kind, index }) =>
    concat(encodeName(name), Uint8Array.of(KIND_CODES[kind]), encodeU32(index)),
  );
  return replaceSection(bytes, info, SECTION.export, encoded.length > 0 ? vector(encoded) : undefined);
}

/** Makes function `index` the start function; undefined: the module has none. */
export function setStart(bytes: Uint8Array, index: number | undefined): Edited {
  return replaceSection(bytes, inspect(bytes), SECTION.start, index === undefined ? undefined : encodeU32(index));
}

/** Raises the limits of memory `index`, in its pages. Limits that are enough already stay; none is ever lowered. */
export function raiseMemory(bytes: Uint8Array, index: number, atLeast: { initial: number; maximum: number }): Edited {
  const memory = inspect(bytes).memories[index]!;
  const initial = Math.max(memory.initial, atLeast.initial);
  const maximum = memory.maximum === undefined ? undefined : Math.max(memory.maximum, atLeast.maximum, initial);
  return setMemory(bytes, index, { ...memory, initial, maximum });
}

/**
 * Makes memory `index`, of 32-bit addresses and pages of 64 KiB, one that threads share: other threads can read it while the
 * program runs. The program's code stays as it is. A memory without a maximum gets the largest, as shared ones need one.
 */
export function shareMemory(bytes: Uint8Array, index: number): Edited {
  const memory = inspect(bytes).memories[index]!;
  return setMemory(bytes, index, { ...memory, shared: true, maximum: memory.maximum ?? MAX_PAGES });
}

/** The most pages of 64 KiB that 32-bit addresses reach. */
const MAX_PAGES = 65536;

function setMemory(
  bytes: Uint8Array,
  index: number,
  to: { initial: number; maximum: number | undefined; shared: boolean; is64: boolean },
): Edited {
  const info = inspect(bytes);
  const memory = info.memories[index]!;
  const section = info.sections.find(({ id }) => id === (memory.imported ? SECTION.import : SECTION.memory))!;
  const flags = (to.maximum === undefined ? 0 : 1) | (to.shared ? 2 : 0) | (to.is64 ? 4 : 0);
  const limits = concat(
    Uint8Array.of(flags),
    encodeU32(to.initial),
    to.maximum === undefined ? new Uint8Array() : encodeU32(to.maximum),
  );
  const contents = concat(bytes.subarray(section.body, memory.start), limits, bytes.subarray(memory.end, section.end));
  return replaceSection(bytes, info, section.id, contents);
}

export interface NewFunction {
  /** For the name section, if the module has one. */
  readonly name: string;
  /** Of value types of one byte. */
  readonly type: FunctionType;
  /** Declarations of locals and instructions, the last `end` too. */
  readonly body: Uint8Array;
}

/** Instructions that new functions and redirected calls are made of. */
export const OP = {
  nop: 0x01,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  call: 0x10,
  callIndirect: 0x11,
  returnCall: 0x12,
  get: 0x20,
  const: 0x41,
  eq: 0x46,
  drop: 0x1a,
  select: 0x1b,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  constI64: 0x42,
  gtU: 0x4b,
  geU: 0x4f,
  gtUI64: 0x56,
  add: 0x6a,
  shrU: 0x76,
  addI64: 0x7c,
  shlI64: 0x86,
  extendU: 0xad,
} as const;

/** Instructions that push the parameters of a function of that type, in order. */
export function getParams({ params }: FunctionType): number[] {
  return params.flatMap((_, i) => [OP.get, ...encodeU32(i)]);
}

/** Adds functions behind all others, in a module that has some. */
export function addFunctions(bytes: Uint8Array, added: readonly NewFunction[]): Edited {
  if (added.length === 0) return { bytes, shift: 0 };
  const info = inspect(bytes);
  const names = added.map(({ name }, i) => concat(encodeU32(info.functions.length + i), encodeName(name)));
  const entries: [number, Uint8Array[]][] = [
    [SECTION.code, added.map(({ body }) => concat(encodeU32(body.length), body))],
    [SECTION.function, added.map((_, i) => encodeU32(info.types.length + i))],
    [SECTION.type, added.map(({ type }) => encodeFunctionType(type))],
  ];
  // From the last section to the first: what `info` says of those in front goes on to hold.
  const longer = entries.reduce(
    (before, [id, more]) => {
      const { body, end } = info.sections.find((section) => section.id === id)!;
      return replaceSection(before, info, id, appended(before.subarray(body, end), more)).bytes;
    },
    addFunctionNames(bytes, info, names),
  );
  return { bytes: longer, shift: inspect(longer).bodies[0]!.start - info.bodies[0]!.start };
}

/** Adds entries to the list of functions' names, if there is one and it follows the code. */
function addFunctionNames(bytes: Uint8Array, info: ModuleInfo, entries: readonly Uint8Array[]): Uint8Array {
  const FUNCTIONS = 1;
  const section = info.sections.filter(({ name }) => name === "name").at(-1);
  if (section === undefined || info.sections.some(({ id, start }) => id === SECTION.code && start > section.start)) {
    return bytes;
  }
  const r = new Reader(bytes, section.body, section.end);
  const parts: Uint8Array[] = [];
  while (!r.done) {
    const id = r.byte();
    const contents = r.take(r.u32());
    const now = id === FUNCTIONS ? appended(contents, entries) : contents;
    parts.push(Uint8Array.of(id), encodeU32(now.length), now);
  }
  const renamed = encodeSection(SECTION.custom, concatAll([encodeName("name"), ...parts]));
  return concat(bytes.subarray(0, section.start), renamed, bytes.subarray(section.end));
}

/** A vector with more entries. */
function appended(list: Uint8Array, entries: readonly Uint8Array[]): Uint8Array {
  const r = new Reader(list);
  const count = r.u32();
  return concatAll([encodeU32(count + entries.length), list.subarray(r.at), ...entries]);
}

function encodeFunctionType({ params, results }: FunctionType): Uint8Array {
  const FUNCTION = 0x60;
  const types = (list: readonly string[]) => vector(list.map((name) => Uint8Array.of(valueTypeCode(name))));
  return concat(Uint8Array.of(FUNCTION), types(params), types(results));
}

/** The byte of a value type that is one byte. */
export function valueTypeCode(name: string): number {
  return Number(Object.entries(VALUE_TYPES).find(([, text]) => text === name)![0]);
}

/** Instructions that take the place of others in a function's body. */
export interface Patch {
  /** Offsets of the first byte that goes and of the one behind the last. */
  readonly start: number;
  readonly end: number;
  readonly code: Uint8Array;
}

/** Where code went: from the byte `at` of the old file on, up to the next move, it lies `by` bytes further on. */
export interface Move {
  readonly at: number;
  readonly by: number;
}

/** Puts patches, in the order of the file, into the bodies of the module that has some. The moves are in that order. */
export function patchBodies(
  bytes: Uint8Array,
  info: ModuleInfo,
  patches: readonly Patch[],
): { readonly bytes: Uint8Array; readonly moves: readonly Move[] } {
  const parts = [encodeU32(info.bodies.length)];
  let length = parts[0]!.length;
  const put = (part: Uint8Array) => {
    parts.push(part);
    length += part.length;
  };
  /** Places of the old file with where they are in the new section's contents. */
  const places: { at: number; to: number }[] = [];
  let next = 0;
  for (const { start, end } of info.bodies) {
    const first = next;
    let size = end - start;
    for (; next < patches.length && patches[next]!.end <= end; next++) {
      const patch = patches[next]!;
      size += patch.code.length - (patch.end - patch.start);
    }
    put(encodeU32(size));
    places.push({ at: start, to: length });
    let from = start;
    for (const patch of patches.slice(first, next)) {
      put(bytes.subarray(from, patch.start));
      put(patch.code);
      from = patch.end;
      places.push({ at: from, to: length });
    }
    put(bytes.subarray(from, end));
  }
  const old = info.sections.find(({ id }) => id === SECTION.code)!;
  const patched = replaceSection(bytes, info, SECTION.code, concatAll(parts)).bytes;
  const base = old.start + 1 + encodeU32(length).length;
  const moves: Move[] = [];
  for (const { at, to } of places) {
    const by = base + to - at;
    if (by !== (moves.at(-1)?.by ?? 0)) moves.push({ at, by });
  }
  return { bytes: patched, moves };
}

/** Adds a custom section at the end of the file. */
export function addCustomSection(bytes: Uint8Array, name: string, contents: Uint8Array): Edited {
  const section = encodeSection(SECTION.custom, concat(encodeName(name), contents));
  return { bytes: concat(bytes, section), shift: 0 };
}

/** Removes the custom sections for whose names `remove` is true. */
export function removeCustomSections(bytes: Uint8Array, remove: (name: string) => boolean): Edited {
  const info = inspect(bytes);
  const parts: Uint8Array[] = [];
  let from = 0;
  let shift = 0;
  const code = info.sections.find(({ id }) => id === SECTION.code)?.start ?? bytes.length;
  for (const section of info.sections) {
    if (section.id !== SECTION.custom || !remove(section.name ?? "")) continue;
    parts.push(bytes.subarray(from, section.start));
    from = section.end;
    if (section.start < code) shift -= section.end - section.start;
  }
  return { bytes: concatAll([...parts, bytes.subarray(from)]), shift };
}

/** Puts `contents` in the place of the section `id`, adds it where it belongs, or removes it (undefined). */
export function replaceSection(
  bytes: Uint8Array,
  info: ModuleInfo,
  id: number,
  contents: Uint8Array | undefined,
): Edited {
  const old = info.sections.find((section) => section.id === id);
  const later = SECTION_ORDER.slice(SECTION_ORDER.indexOf(id) + 1);
  const next = info.sections.find((section) => later.includes(section.id));
  const start = old?.start ?? next?.start ?? bytes.length;
  const end = old?.end ?? start;
  const section = contents === undefined ? new Uint8Array() : encodeSection(id, contents);
  const before = SECTION_ORDER.indexOf(id) < SECTION_ORDER.indexOf(SECTION.code);
  return {
    bytes: concat(bytes.subarray(0, start), section, bytes.subarray(end)),
    shift: before ? section.length - (end - start) : 0,
  };
}

function encodeSection(id: number, contents: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(id), encodeU32(contents.length), contents);
}

/** The entries behind their number. */
export function vector(entries: readonly Uint8Array[]): Uint8Array {
  return concatAll([encodeU32(entries.length), ...entries]);
}

/** Unsigned LEB128. */
export function encodeU32(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = value;
  do {
    const low = left % 128;
    left = Math.floor(left / 128);
    bytes.push(left > 0 ? low | 0x80 : low);
  } while (left > 0);
  return Uint8Array.from(bytes);
}

/** Signed LEB128 of an i32. */
export function encodeS32(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let left = value | 0; ; left >>= 7) {
    const low = left & 0x7f;
    const last = left >> 6 === 0 || left >> 6 === -1;
    bytes.push(last ? low : low | 0x80);
    if (last) return Uint8Array.from(bytes);
  }
}

/** A name as modules store it: length in bytes, then UTF-8. */
export function encodeName(name: string): Uint8Array {
  const text = new TextEncoder().encode(name);
  return concat(encodeU32(text.length), text);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concatAll(parts);
}

/** As concat; for lists whose length a file decides, which may be more than a call takes arguments. */
export function concatAll(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
