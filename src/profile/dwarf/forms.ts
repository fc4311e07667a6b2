/**
 * Attributes of DWARF's entries: their forms, and the abbreviations that say which ones an entry has. Versions 2 to 5.
 * Every value is one number: what it means depends on its form, so the form is kept beside it (sections.ts resolves
 * texts, addresses and ranges from the pair).
 */
import { malformed } from "../../wasm/reader.js";
import { Cursor } from "./cursor.js";

export const TAG = {
  class: 0x02,
  enumeration: 0x04,
  compileUnit: 0x11,
  structure: 0x13,
  union: 0x17,
  inlined: 0x1d,
  module: 0x1e,
  subprogram: 0x2e,
  interface: 0x38,
  namespace: 0x39,
} as const;

export const FORM = {
  addr: 0x01,
  block2: 0x03,
  block4: 0x04,
  data2: 0x05,
  data4: 0x06,
  data8: 0x07,
  string: 0x08,
  block: 0x09,
  block1: 0x0a,
  data1: 0x0b,
  flag: 0x0c,
  sdata: 0x0d,
  strp: 0x0e,
  udata: 0x0f,
  refAddr: 0x10,
  ref1: 0x11,
  ref2: 0x12,
  ref4: 0x13,
  ref8: 0x14,
  refUdata: 0x15,
  indirect: 0x16,
  secOffset: 0x17,
  exprloc: 0x18,
  flagPresent: 0x19,
  strx: 0x1a,
  addrx: 0x1b,
  refSup4: 0x1c,
  strpSup: 0x1d,
  data16: 0x1e,
  lineStrp: 0x1f,
  refSig8: 0x20,
  implicitConst: 0x21,
  loclistx: 0x22,
  rnglistx: 0x23,
  refSup8: 0x24,
  strx1: 0x25,
  strx4: 0x28,
  addrx1: 0x29,
  addrx4: 0x2c,
  gnuAddrIndex: 0x1f01,
  gnuStrIndex: 0x1f02,
  gnuRefAlt: 0x1f20,
  gnuStrpAlt: 0x1f21,
} as const;

/** Places of the attributes that are kept, in Attributes. */
export const AT = {
  name: 0,
  linkageName: 1,
  lowPc: 2,
  highPc: 3,
  ranges: 4,
  abstractOrigin: 5,
  specification: 6,
  callFile: 7,
  callLine: 8,
  callColumn: 9,
  declLine: 10,
  stmtList: 11,
  compDir: 12,
  strOffsetsBase: 13,
  addrBase: 14,
  rnglistsBase: 15,
} as const;
const COUNT = 16;

/** By DWARF's number of the attribute. */
const PLACES = new Map<number, number>([
  [0x03, AT.name],
  [0x10, AT.stmtList],
  [0x11, AT.lowPc],
  [0x12, AT.highPc],
  [0x1b, AT.compDir],
  [0x31, AT.abstractOrigin],
  [0x3b, AT.declLine],
  [0x47, AT.specification],
  [0x55, AT.ranges],
  [0x57, AT.callColumn],
  [0x58, AT.callFile],
  [0x59, AT.callLine],
  [0x6e, AT.linkageName],
  [0x72, AT.strOffsetsBase],
  [0x73, AT.addrBase],
  [0x74, AT.rnglistsBase],
  [0x2007, AT.linkageName],
]);

/** What an attribute had: its form, 0 when it is missing, and the number behind it. */
export interface Value {
  readonly form: number;
  readonly value: number;
}

/** More attributes than any entry has: a table that says more is damaged. */
const MAX_ATTRIBUTES = 512;

interface Abbreviation {
  readonly tag: number;
  readonly children: boolean;
  /** Place, form and implicit constant of each attribute; place -1: passed over. */
  readonly places: readonly number[];
  readonly forms: readonly number[];
  readonly implicit: readonly number[];
}

export type Abbreviations = ReadonlyMap<number, Abbreviation>;

/** The table at an offset of .debug_abbrev, up to its end or its damage. */
export function readAbbreviations(section: Uint8Array, offset: number): Abbreviations {
  const table = new Map<number, Abbreviation>();
  const cursor = new Cursor(section, offset);
  for (let code = cursor.u64(); code !== 0; code = cursor.u64()) {
    const tag = cursor.u64();
    const children = cursor.byte() !== 0;
    const [places, forms, implicit]: [number[], number[], number[]] = [[], [], []];
    for (;;) {
      const [name, form] = [cursor.u64(), cursor.u64()];
      const constant = form === FORM.implicitConst ? cursor.sleb() : 0;
      if (name === 0 && form === 0) break;
      if (forms.length === MAX_ATTRIBUTES) throw malformed(cursor.at, "an entry of too many attributes");
      places.push(PLACES.get(name) ?? -1);
      forms.push(form);
      implicit.push(constant);
    }
    table.set(code, { tag, children, places, forms, implicit });
  }
  return table;
}

/** How a unit's forms are read. */
export interface Encoding {
  readonly version: number;
  readonly offsetSize: 4 | 8;
  readonly addressSize: number;
}

/** The attributes of one entry, read over and over into the same place. */
export class Attributes {
  readonly #forms = new Uint16Array(COUNT);
  readonly #values = new Float64Array(COUNT);

  /** Reads the attributes of the entry at the cursor, which has passed over its code. */
  read(cursor: Cursor, abbreviation: Abbreviation, encoding: Encoding): void {
    this.#forms.fill(0);
    const { places, forms, implicit } = abbreviation;
    for (let i = 0; i < forms.length; i++) {
      let form = forms[i]!;
      if (form === FORM.indirect) form = cursor.u64();
      const value = form === FORM.implicitConst ? implicit[i]! : readForm(cursor, form, encoding);
      const place = places[i]!;
      if (place < 0) continue;
      this.#forms[place] = form;
      this.#values[place] = value;
    }
  }

  has(place: number): boolean {
    return this.#forms[place] !== 0;
  }

  get(place: number): Value {
    return { form: this.#forms[place]!, value: this.#values[place]! };
  }

  /** The number of a constant; undefined when it is missing. */
  number(place: number): number | undefined {
    return this.#forms[place] === 0 ? undefined : this.#values[place];
  }
}

/** A value: a number, an offset, an index; of texts in the entry their place; of blocks nothing, they are passed over. */
export function readForm(cursor: Cursor, form: number, { version, offsetSize, addressSize }: Encoding): number {
  switch (form) {
    case FORM.addr:
      return cursor.fixed(addressSize);
    case FORM.data1:
    case FORM.flag:
    case FORM.ref1:
    case FORM.strx1:
    case FORM.addrx1:
      return cursor.byte();
    case FORM.data2:
    case FORM.ref2:
    case FORM.strx1 + 1:
    case FORM.addrx1 + 1:
      return cursor.fixed(2);
    case FORM.strx1 + 2:
    case FORM.addrx1 + 2:
      return cursor.fixed(3);
    case FORM.data4:
    case FORM.ref4:
    case FORM.refSup4:
    case FORM.strx4:
    case FORM.addrx4:
      return cursor.fixed(4);
    case FORM.data8:
    case FORM.ref8:
    case FORM.refSig8:
    case FORM.refSup8:
      return cursor.fixed(8);
    case FORM.udata:
    case FORM.refUdata:
    case FORM.strx:
    case FORM.addrx:
    case FORM.loclistx:
    case FORM.rnglistx:
    case FORM.gnuAddrIndex:
    case FORM.gnuStrIndex:
      return cursor.u64();
    case FORM.sdata:
      return cursor.sleb();
    case FORM.strp:
    case FORM.lineStrp:
    case FORM.secOffset:
    case FORM.strpSup:
    case FORM.gnuRefAlt:
    case FORM.gnuStrpAlt:
      return cursor.fixed(offsetSize);
    case FORM.refAddr:
      return cursor.fixed(version < 3 ? addressSize : offsetSize);
    case FORM.flagPresent:
      return 1;
    case FORM.string: {
      const { at } = cursor;
      cursor.skipText();
      return at;
    }
    case FORM.data16:
      cursor.skip(16);
      return 0;
    case FORM.block:
    case FORM.exprloc:
      cursor.skip(cursor.u64());
      return 0;
    case FORM.block1:
      cursor.skip(cursor.byte());
      return 0;
    case FORM.block2:
      cursor.skip(cursor.fixed(2));
      return 0;
    case FORM.block4:
      cursor.skip(cursor.fixed(4));
      return 0;
    default:
      throw malformed(cursor.at, `a value of unknown form ${form}`);
  }
}
