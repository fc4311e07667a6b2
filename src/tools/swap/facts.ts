/**
 * What the analysis knows of each function: whom it calls, which constant addresses it loads and stores, and where it
 * reads a word below an address that it was given or that a call returned (a chunk header, perhaps).
 *
 * Locals are taken without regard to the order of the code: a local is everything that is ever assigned to it. So an
 * access through a local that holds several constants is a possible one ("may"), and only one through a constant or a
 * local with no other value is certain. Cost: one walk over the code.
 */
import type { ModuleInfo } from "../module.js";
import { Reader } from "../reader.js";
import { displaced, type Operand, walk } from "./instructions.js";

/** An access whose address is known. */
export interface Access {
  /** Of its first byte. */
  readonly address: number;
  /** Bytes. */
  readonly size: number;
  readonly store: boolean;
  /** No other address is possible there. */
  readonly certain: boolean;
}

/** A load at a small negative offset from a parameter or from what a call returned. */
export interface HeaderRead {
  readonly origin: "param" | "result";
  /** Index of the parameter, or of the function that was called. */
  readonly of: number;
  /** -4 or -8. */
  readonly offset: number;
  /** Bytes that were loaded. */
  readonly size: number;
  /** What the word was and-ed with; undefined: the load itself. */
  readonly mask?: number;
}

export interface FunctionFacts {
  readonly index: number;
  /** Bytes of the body. */
  readonly size: number;
  readonly calls: ReadonlySet<number>;
  readonly callsIndirectly: boolean;
  readonly references: ReadonlySet<number>;
  readonly accesses: readonly Access[];
  /** Constants that are more than an address: operands of sums, arguments, values; offsets of indexed accesses too. */
  readonly constants: ReadonlySet<number>;
  readonly headerReads: readonly HeaderRead[];
  readonly stores: boolean;
  readonly memorySize: boolean;
  readonly memoryGrow: boolean;
}

/** Constants below this are no addresses of static data that matter here; compilers leave the first bytes free. */
const LOWEST_ADDRESS = 8;
/** Assigned values of one local that are followed. */
const MOST_VALUES = 16;
const MOST_ORIGINS = 64;

/** The facts of all functions that have a body, by function index. Throws UnknownInstruction. */
export function collectFacts(bytes: Uint8Array, info: ModuleInfo): Map<number, FunctionFacts> {
  const all = new Map<number, FunctionFacts>();
  info.bodies.forEach((body, i) => {
    const index = info.importedFunctions + i;
    const collector = new Collector(index, info.functions[index]?.params.length ?? 0);
    walk(bytes, body.start, body.end, info, collector);
    all.set(index, collector.finish(body.end - body.start));
  });
  return all;
}

interface Pending {
  readonly address: Operand;
  readonly offset: number;
  readonly size: number;
  readonly store: boolean;
}

class Collector {
  readonly #calls = new Set<number>();
  readonly #references = new Set<number>();
  readonly #constants = new Set<number>();
  readonly #accesses: Access[] = [];
  readonly #pending: Pending[] = [];
  readonly #masks: { readonly value: Operand; readonly mask: number }[] = [];
  readonly #locals = new Map<number, Operand[]>();
  readonly #known = new Map<number, readonly Operand[]>();
  #indirect = false;
  #stores = false;
  #size = false;
  #grow = false;

  constructor(
    readonly index: number,
    readonly params: number,
  ) {}

  call(callee: number): void {
    this.#calls.add(callee);
  }

  indirectCall(): void {
    this.#indirect = true;
  }

  functionReference(callee: number): void {
    this.#references.add(callee);
  }

  memorySize(): void {
    this.#size = true;
  }

  memoryGrow(): void {
    this.#grow = true;
  }

  constant(value: number): void {
    if (value >= LOWEST_ADDRESS) this.#constants.add(value);
  }

  access(address: Operand, offset: number, size: number, store: boolean): void {
    this.#stores ||= store;
    if (address.kind === "const") {
      this.#accesses.push({ address: address.value + offset, size, store, certain: true });
    } else {
      // an indexed access may carry the array's address in its offset
      this.constant(address.kind === "sum" ? (offset + address.offset) >>> 0 : offset);
      if (address.kind === "local" || address.kind === "result") this.#pending.push({ address, offset, size, store });
    }
  }

  setLocal(local: number, value: Operand): void {
    const values = this.#locals.get(local);
    if (values === undefined) this.#locals.set(local, [value]);
    else if (values.length <= MOST_VALUES) values.push(value);
  }

  mask(value: Operand, mask: number): void {
    if (value.kind === "word" || value.kind === "local") this.#masks.push({ value, mask });
  }

  finish(size: number): FunctionFacts {
    const headerReads: HeaderRead[] = [];
    for (const { address, offset, size: width, store } of this.#pending) {
      const values = this.#resolve(address);
      for (const value of values) {
        if (value.kind === "const") {
          const certain = values.length === 1;
          this.#accesses.push({ address: (value.value + offset) >>> 0, size: width, store, certain });
        } else if (!store) this.#header(headerReads, value, offset, width);
      }
    }
    for (const { value, mask } of this.#masks) {
      for (const word of this.#resolve(value)) {
        if (word.kind !== "word") continue;
        for (const base of this.#resolve(word.base)) this.#header(headerReads, base, word.offset, word.size, mask);
      }
    }
    return {
      index: this.index,
      size,
      calls: this.#calls,
      callsIndirectly: this.#indirect,
      references: this.#references,
      accesses: this.#accesses,
      constants: this.#constants,
      headerReads,
      stores: this.#stores,
      memorySize: this.#size,
      memoryGrow: this.#grow,
    };
  }

  #header(into: HeaderRead[], base: Operand, offset: number, size: number, mask?: number): void {
    if (base.kind !== "local" && base.kind !== "result") return;
    const at = (base.offset + offset) | 0;
    if (at !== -4 && at !== -8) return;
    const where =
      base.kind === "local"
        ? { origin: "param" as const, of: base.local }
        : { origin: "result" as const, of: base.callee };
    into.push({ ...where, offset: at, size, ...(mask === undefined ? {} : { mask }) });
  }

  /** Everything that an operand may be, with locals followed to parameters, results, constants and loaded words. */
  #resolve(operand: Operand): readonly Operand[] {
    if (operand.kind !== "local") return [operand];
    const origins = this.#origins(operand.local);
    return operand.offset === 0 ? origins : origins.map((origin) => moved(origin, operand.offset));
  }

  /** Of one local. A local that depends on itself is followed once. */
  #origins(local: number): readonly Operand[] {
    const known = this.#known.get(local);
    if (known !== undefined) return known;
    const found: Operand[] = [];
    const seen = new Set<number>();
    const queue: { readonly local: number; readonly offset: number }[] = [{ local, offset: 0 }];
    for (let next = queue.pop(); next !== undefined && found.length < MOST_ORIGINS; next = queue.pop()) {
      if (seen.has(next.local)) continue;
      seen.add(next.local);
      if (next.local < this.params) found.push({ kind: "local", ...next });
      for (const value of this.#locals.get(next.local) ?? []) {
        if (value.kind === "local") queue.push({ local: value.local, offset: (value.offset + next.offset) | 0 });
        else found.push(moved(value, next.offset));
      }
    }
    this.#known.set(local, found);
    return found;
  }
}

/** Functions that the element segments put into tables, or that globals and elements refer to. */
export function referencedFunctions(bytes: Uint8Array, info: ModuleInfo): Set<number> {
  const found = new Set<number>();
  for (const { id, body, end } of info.sections) {
    if (id === 9) readElements(new Reader(bytes, body, end), found);
    if (id === 6) readGlobals(new Reader(bytes, body, end), found);
  }
  return found;
}

function readElements(r: Reader, found: Set<number>): void {
  for (let left = r.u32(); left > 0; left--) {
    const flags = r.u32();
    if ((flags & 1) === 0) {
      if (flags & 2) r.u32();
      skipConstant(r, found);
    }
    const expressions = (flags & 4) !== 0;
    // a passive, declared or explicitly typed segment names its kind
    if (flags & 3) {
      if (!expressions) r.byte();
      else readReferenceType(r);
    }
    for (let count = r.u32(); count > 0; count--) {
      if (expressions) skipConstant(r, found);
      else found.add(r.u32());
    }
  }
}

function readGlobals(r: Reader, found: Set<number>): void {
  for (let left = r.u32(); left > 0; left--) {
    readReferenceType(r);
    r.byte();
    skipConstant(r, found);
  }
}

function readReferenceType(r: Reader): void {
  const code = r.byte();
  if (code === 0x63 || code === 0x64) r.s64();
}

/** A constant expression: leaves the reader behind it, keeps the functions that it refers to. */
function skipConstant(r: Reader, found: Set<number>): void {
  for (let op = r.byte(); op !== 0x0b; op = r.byte()) {
    if (op === 0xd2) found.add(r.u32());
    else if (op === 0x23) r.u32();
    else if (op === 0x41 || op === 0x42 || op === 0xd0) r.s64();
    else if (op === 0x43) r.take(4);
    else if (op === 0x44) r.take(8);
    else if (op === 0xfd) r.take(17);
  }
}

/** The active data segments at constant addresses. */
export class StaticData {
  readonly #segments: { readonly address: number; readonly bytes: Uint8Array }[] = [];
  /** Some segments are passive or stand at addresses that are not known. */
  readonly partial: boolean;
  /** Address behind the last byte. */
  readonly end: number;

  constructor(bytes: Uint8Array, info: ModuleInfo) {
    const section = info.sections.find(({ id }) => id === 11);
    let partial = false;
    let end = 0;
    if (section) {
      const r = new Reader(bytes, section.body, section.end);
      for (let left = r.u32(), i = 0; left > 0; left--, i++) {
        const flags = r.u32();
        if (flags === 2) r.u32();
        if (flags !== 1) skipConstant(r, new Set());
        const contents = r.take(r.u32());
        const address = info.data[i]?.offset;
        if (address === undefined) partial = true;
        else {
          this.#segments.push({ address, bytes: contents });
          end = Math.max(end, address + contents.length);
        }
      }
    }
    this.partial = partial;
    this.end = end;
  }

  /** The little-endian 32-bit word at `address`; bytes that no segment covers are 0. */
  word(address: number): number {
    let value = 0;
    for (let i = 0; i < 4; i++) value += this.#byte(address + i) * 2 ** (8 * i);
    return value;
  }

  #byte(address: number): number {
    for (const segment of this.#segments) {
      const at = address - segment.address;
      if (at >= 0 && at < segment.bytes.length) return segment.bytes[at]!;
    }
    return 0;
  }
}

/** The operand plus a constant; unknown when nothing can be said of it. */
function moved(operand: Operand, by: number): Operand {
  return displaced(operand, by) ?? (by === 0 ? operand : { kind: "unknown" });
}
