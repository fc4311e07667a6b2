/**
 * A walk over the instructions of one function body with the operand stack beside it.
 *
 * Of every operand the walk knows what the allocator's analysis asks for: a constant, a local or a call's result plus
 * a constant, an unknown plus a constant, or a word loaded through one of these. Everything else is unknown. The
 * stack is exact in reachable code; behind a branch that does not return it is polymorphic, as in the specification.
 *
 * It ends on any bytes: a body that is cut off or whose blocks do not match is a ToolError "malformed" or "truncated".
 * What is valid is the engine's to say; the walk checks no types.
 *
 * Covers the core instructions, sign extension, saturating conversion, bulk memory, reference types, tail calls,
 * exceptions (both forms), SIMD with its relaxed part, and atomics. Others (GC) throw UnknownInstruction.
 * Cost: linear in the body.
 */
import type { FunctionType } from "./parse.js";
import { malformed, Reader } from "./reader.js";

/** What the walk knows of an operand. Numbers are unsigned 32-bit, offsets signed. */
export type Operand =
  | { readonly kind: "unknown" }
  | { readonly kind: "const"; readonly value: number }
  | { readonly kind: "local"; readonly local: number; readonly offset: number }
  | { readonly kind: "result"; readonly callee: number; readonly offset: number }
  /** Something unknown plus a constant: an index into a static array, say. */
  | { readonly kind: "sum"; readonly offset: number }
  /** What a load through `base` + `offset` gave. */
  | { readonly kind: "word"; readonly base: Operand; readonly offset: number; readonly size: number };

/** The operand plus a constant, for the kinds that keep one; undefined for the others. */
export function displaced(operand: Operand, by: number): Operand | undefined {
  switch (operand.kind) {
    case "const":
      return { kind: "const", value: (operand.value + by) >>> 0 };
    case "local":
    case "result":
    case "sum":
      return { ...operand, offset: (operand.offset + by) | 0 };
    default:
      return undefined;
  }
}

/** Where a call is: offsets of the instruction's first byte and of the one behind its last. */
export interface CallSite {
  readonly start: number;
  readonly end: number;
}

/** A call_indirect or return_call_indirect. */
export interface IndirectCall extends CallSite {
  readonly type: number;
  readonly table: number;
  /** return_call_indirect. */
  readonly tail: boolean;
}

/** A memory.init, memory.copy, memory.fill or atomic instruction: an engine compares its range with the memory's size. */
export interface CheckedAccess extends CallSite {
  /** The number behind the prefix, which is 0xfe for atomics and 0xfc for the others. */
  readonly op: number;
  readonly atomic: boolean;
  /** Of atomics. */
  readonly offset: number;
  /** From the first to the last; empty where the stack is polymorphic. */
  readonly operands: readonly Operand[];
}

/** What the walk tells. Operands arrive as they stood on the stack. */
export interface Visitor {
  /** call and return_call. `last`: the last argument, when there is one. */
  call(callee: number, last: Operand | undefined, site: CallSite): void;
  /** call_indirect, call_ref and their tail forms; `site` of the two that go through a table. */
  indirectCall(site: IndirectCall | undefined): void;
  /** A load or store of `size` bytes at `address` + `offset`. */
  access(address: Operand, offset: number, size: number, store: boolean): void;
  setLocal(local: number, value: Operand): void;
  /** i32.and with a constant. */
  mask(value: Operand, mask: number): void;
  /** An i32 constant that did more than be the address of a load or store: an argument, a sum, a value. */
  constant(value: number): void;
  functionReference(callee: number): void;
  /** table.set, table.init, table.copy, table.fill: a slot may change. table.grow only adds some. */
  tableChange(): void;
  memorySize(): void;
  memoryGrow(): void;
  checkedAccess?(access: CheckedAccess): void;
  /** An instruction of a proposal that not every engine of today has. */
  newer?(): void;
  /** An index that a linker changes, with the offsets of its first byte and of the one behind it. */
  linkedIndex?(kind: "function" | "global" | "type", index: number, start: number, end: number): void;
}

/** The types that the walk needs to know how many operands come and go. */
export interface Signatures {
  readonly types: readonly (FunctionType | undefined)[];
  readonly functions: readonly (FunctionType | undefined)[];
}

export class UnknownInstruction extends Error {
  constructor(readonly opcode: string) {
    super(`instruction ${opcode} is not known`);
  }
}

const UNKNOWN: Operand = { kind: "unknown" };

interface Frame {
  readonly base: number;
  readonly results: number;
}

/** Bytes that the accesses 0x28 (i32.load) to 0x3e (i64.store32) touch. */
const ACCESS_SIZES = [4, 8, 4, 8, 1, 1, 2, 2, 1, 1, 2, 2, 4, 4, 4, 8, 4, 8, 1, 2, 1, 2, 4];

/** Of the instructions after 0xfc: the indices that follow, the operands taken and the results. */
const BULK: readonly (readonly [indices: number, inputs: number, outputs: number])[] = [
  // i32.trunc_sat_f32_s and the seven like it
  ...Array.from({ length: 8 }, () => [0, 1, 1] as const),
  [2, 3, 0], // memory.init
  [1, 0, 0], // data.drop
  [2, 3, 0], // memory.copy
  [1, 3, 0], // memory.fill
  [2, 3, 0], // table.init
  [1, 0, 0], // elem.drop
  [2, 3, 0], // table.copy
  [1, 2, 1], // table.grow
  [1, 0, 1], // table.size
  [1, 3, 0], // table.fill
];
/** Those that store into a table: table.init, table.copy, table.fill. */
const TABLE_CHANGES = new Set([12, 14, 17]);

export const MEMORY_INIT = 8;
export const MEMORY_COPY = 10;
export const MEMORY_FILL = 11;
const MEMORY_RANGES = new Set([MEMORY_INIT, MEMORY_COPY, MEMORY_FILL]);

/** A visitor that takes no notice of anything: what others begin with. */
export const IGNORE: Visitor = {
  call: () => {},
  indirectCall: () => {},
  access: () => {},
  setLocal: () => {},
  mask: () => {},
  constant: () => {},
  functionReference: () => {},
  tableChange: () => {},
  memorySize: () => {},
  memoryGrow: () => {},
};

/** As walk; false when the body has an instruction that is not known, up to which it was walked. */
export function walkIfKnown(...args: Parameters<typeof walk>): boolean {
  try {
    walk(...args);
    return true;
  } catch (error) {
    if (error instanceof UnknownInstruction) return false;
    throw error;
  }
}

/** Walks the body at bytes[start, end): its local declarations and its instructions. */
export function walk(bytes: Uint8Array, start: number, end: number, signatures: Signatures, visitor: Visitor): void {
  new Walk(bytes, start, end, signatures, visitor).run();
}

class Walk {
  readonly #stack: Operand[] = [];
  readonly #frames: Frame[] = [{ base: 0, results: 1 }];
  readonly #r: Reader;

  constructor(
    bytes: Uint8Array,
    start: number,
    end: number,
    readonly signatures: Signatures,
    readonly visitor: Visitor,
  ) {
    this.#r = new Reader(bytes, start, end);
  }

  run(): void {
    const r = this.#r;
    for (let groups = r.count(); groups > 0; groups--) {
      r.u32();
      // a reference type is more than a byte long
      const type = r.byte();
      if (type === 0x63 || type === 0x64) r.skipNumber();
    }
    while (!r.done) {
      if (this.#frames.length === 0) throw malformed(r.at, "an instruction behind the end of a function");
      this.#instruction(r.byte());
    }
    if (this.#frames.length > 0) throw malformed(r.at, "a function whose blocks do not end");
  }

  // The stack

  #push(operand: Operand = UNKNOWN): void {
    this.#stack.push(operand);
  }

  #raw(): Operand {
    const { base } = this.#frames[this.#frames.length - 1]!;
    return this.#stack.length > base ? this.#stack.pop()! : UNKNOWN;
  }

  /** Pops a value that is used as a value: a constant among them is told. */
  #pop(): Operand {
    const operand = this.#raw();
    if (operand.kind === "const") this.visitor.constant(operand.value);
    return operand;
  }

  /** Pops `inputs`, pushes `outputs` unknown ones. */
  #shape(inputs: number, outputs: number): void {
    for (let i = 0; i < inputs; i++) this.#pop();
    for (let i = 0; i < outputs; i++) this.#push();
  }

  /** Control goes elsewhere, with the top of the stack perhaps. */
  #unreachable(): void {
    this.#pop();
    this.#stack.length = this.#frames[this.#frames.length - 1]!.base;
  }

  #enter(params: number, results: number): void {
    // parameters stay where they are; nothing below the base may be popped within
    const base = Math.max(this.#stack.length - params, this.#frames[this.#frames.length - 1]!.base);
    this.#frames.push({ base, results });
  }

  #leave(): void {
    const top = this.#pop();
    const frame = this.#frames.pop()!;
    this.#stack.length = frame.base;
    if (this.#frames.length === 0) return;
    for (let i = 1; i < frame.results; i++) this.#push();
    // the value that falls through represents those of the branches too
    if (frame.results > 0) this.#push(top);
  }

  // Immediates

  /** Alignment, the memory's index if there is one, and the offset. */
  #memarg(): number {
    if (this.#r.u32() & 0x40) this.#r.u32();
    return this.#r.u32();
  }

  #blockType(): { params: number; results: number } {
    const code = this.#r.peek();
    if (code === 0x40) {
      this.#r.byte();
      return { params: 0, results: 0 };
    }
    // value types are negative one-byte numbers; type indices are not
    if (code >= 0x40 && code < 0x80) {
      this.#r.byte();
      if (code === 0x63 || code === 0x64) this.#r.skipNumber();
      return { params: 0, results: 1 };
    }
    return this.#arity(this.signatures.types, this.#index("type"));
  }

  #index(kind: "function" | "global" | "type"): number {
    const start = this.#r.at;
    const index = this.#r.u32();
    this.visitor.linkedIndex?.(kind, index, start, this.#r.at);
    return index;
  }

  #arity(types: readonly (FunctionType | undefined)[], index: number): { params: number; results: number } {
    if (index >= types.length) throw malformed(this.#r.at, `a function or type ${index}, which is not there,`);
    const type = types[index];
    if (type === undefined) throw new UnknownInstruction("of a type that is no function's");
    return { params: type.params.length, results: type.results.length };
  }

  // Instructions

  #instruction(op: number): void {
    if (op >= 0x45 && op <= 0xc4) this.#numeric(op);
    else if (op >= 0x28 && op <= 0x3e) this.#access(op);
    else if (op >= 0x20 && op <= 0x26) this.#variable(op);
    else if (op < 0x20) this.#control(op);
    else {
      switch (op) {
        case 0x3f:
          this.#r.u32();
          this.visitor.memorySize();
          this.#push();
          return;
        case 0x40:
          this.#r.u32();
          this.visitor.memoryGrow();
          this.#shape(1, 1);
          return;
        case 0x41:
          this.#push({ kind: "const", value: this.#r.s32() >>> 0 });
          return;
        case 0x42: // i64.const
        case 0xd0: // ref.null
          this.#r.skipNumber();
          this.#push();
          return;
        case 0x43: // f32.const
        case 0x44: // f64.const
          this.#r.take(op === 0x43 ? 4 : 8);
          this.#push();
          return;
        case 0xd1:
          this.#shape(1, 1);
          return;
        case 0xd2:
          this.visitor.functionReference(this.#index("function"));
          this.#push();
          return;
        case 0xd3: // ref.eq
          this.visitor.newer?.();
          this.#shape(2, 1);
          return;
        case 0xd4: // ref.as_non_null
          this.visitor.newer?.();
          return;
        case 0xd5: // br_on_null: the reference stays when it falls through
          this.visitor.newer?.();
          this.#r.u32();
          return;
        case 0xd6: // br_on_non_null
          this.visitor.newer?.();
          this.#r.u32();
          this.#shape(1, 0);
          return;
        case 0xfc:
          this.#bulk(this.#r.at - 1);
          return;
        case 0xfd:
          this.#simd(this.#r.u32());
          return;
        case 0xfe:
          this.#atomic(this.#r.at - 1);
          return;
        default:
          throw new UnknownInstruction(`0x${op.toString(16)}`);
      }
    }
  }

  #control(op: number): void {
    switch (op) {
      case 0x00: // unreachable
      case 0x05: // else: the stack as its arm finds it is unknown
      case 0x0f: // return
      case 0x19: // catch_all, as else
        this.#unreachable();
        return;
      case 0x01:
        return;
      case 0x02:
      case 0x03:
      case 0x06: {
        const { params, results } = this.#blockType();
        this.#enter(params, results);
        return;
      }
      case 0x04: {
        this.#pop();
        const { params, results } = this.#blockType();
        this.#enter(params, results);
        return;
      }
      case 0x07: // catch, as else
      case 0x08: // throw
      case 0x09: // rethrow
      case 0x0c: // br
        this.#r.u32();
        this.#unreachable();
        return;
      case 0x0a: // throw_ref
        this.visitor.newer?.();
        this.#unreachable();
        return;
      case 0x0b:
        this.#leave();
        return;
      case 0x0d:
        this.#r.u32();
        this.#pop();
        return;
      case 0x0e:
        for (let targets = this.#r.count() + 1; targets > 0; targets--) this.#r.u32();
        this.#pop();
        this.#unreachable();
        return;
      case 0x10:
      case 0x12: {
        const start = this.#r.at - 1;
        const callee = this.#index("function");
        const site = { start, end: this.#r.at };
        const { params, results } = this.#arity(this.signatures.functions, callee);
        const last = params > 0 ? this.#pop() : undefined;
        for (let i = 1; i < params; i++) this.#pop();
        this.visitor.call(callee, last, site);
        if (op === 0x12) {
          this.#unreachable();
          return;
        }
        if (results === 1) {
          this.#push({ kind: "result", callee, offset: 0 });
          return;
        }
        this.#shape(0, results);
        return;
      }
      case 0x11:
      case 0x13:
      case 0x14:
      case 0x15: {
        const start = this.#r.at - 1;
        if (op >= 0x14) this.visitor.newer?.();
        const type = this.#index("type");
        const { params, results } = this.#arity(this.signatures.types, type);
        this.visitor.indirectCall(
          op < 0x14 ? { type, table: this.#r.u32(), tail: op === 0x13, start, end: this.#r.at } : undefined,
        );
        this.#shape(params + 1, results);
        if (op === 0x13 || op === 0x15) this.#unreachable();
        return;
      }
      case 0x18: // delegate
        this.#r.u32();
        this.#leave();
        return;
      case 0x1a:
        this.#raw();
        return;
      case 0x1b:
      case 0x1c: {
        if (op === 0x1c) for (let types = this.#r.count(); types > 0; types--) this.#r.skipNumber();
        this.#pop();
        const [second, first] = [this.#pop(), this.#pop()];
        this.#push(first.kind === "unknown" || first.kind === "const" ? second : first);
        return;
      }
      case 0x1f: {
        this.visitor.newer?.();
        const { params, results } = this.#blockType();
        for (let clauses = this.#r.count(); clauses > 0; clauses--) {
          if (this.#r.u32() < 2) this.#r.u32();
          this.#r.u32();
        }
        this.#enter(params, results);
        return;
      }
      default:
        throw new UnknownInstruction(`0x${op.toString(16)}`);
    }
  }

  #variable(op: number): void {
    const index = op === 0x23 || op === 0x24 ? this.#index("global") : this.#r.u32();
    switch (op) {
      case 0x20:
        this.#push({ kind: "local", local: index, offset: 0 });
        return;
      case 0x21:
        this.visitor.setLocal(index, this.#pop());
        return;
      case 0x22: {
        const value = this.#pop();
        this.visitor.setLocal(index, value);
        this.#push(value.kind === "unknown" ? { kind: "local", local: index, offset: 0 } : value);
        return;
      }
      case 0x23:
        this.#push();
        return;
      case 0x24:
        this.#shape(1, 0);
        return;
      case 0x25:
        this.#shape(1, 1);
        return;
      default:
        this.visitor.tableChange();
        this.#shape(2, 0);
        return;
    }
  }

  #access(op: number): void {
    const offset = this.#memarg();
    const size = ACCESS_SIZES[op - 0x28]!;
    if (op >= 0x36) {
      this.#pop();
      this.visitor.access(this.#raw(), offset, size, true);
      return;
    }
    const address = this.#raw();
    this.visitor.access(address, offset, size, false);
    const based = address.kind === "local" || address.kind === "result";
    this.#push(based ? { kind: "word", base: address, offset, size } : UNKNOWN);
  }

  #numeric(op: number): void {
    if (op === 0x6a || op === 0x6b) {
      const [second, first] = [this.#raw(), this.#raw()];
      this.#push(op === 0x6a ? this.#sum(first, second) : this.#difference(first, second));
      return;
    }
    if (op === 0x71) {
      const [second, first] = [this.#raw(), this.#raw()];
      if (second.kind === "const") this.visitor.mask(first, second.value);
      else if (first.kind === "const") this.visitor.mask(second, first.value);
      this.#push();
      return;
    }
    this.#shape(isUnary(op) ? 1 : 2, 1);
  }

  #sum(first: Operand, second: Operand): Operand {
    if (second.kind === "const") return this.#displaced(first, second.value | 0);
    if (first.kind === "const") return this.#displaced(second, first.value | 0);
    if (first.kind === "sum") return first;
    return second.kind === "sum" ? second : UNKNOWN;
  }

  #difference(first: Operand, second: Operand): Operand {
    if (second.kind === "const") return this.#displaced(first, -(second.value | 0) | 0);
    return first.kind === "sum" ? first : UNKNOWN;
  }

  #displaced(operand: Operand, by: number): Operand {
    // Of two constants the sum is told, by whoever takes it.
    if (operand.kind !== "const") this.visitor.constant(by >>> 0);
    return displaced(operand, by) ?? { kind: "sum", offset: by };
  }

  /** The topmost operands, which stay. */
  #top(count: number): Operand[] {
    const { base } = this.#frames[this.#frames.length - 1]!;
    return this.#stack.length - count >= base ? this.#stack.slice(this.#stack.length - count) : [];
  }

  /** `start`: where the instruction begins. */
  #bulk(start: number): void {
    const op = this.#r.u32();
    const shape = BULK[op];
    if (shape === undefined) throw new UnknownInstruction(`0xfc ${op}`);
    const [indices, inputs, outputs] = shape;
    if (TABLE_CHANGES.has(op)) this.visitor.tableChange();
    for (let i = 0; i < indices; i++) this.#r.u32();
    if (MEMORY_RANGES.has(op)) {
      const site = { start, end: this.#r.at };
      this.visitor.checkedAccess?.({ ...site, op, atomic: false, offset: 0, operands: this.#top(inputs) });
    }
    this.#shape(inputs, outputs);
  }

  #simd(op: number): void {
    if (op <= 11 || (op >= 84 && op <= 93)) {
      const offset = this.#memarg();
      const lane = op >= 84 && op <= 91;
      if (lane) this.#r.byte();
      const store = op === 11 || (op >= 88 && op <= 91);
      if (lane || store) this.#pop();
      this.visitor.access(this.#raw(), offset, 16, store);
      if (!store) this.#push();
      return;
    }
    if (op === 12 || op === 13) {
      this.#r.take(16);
      if (op === 12) this.#push();
      else this.#shape(2, 1);
      return;
    }
    if (op >= 21 && op <= 34) {
      this.#r.byte();
      this.#shape(LANE_REPLACE.has(op) ? 2 : 1, 1);
      return;
    }
    if (op > 0xff) this.visitor.newer?.();
    if (op > 0x113) throw new UnknownInstruction(`0xfd ${op}`);
    this.#shape(SIMD_TERNARY.has(op) ? 3 : SIMD_UNARY.has(op) ? 1 : 2, 1);
  }

  /** `start`: where the instruction begins. */
  #atomic(start: number): void {
    const op = this.#r.u32();
    if (op === 3) {
      this.#r.byte();
      return;
    }
    const offset = this.#memarg();
    const values = op >= 0x48 || op === 1 || op === 2 ? 2 : op >= 0x10 && op <= 0x16 ? 0 : 1;
    const operands = this.#top(1 + values);
    this.visitor.checkedAccess?.({ start, end: this.#r.at, op, atomic: true, offset, operands });
    for (let i = 0; i < values; i++) this.#pop();
    const store = op >= 0x17;
    this.visitor.access(this.#raw(), offset, 8, store);
    // read-modify-write is both
    if (op > 0x1d) this.visitor.access(UNKNOWN, 0, 8, false);
    if (op < 0x17 || op > 0x1d) this.#push();
  }
}

/** eqz, clz, ctz, popcnt, the float unaries, conversions, sign extensions; the other numeric ones take two. */
function isUnary(op: number): boolean {
  return (
    op === 0x45 ||
    op === 0x50 ||
    (op >= 0x67 && op <= 0x69) ||
    (op >= 0x79 && op <= 0x7b) ||
    (op >= 0x8b && op <= 0x91) ||
    (op >= 0x99 && op <= 0x9f) ||
    op >= 0xa7
  );
}

const LANE_REPLACE = new Set([23, 26, 28, 30, 32, 34]);
const SIMD_TERNARY = new Set([82, 0x105, 0x106, 0x107, 0x108, 0x109, 0x10a, 0x10b, 0x10c, 0x113]);
const SIMD_UNARY = new Set([
  ...[
    15, 16, 17, 18, 19, 20, 77, 83, 94, 95, 96, 97, 98, 99, 100, 103, 104, 105, 106, 116, 117, 122, 124, 125, 126, 127,
  ],
  ...[128, 129, 131, 132, 135, 136, 137, 138, 148, 160, 161, 163, 164, 167, 168, 169, 170, 192, 193, 195, 196],
  ...[199, 200, 201, 202, 224, 225, 227, 236, 237, 239, 248, 249, 250, 251, 252, 253, 254, 255],
  ...[0x101, 0x102, 0x103, 0x104],
]);
