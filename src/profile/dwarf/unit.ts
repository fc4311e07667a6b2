/**
 * One unit of .debug_info, which is what one call of the compiler made: its code's ranges, and on demand its functions,
 * with what was inlined into them, and the entries that names are made of.
 */
import { malformed } from "../../wasm/reader.js";
import { Cursor } from "./cursor.js";
import { type Abbreviations, AT, Attributes, type Encoding, FORM, TAG, type Value } from "./forms.js";
import { addressOf, type Bases, type DwarfSections, rangesOf, textOf } from "./sections.js";

/** An entry that names consist of. Offsets count from the start of .debug_info. */
export interface Entry {
  readonly tag: number;
  /** Offset of the entry around it that is one of these too; -1: none. */
  readonly parent: number;
  readonly name: Value;
  readonly linkageName: Value;
  /** Offset of the entry that this one is the definition of, or the code of; -1: none. */
  readonly origin: number;
  readonly declLine: number | undefined;
}

/** A function with code, or one that was inlined into it. */
export interface Scope {
  /** Starts and ends in turn. */
  readonly ranges: readonly number[];
  /** Offset of its entry. */
  readonly entry: number;
  /** Where it was called from, when it is inlined. */
  readonly callFile: number;
  readonly callLine: number;
  readonly callColumn: number;
  readonly inner: Scope[];
}

/** Types of unit headers in DWARF 5, with the bytes of what follows the common part but for an offset. */
const UNIT_TYPE = { type: 2, skeleton: 4, splitCompile: 5, splitType: 6 } as const;

const NAMING: ReadonlySet<number> = new Set([
  TAG.class,
  TAG.enumeration,
  TAG.structure,
  TAG.union,
  TAG.module,
  TAG.subprogram,
  TAG.interface,
  TAG.namespace,
]);

/** Entries inside each other: compilers do not come near. */
const MAX_DEPTH = 1000;

export interface UnitHeader extends Encoding {
  /** Offset in .debug_info, and of what follows the unit. */
  readonly offset: number;
  readonly end: number;
  readonly abbrevOffset: number;
  /** Offset of the first entry. */
  readonly entries: number;
}

/** The headers of all units, up to the first that is damaged. */
export function readHeaders(info: Uint8Array): UnitHeader[] {
  const headers: UnitHeader[] = [];
  const cursor = new Cursor(info);
  try {
    while (!cursor.done) {
      const offset = cursor.at;
      const { length, offsetSize } = cursor.unitLength();
      const end = cursor.at + length;
      if (end > info.length) throw malformed(offset, "a unit that is longer than its section");
      const version = cursor.fixed(2);
      const header = version >= 2 && version <= 5 ? readHeader(cursor, version, offsetSize) : undefined;
      if (header !== undefined) headers.push({ ...header, offset, end, entries: cursor.at });
      cursor.at = end;
    }
  } catch {
    // What came before the damage counts
  }
  return headers;
}

function readHeader(cursor: Cursor, version: number, offsetSize: 4 | 8) {
  const type = version >= 5 ? cursor.byte() : 0;
  const early = version >= 5 ? cursor.byte() : 0;
  const abbrevOffset = cursor.fixed(offsetSize);
  const addressSize = version >= 5 ? early : cursor.byte();
  if (type === UNIT_TYPE.skeleton || type === UNIT_TYPE.splitCompile) cursor.skip(8);
  else if (type === UNIT_TYPE.type || type === UNIT_TYPE.splitType) cursor.skip(8 + offsetSize);
  if (addressSize !== 4 && addressSize !== 8) throw malformed(cursor.at, `addresses of ${addressSize} bytes`);
  return { version, offsetSize, addressSize, abbrevOffset };
}

export class Unit {
  readonly bases: Bases;
  readonly folder: string;
  /** Offset of its line table. */
  readonly lines: number | undefined;
  /** Starts and ends of its code in turn: none when it does not say. */
  readonly ranges: readonly number[];
  readonly #abbreviations: Abbreviations;
  #functions: Scope[] | undefined;
  readonly #entries = new Map<number, Entry>();

  /** Reads the first entry. Throws when that is damaged. */
  constructor(
    readonly sections: DwarfSections,
    readonly header: UnitHeader,
    abbreviations: Abbreviations,
    /** Where code ends: what lies behind was left out by the linker. */
    readonly codeSize: number,
  ) {
    this.#abbreviations = abbreviations;
    const attributes = new Attributes();
    const cursor = new Cursor(sections.info, header.entries, header.end);
    this.#read(cursor, attributes);
    const headerSize = header.offsetSize === 8 ? 16 : 8;
    const bases = {
      ...header,
      strOffsetsBase: attributes.number(AT.strOffsetsBase) ?? headerSize,
      addrBase: attributes.number(AT.addrBase) ?? headerSize,
      rnglistsBase: attributes.number(AT.rnglistsBase) ?? headerSize + 4,
    };
    const lowPc = this.#address({ ...bases, lowPc: 0 }, attributes.get(AT.lowPc)) ?? 0;
    this.bases = { ...bases, lowPc };
    this.lines = attributes.number(AT.stmtList);
    this.folder = this.text(attributes.get(AT.compDir)) ?? "";
    this.ranges = this.#rangesOf(attributes);
  }

  text(value: Value): string | undefined {
    return textOf(this.sections, this.bases, value);
  }

  /** The functions that have code, by their start. The first call reads all entries. */
  get functions(): readonly Scope[] {
    return this.#walk();
  }

  /** The entry at an offset; undefined for entries that names do not consist of. */
  entry(offset: number): Entry | undefined {
    this.#walk();
    return this.#entries.get(offset);
  }

  #walk(): readonly Scope[] {
    if (this.#functions !== undefined) return this.#functions;
    const functions: Scope[] = [];
    this.#functions = functions;
    try {
      this.#readEntries(functions);
    } catch {
      // What came before the damage counts
    }
    functions.sort((a, b) => a.ranges[0]! - b.ranges[0]!);
    return functions;
  }

  #readEntries(functions: Scope[]): void {
    const { header } = this;
    const cursor = new Cursor(this.sections.info, header.entries, header.end);
    const attributes = new Attributes();
    // Around the entry at the cursor: the one that names it, and the function that it is in
    const around: { parent: number; scope: Scope | undefined }[] = [];
    let parent = -1;
    let scope: Scope | undefined;
    while (!cursor.done) {
      const offset = cursor.at;
      const abbreviation = this.#read(cursor, attributes);
      if (abbreviation === undefined) {
        const outer = around.pop();
        if (outer === undefined) return;
        ({ parent, scope } = outer);
        continue;
      }
      const { tag, children } = abbreviation;
      let inside = scope;
      if (tag === TAG.subprogram || tag === TAG.inlined) {
        const own = this.#scopeOf(attributes, tag === TAG.inlined, offset);
        if (own !== undefined) {
          if (tag === TAG.subprogram) functions.push(own);
          else scope?.inner.push(own);
        }
        // What is inlined into a function without code has none either
        inside = own;
      }
      const names = NAMING.has(tag);
      if (names) this.#entries.set(offset, this.#entryOf(tag, parent, attributes));
      if (!children) continue;
      if (around.length === MAX_DEPTH) throw malformed(offset, "entries too deep inside each other");
      around.push({ parent, scope });
      if (names) parent = offset;
      scope = inside;
    }
  }

  /** Reads one entry; undefined for the end of a list. */
  #read(cursor: Cursor, attributes: Attributes) {
    const code = cursor.u64();
    if (code === 0) return undefined;
    const abbreviation = this.#abbreviations.get(code);
    if (abbreviation === undefined) throw malformed(cursor.at, `an entry of unknown form ${code}`);
    attributes.read(cursor, abbreviation, this.header);
    return abbreviation;
  }

  #entryOf(tag: number, parent: number, attributes: Attributes): Entry {
    const name = attributes.get(AT.name);
    const linkageName = attributes.get(AT.linkageName);
    return {
      tag,
      parent,
      name,
      linkageName,
      origin: this.#origin(attributes),
      declLine: attributes.number(AT.declLine),
    };
  }

  #origin(attributes: Attributes): number {
    const { form, value } = attributes.get(attributes.has(AT.specification) ? AT.specification : AT.abstractOrigin);
    if (form === FORM.refAddr) return value;
    const within = form >= FORM.ref1 && form <= FORM.refUdata;
    return within ? this.header.offset + value : -1;
  }

  #scopeOf(attributes: Attributes, inlined: boolean, offset: number): Scope | undefined {
    const ranges = this.#rangesOf(attributes);
    if (ranges.length === 0) return undefined;
    return {
      ranges,
      // Of inlined code the function, not the place, has the name
      entry: inlined ? this.#origin(attributes) : offset,
      callFile: attributes.number(AT.callFile) ?? -1,
      callLine: attributes.number(AT.callLine) ?? 0,
      callColumn: attributes.number(AT.callColumn) ?? 0,
      inner: [],
    };
  }

  #address(bases: Bases, value: Value): number | undefined {
    try {
      return addressOf(this.sections, bases, value);
    } catch {
      return undefined;
    }
  }

  /** Ranges of the code of the entry that was read last. Damaged ones, and those of code that was left out, are none. */
  #rangesOf(attributes: Attributes): number[] {
    let ranges: number[] = [];
    try {
      if (attributes.has(AT.ranges)) ranges = rangesOf(this.sections, this.bases, attributes.get(AT.ranges));
      else if (attributes.has(AT.lowPc) && attributes.has(AT.highPc)) {
        const start = addressOf(this.sections, this.bases, attributes.get(AT.lowPc));
        const high = attributes.get(AT.highPc);
        // A length, from DWARF 4 on, or an address
        const end = addressOf(this.sections, this.bases, high) ?? (start ?? 0) + high.value;
        if (start !== undefined) ranges = [start, end];
      }
    } catch {
      return [];
    }
    const alive: number[] = [];
    for (let i = 0; i + 1 < ranges.length; i += 2) {
      const [start, end] = [ranges[i]!, ranges[i + 1]!];
      // Left out: they begin at 0, or behind all code
      if (start > 0 && start < end && start < this.codeSize) alive.push(start, end);
    }
    return alive;
  }
}

/** Whether ranges have an address. */
export function contains(ranges: readonly number[], address: number): boolean {
  for (let i = 0; i + 1 < ranges.length; i += 2) if (address >= ranges[i]! && address < ranges[i + 1]!) return true;
  return false;
}
