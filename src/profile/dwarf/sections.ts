/** The sections of DWARF in a module, and what their values refer to: texts, addresses, ranges. */
import type { Section } from "../../wasm/parse.js";
import { malformed } from "../../wasm/reader.js";
import { Cursor } from "./cursor.js";
import { type Encoding, FORM, type Value } from "./forms.js";

const NAMES = {
  info: ".debug_info",
  abbrev: ".debug_abbrev",
  str: ".debug_str",
  lineStr: ".debug_line_str",
  strOffsets: ".debug_str_offsets",
  addr: ".debug_addr",
  line: ".debug_line",
  ranges: ".debug_ranges",
  rnglists: ".debug_rnglists",
} as const;

/** Their bytes: none where a section is missing. */
export type DwarfSections = { readonly [K in keyof typeof NAMES]: Uint8Array };

export function dwarfSections(bytes: Uint8Array, sections: readonly Section[]): DwarfSections {
  const found = Object.entries(NAMES).map(([key, name]) => {
    const section = sections.find((one) => one.name === name);
    return [key, section === undefined ? new Uint8Array(0) : bytes.subarray(section.body, section.end)];
  });
  return Object.fromEntries(found) as DwarfSections;
}

/** Where a unit's indexed values begin, from its first entry. */
export interface Bases extends Encoding {
  readonly strOffsetsBase: number;
  readonly addrBase: number;
  readonly rnglistsBase: number;
  /** What ranges count from. */
  readonly lowPc: number;
}

/** Ranges in one list: more than any function or program has. */
const MAX_RANGES = 1 << 20;

/** The text that a value is; undefined for other forms, for offsets outside, and for texts of no characters. */
export function textOf(sections: DwarfSections, bases: Bases, value: Value): string | undefined {
  return readText(sections, bases, value) || undefined;
}

function readText(sections: DwarfSections, bases: Bases, { form, value }: Value): string | undefined {
  try {
    if (form === FORM.string) return new Cursor(sections.info, value).zeroEnded();
    if (form === FORM.strp) return new Cursor(sections.str, value).zeroEnded();
    if (form === FORM.lineStrp) return new Cursor(sections.lineStr, value).zeroEnded();
    const indexed = form === FORM.strx || form === FORM.gnuStrIndex || (form >= FORM.strx1 && form <= FORM.strx4);
    if (!indexed) return undefined;
    const at = bases.strOffsetsBase + value * bases.offsetSize;
    return new Cursor(sections.str, new Cursor(sections.strOffsets, at).fixed(bases.offsetSize)).zeroEnded();
  } catch {
    return undefined;
  }
}

/** The address that a value is; undefined for other forms. Throws for an index outside. */
export function addressOf(sections: DwarfSections, bases: Bases, { form, value }: Value): number | undefined {
  if (form === FORM.addr) return value;
  const indexed = form === FORM.addrx || form === FORM.gnuAddrIndex || (form >= FORM.addrx1 && form <= FORM.addrx4);
  return indexed ? indexedAddress(sections, bases, value) : undefined;
}

function indexedAddress(sections: DwarfSections, { addrBase, addressSize }: Bases, index: number): number {
  return new Cursor(sections.addr, addrBase + index * addressSize).fixed(addressSize);
}

/** Starts and ends in turn, from a list of ranges. Throws when it is damaged. */
export function rangesOf(sections: DwarfSections, bases: Bases, { form, value }: Value): number[] {
  if (bases.version < 5) return oldRanges(sections, bases, value);
  const { offsetSize, rnglistsBase: base } = bases;
  const offset =
    form === FORM.rnglistx ? base + new Cursor(sections.rnglists, base + value * offsetSize).fixed(offsetSize) : value;
  return newRanges(sections, bases, offset);
}

function oldRanges(sections: DwarfSections, { addressSize, lowPc }: Bases, offset: number): number[] {
  const ranges: number[] = [];
  const cursor = new Cursor(sections.ranges, offset);
  const selects = 2 ** (8 * addressSize) - 1;
  let base = lowPc;
  for (let left = MAX_RANGES; left > 0; left--) {
    const [start, end] = [cursor.fixed(addressSize), cursor.fixed(addressSize)];
    if (start === 0 && end === 0) return ranges;
    if (start === selects) base = end;
    else ranges.push(base + start, base + end);
  }
  throw malformed(offset, "a list of too many ranges");
}

/** The entries of DWARF 5. */
const RLE = {
  end: 0,
  baseAddressx: 1,
  startxEndx: 2,
  startxLength: 3,
  offsetPair: 4,
  baseAddress: 5,
  startEnd: 6,
  startLength: 7,
} as const;

function newRanges(sections: DwarfSections, bases: Bases, offset: number): number[] {
  const ranges: number[] = [];
  const cursor = new Cursor(sections.rnglists, offset);
  const address = () => cursor.fixed(bases.addressSize);
  const indexed = () => indexedAddress(sections, bases, cursor.u64());
  const from = (start: number) => ranges.push(start, start + cursor.u64());
  let base = bases.lowPc;
  for (let left = MAX_RANGES; left > 0; left--) {
    const kind = cursor.byte();
    if (kind === RLE.end) return ranges;
    if (kind === RLE.baseAddressx) base = indexed();
    else if (kind === RLE.startxEndx) ranges.push(indexed(), indexed());
    else if (kind === RLE.startxLength) from(indexed());
    else if (kind === RLE.offsetPair) ranges.push(base + cursor.u64(), base + cursor.u64());
    else if (kind === RLE.baseAddress) base = address();
    else if (kind === RLE.startEnd) ranges.push(address(), address());
    else if (kind === RLE.startLength) from(address());
    else throw malformed(cursor.at, `a range of unknown kind ${kind}`);
  }
  throw malformed(offset, "a list of too many ranges");
}
