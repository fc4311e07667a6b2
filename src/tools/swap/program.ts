/**
 * A program as the swap sees it: its functions with their facts, who calls whom, what can be reached at all.
 *
 * Reachable is what exports, the start function, tables and references lead to; the rest is dead code that the
 * optimiser will drop and that therefore neither helps nor hinders. Cost: one walk over the code.
 */

import { sameType } from "../../base/family.js";
import { ToolError } from "../../wasm/errors.js";
import { UnknownInstruction } from "../../wasm/instructions.js";
import type { FunctionType, ModuleInfo } from "../../wasm/parse.js";
import { collectFacts, type FunctionFacts, referencedFunctions, StaticData } from "./facts.js";
import type { RoleName } from "./rolenames.js";
import { ROLES } from "./roles.js";

export class Program {
  readonly facts: ReadonlyMap<number, FunctionFacts>;
  readonly data: StaticData;
  /** Functions that can be called from outside the code: exports, start, tables, references. */
  readonly roots: ReadonlySet<number>;
  /** Functions that can ever run. */
  readonly live: ReadonlySet<number>;
  /** Live callers of each function. */
  readonly callers: ReadonlyMap<number, ReadonlySet<number>>;
  /** Initial value of the stack pointer, when the module has one that looks like it. */
  readonly stackTop: number | undefined;
  readonly #exportNames = new Map<number, string[]>();

  /** Throws ToolError "malformed" for code that the analysis cannot read. */
  constructor(
    readonly bytes: Uint8Array,
    readonly info: ModuleInfo,
  ) {
    this.facts = readFacts(bytes, info);
    this.data = new StaticData(bytes, info);
    const roots = referencedFunctions(info);
    for (const { references } of this.facts.values()) for (const index of references) roots.add(index);
    for (const { kind, index, name } of info.exports) {
      if (kind !== "function") continue;
      roots.add(index);
      const names = this.#exportNames.get(index);
      if (names === undefined) this.#exportNames.set(index, [name]);
      else names.push(name);
    }
    if (info.start !== undefined) roots.add(info.start);
    this.roots = roots;
    this.live = this.reachable(roots);
    this.callers = this.#findCallers();
    this.stackTop = info.globals.find(
      ({ type, mutable, value }) => type === "i32" && mutable && (value ?? 0) >= 1024,
    )?.value;
  }

  get size(): number {
    return this.info.functions.length;
  }

  type(index: number): FunctionType | undefined {
    return this.info.functions[index];
  }

  /** Whether it is defined here and has the type of `role`. */
  fits(index: number, role: RoleName): boolean {
    const type = this.type(index);
    return type !== undefined && !this.isImport(index) && sameType(type, ROLES[role].type);
  }

  isImport(index: number): boolean {
    return index < this.info.importedFunctions;
  }

  exportsOf(index: number): readonly string[] {
    return this.#exportNames.get(index) ?? [];
  }

  nameOf(index: number): string | undefined {
    return this.info.functionNames.get(index);
  }

  /** A function as messages call it. */
  label(index: number): string {
    const name = this.nameOf(index) ?? this.exportsOf(index)[0];
    return name === undefined ? `function ${index}` : `${name} (function ${index})`;
  }

  /** `from` and everything that they call, directly or not. */
  reachable(from: Iterable<number>): Set<number> {
    const found = new Set<number>();
    const queue = [...from];
    for (let index = queue.pop(); index !== undefined; index = queue.pop()) {
      if (found.has(index)) continue;
      found.add(index);
      const facts = this.facts.get(index);
      for (const callee of facts?.calls ?? []) queue.push(callee);
    }
    return found;
  }

  /** Functions that only `members` and each other use: what would be dead if the members called nothing. */
  internalsOf(members: ReadonlySet<number>): Set<number> {
    const inner = this.reachable(members);
    for (const index of inner)
      if (members.has(index) || this.isImport(index) || this.roots.has(index)) inner.delete(index);
    // A function that is called from outside is not internal, nor is a function that such a one calls.
    const outside = [...inner].filter((index) => {
      for (const caller of this.callers.get(index) ?? []) if (!inner.has(caller) && !members.has(caller)) return true;
      return false;
    });
    for (let index = outside.pop(); index !== undefined; index = outside.pop()) {
      if (!inner.delete(index)) continue;
      for (const callee of this.facts.get(index)?.calls ?? []) if (inner.has(callee)) outside.push(callee);
    }
    return inner;
  }

  #findCallers(): Map<number, Set<number>> {
    const callers = new Map<number, Set<number>>();
    for (const index of this.live) {
      for (const callee of this.facts.get(index)?.calls ?? []) {
        const known = callers.get(callee);
        if (known) known.add(index);
        else callers.set(callee, new Set([index]));
      }
    }
    return callers;
  }
}

function readFacts(bytes: Uint8Array, info: ModuleInfo): Map<number, FunctionFacts> {
  try {
    return collectFacts(bytes, info);
  } catch (error) {
    if (!(error instanceof UnknownInstruction)) throw error;
    throw new ToolError(
      "unsure",
      `the code has an ${error.message}, so what touches the allocator's state cannot be told`,
      "Build the program without that proposal, or against gomalloc's shim and use gomalloc link.",
      { cause: error },
    );
  }
}
