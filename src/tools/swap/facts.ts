/**
 * What the analysis knows of each function: whom it calls, which constant addresses it loads and stores, and where it
 * reads a word below an address that it was given or that a call returned (a chunk header, perhaps).
 *
 * Locals are taken without regard to the order of the code: a local is everything that is ever assigned to it. So an
 * access through a local that holds several constants is a possible one ("may"), and only one through a constant or a
 * local with no other value is certain. Cost: one walk over the code.
 */
import { ToolError } from "../../wasm/errors.js";
import { displaced, type Operand, walk } from "../../wasm/instructions.js";
import type { ModuleInfo } from "../../wasm/parse.js";

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
/** Locals that are looked through for one's origins: with more, it may be anything. */
const MOST_LOCALS = 1024;
/** Origins that are looked at for one function. Only code made to be hard to read has so many. */
const MOST_STEPS = 20_000_000;

/** The facts of all functions that have a body, by function index. Throws UnknownInstruction, ToolError "unsure". */
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
  #steps = 0;
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

  /** The analysis takes any function in a table for one that can be called. */
  tableChange(): void {}

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
        this.#step();
        if (value.kind === "const") {
          const certain = values.length === 1;
          this.#accesses.push({ address: (value.value + offset) >>> 0, size: width, store, certain });
        } else if (!store) this.#header(headerReads, value, offset, width);
      }
    }
    for (const { value, mask } of this.#masks) {
      for (const word of this.#resolve(value)) {
        if (word.kind !== "word") continue;
        for (const base of this.#resolve(word.base)) {
          this.#step();
          this.#header(headerReads, base, word.offset, word.size, mask);
        }
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

  /** Counts what is done for one function. Throws ToolError "unsure" when it is too much. */
  #step(): void {
    if (++this.#steps <= MOST_STEPS) return;
    throw new ToolError(
      "unsure",
      `function ${this.index} is too tangled for what it does to memory to be followed`,
      "Build the program with less optimisation, or against gomalloc's shim and use gomalloc link.",
    );
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
      if (seen.size > MOST_LOCALS) break;
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

/** The functions that tables and globals refer to. */
export function referencedFunctions({ elements, globals }: ModuleInfo): Set<number> {
  const functions = [...elements, ...globals].flatMap((holder): readonly (number | undefined)[] => holder.functions);
  return new Set(functions.filter((index) => index !== undefined));
}

/** Bytes of a piece of static data. */
const CELL = 256;

/** The active data segments at constant addresses. */
export class StaticData {
  /** The memory that segments cover, in pieces of CELL bytes by number: any number of segments is looked up in O(1). */
  readonly #cells = new Map<number, Uint8Array>();
  /** Some segments are passive, or their addresses are unknown. */
  readonly partial: boolean;
  /** Address behind the last byte. */
  readonly end: number;

  constructor(bytes: Uint8Array, info: ModuleInfo) {
    let partial = false;
    let end = 0;
    for (const { offset: address, start, size } of info.data) {
      if (address === undefined) {
        partial = true;
        continue;
      }
      this.#fill(address, bytes.subarray(start, start + size));
      end = Math.max(end, address + size);
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
    return this.#cells.get(Math.floor(address / CELL))?.[address % CELL] ?? 0;
  }

  /** Of segments that overlap the last one stays, as when the module starts. */
  #fill(address: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const [cell, from] = [Math.floor((address + at) / CELL), (address + at) % CELL];
      const piece = bytes.subarray(at, at + CELL - from);
      const known = this.#cells.get(cell) ?? new Uint8Array(CELL);
      known.set(piece, from);
      this.#cells.set(cell, known);
      at += piece.length;
    }
  }
}

/** The operand plus a constant; unknown when nothing can be said of it. */
function moved(operand: Operand, by: number): Operand {
  return displaced(operand, by) ?? (by === 0 ? operand : { kind: "unknown" });
}
