/**
 * What the debug information of a module says about an address: the function, those inlined into it, files and lines.
 * DWARF 2 to 5, 32 and 64 bits, without split files (.dwo). An address counts from the start of the code section's
 * contents.
 *
 * No library of npm reads DWARF from wasm without bringing megabytes of LLDB along, so this does, in what a profile
 * needs: functions and lines, no types, no variables. Units are read when an address of theirs is asked for.
 *
 * Any bytes give an answer: what is damaged has no names. Cost: the first look-up in a unit reads that unit, in about
 * 20 ms for a megabyte; each further one is a binary search.
 */
import type { Section } from "../../wasm/parse.js";
import { demangleRust } from "../names.js";
import { lastBefore } from "../search.js";
import type { SourceFrame } from "../types.js";
import { type Abbreviations, readAbbreviations, TAG } from "./forms.js";
import { LineTable, type Row } from "./lines.js";
import { type DwarfSections, dwarfSections } from "./sections.js";
import { contains, type Entry, readHeaders, type Scope, Unit } from "./unit.js";

/** The function may be unknown. */
export type DwarfFrame = Partial<SourceFrame>;

interface UnitRange {
  readonly start: number;
  readonly end: number;
  readonly unit: Unit;
}

type FunctionName = Pick<DwarfFrame, "function" | "systemName" | "startLine">;

/** References from an entry to the one that has its name, and names around a name: more are a circle. */
const MAX_STEPS = 64;

export class Dwarf {
  readonly #sections: DwarfSections;
  readonly #abbreviations = new Map<number, Abbreviations>();
  /** By offset. */
  readonly #units: Unit[] = [];
  /** By start. */
  readonly #ranges: UnitRange[] = [];
  readonly #lines = new Map<Unit, LineTable>();
  readonly #names = new Map<number, FunctionName>();

  /** Reads the beginning of every unit. `codeSize`: bytes of the code section. */
  private constructor(sections: DwarfSections, codeSize: number) {
    this.#sections = sections;
    for (const header of readHeaders(sections.info)) {
      try {
        this.#units.push(new Unit(sections, header, this.#abbreviationsAt(header.abbrevOffset), codeSize));
      } catch {
        // A unit whose first entry is damaged has no names
      }
    }
    for (const unit of this.#units) {
      for (let i = 0; i + 1 < unit.ranges.length; i += 2) {
        this.#ranges.push({ start: unit.ranges[i]!, end: unit.ranges[i + 1]!, unit });
      }
    }
    this.#ranges.sort((a, b) => a.start - b.start);
  }

  /**
   * The debug information in a module; undefined when there is none, or none of any code, which is what optimisers
   * leave of it. Never throws.
   */
  static of(bytes: Uint8Array, sections: readonly Section[], codeSize: number): Dwarf | undefined {
    const dwarf = new Dwarf(dwarfSections(bytes, sections), codeSize);
    return dwarf.#ranges.length === 0 ? undefined : dwarf;
  }

  /** Innermost first. Empty when nothing is known. Never throws. */
  frames(address: number): DwarfFrame[] {
    const unit = this.#unitAt(address);
    if (unit === undefined) return [];
    const scopes = scopesAt(unit, address);
    const table = this.#lineTable(unit);
    const row = table?.row(address);
    const place = placeOf(row?.file, row?.line, row?.column);
    if (scopes.length === 0) return Object.keys(place).length === 0 ? [] : [place];
    return scopes.map((scope, i) => {
      const inside = scopes[i - 1];
      const at =
        inside === undefined ? place : placeOf(table?.file(inside.callFile), inside.callLine, inside.callColumn);
      return { ...this.#nameOf(scope.entry), ...at, ...(i < scopes.length - 1 ? { inlined: true } : {}) };
    });
  }

  /** All that the line tables say, unit by unit. */
  *rows(): Iterable<Row & { readonly address: number }> {
    for (const unit of this.#units) yield* this.#lineTable(unit)?.rows() ?? [];
  }

  #unitAt(address: number): Unit | undefined {
    const last = lastBefore(this.#ranges.length, (i) => this.#ranges[i]!.start <= address);
    const range = this.#ranges[last];
    return range !== undefined && address < range.end ? range.unit : undefined;
  }

  #lineTable(unit: Unit): LineTable | undefined {
    if (unit.lines === undefined) return undefined;
    let table = this.#lines.get(unit);
    if (table === undefined) {
      table = new LineTable(this.#sections, unit.bases, unit.lines, unit.folder, unit.codeSize);
      this.#lines.set(unit, table);
    }
    return table;
  }

  #abbreviationsAt(offset: number): Abbreviations {
    let table = this.#abbreviations.get(offset);
    if (table === undefined) {
      table = readAbbreviations(this.#sections.abbrev, offset);
      this.#abbreviations.set(offset, table);
    }
    return table;
  }

  /** The unit that has an offset of .debug_info. */
  #unitOf(offset: number): Unit | undefined {
    const unit = this.#units[lastBefore(this.#units.length, (i) => this.#units[i]!.header.offset <= offset)];
    return unit !== undefined && offset < unit.header.end ? unit : undefined;
  }

  /** The name of the function whose entry is at an offset: of itself, or of the one that it refers to. */
  #nameOf(offset: number): FunctionName {
    const known = this.#names.get(offset);
    if (known !== undefined) return known;
    let systemName: string | undefined;
    let startLine: number | undefined;
    let name: string | undefined;
    let at = offset;
    for (let step = 0; step < MAX_STEPS && at >= 0 && name === undefined; step++) {
      const unit = this.#unitOf(at);
      const entry = unit?.entry(at);
      if (unit === undefined || entry === undefined) break;
      systemName ??= unit.text(entry.linkageName);
      startLine ??= entry.declLine;
      name = this.#qualified(unit, entry);
      at = entry.origin;
    }
    // What Rust calls the methods of a trait in DWARF says neither trait nor type
    if (name === undefined || name.includes("{impl#")) name = demangleRust(systemName ?? "") ?? name ?? systemName;
    const found = {
      ...(name === undefined ? {} : { function: name }),
      ...(systemName === undefined || systemName === name ? {} : { systemName }),
      ...(startLine === undefined ? {} : { startLine }),
    };
    this.#names.set(offset, found);
    return found;
  }

  /** The name of an entry behind those of its namespaces and types; undefined when it has none itself. */
  #qualified(unit: Unit, entry: Entry): string | undefined {
    const own = unit.text(entry.name);
    if (own === undefined) return undefined;
    const names = [own];
    let around = unit.entry(entry.parent);
    for (let step = 0; around !== undefined && step < MAX_STEPS; step++) {
      names.unshift(this.#partOf(unit, around));
      around = unit.entry(around.parent);
    }
    return names.join("::");
  }

  #partOf(unit: Unit, entry: Entry): string {
    const name = unit.text(entry.name);
    if (name !== undefined) return name;
    // A function around a type is named by its declaration
    const origin = entry.origin >= 0 ? this.#unitOf(entry.origin) : undefined;
    const declared = origin?.entry(entry.origin);
    const other = declared === undefined ? undefined : origin!.text(declared.name);
    return other ?? (entry.tag === TAG.namespace ? "(anonymous namespace)" : "(anonymous class)");
  }
}

/** The innermost inlined function at an address first, the function that has the code last. */
function scopesAt(unit: Unit, address: number): Scope[] {
  const { functions } = unit;
  const last = lastBefore(functions.length, (i) => functions[i]!.ranges[0]! <= address);
  // A function of several ranges may begin far in front: rare, so looked for only when it has to be
  let scope: Scope | undefined = functions[last];
  if (scope === undefined || !contains(scope.ranges, address)) {
    scope = functions.find(({ ranges }) => contains(ranges, address));
  }
  const scopes: Scope[] = [];
  while (scope !== undefined) {
    scopes.unshift(scope);
    scope = scope.inner.find(({ ranges }) => contains(ranges, address));
  }
  return scopes;
}

function placeOf(file: string | undefined, line: number | undefined, column: number | undefined): DwarfFrame {
  return {
    ...(file === undefined || file === "" ? {} : { file }),
    ...(line === undefined || line <= 0 ? {} : { line }),
    ...(column === undefined || column <= 0 ? {} : { column }),
  };
}
