/**
 * The whole allocator in a program: the family's members, the functions that only they use, the state they share.
 *
 * Members are found by name (the option, exports, the name section) and, where malloc and free are not named, by
 * dlmalloc's way to free. Then whatever else touches the state or reads chunk headers must be a member too, and is
 * one only if it behaves so when it is called on its own (probe.ts). What remains unknown is refused: the swap would
 * leave it working on a heap that is not there.
 */
import { many } from "../../base/plural.js";
import { ToolError, type ToolErrorCode } from "../../wasm/errors.js";
import { alreadyLinked, originOf, originText } from "../origin.js";
import { findHeaderReaders, freesLikeDlmalloc } from "./headers.js";
import { type Pair, Probe } from "./probe.js";
import type { Program } from "./program.js";
import type { RoleName } from "./rolenames.js";
import { ROLES, roleOfName } from "./roles.js";
import { findState, findTrespassers, liesIn, type State, type Touch, touchedWords } from "./state.js";

export type FoundBy = "option" | "export" | "name" | "behaviour";

export interface Member {
  readonly index: number;
  readonly role: RoleName;
  readonly by: FoundBy;
}

export interface OldAllocator {
  /** Live ones, by function index. */
  readonly members: ReadonlyMap<number, Member>;
  /** Functions that only the members use. */
  readonly internals: ReadonlySet<number>;
  readonly state: State;
  readonly kind: "dlmalloc" | "rust" | "unknown";
  /** Import that grows the memory. */
  readonly growImport: number | undefined;
  /** First block of a fresh instance, when the allocator runs on its own. */
  readonly firstBlock: number | undefined;
}

const SHIM =
  "Build the program against gomalloc's shim and use gomalloc link, or tell the function's role with the option family.";
const SPECIALISED =
  "Build the program against gomalloc's shim and use gomalloc link. Where an optimiser has left constant arguments out " +
  "of calloc, realloc or aligned_alloc, build with -O1, or with clang compile with -O2 -c and link without -O; where a " +
  "function is a plain member of the family, tell its role with the option family.";
/** Tried in this order for a function that is in the way: no function passes the test of an earlier entry. */
const GUESSES: readonly RoleName[] = [
  ...(["realloc", "calloc", "memalign", "posix_memalign", "malloc_usable_size", "malloc", "free"] as const),
];
/** A state of fewer words is no allocator's that has to be looked for. */
const LEAST_WORDS = 4;
/** A family has no more unnamed members and helpers than this. */
const MOST_SUSPECTS = 16;
/** No program has more functions that free as dlmalloc does, more beside them that may be malloc, or more members. */
const MOST_FREES = 16;
const MOST_MALLOCS = 64;
const MOST_MEMBERS = 256;

/**
 * `family`: roles told by the caller, each with an export's or function's name or a function index. Throws ToolError.
 */
export function findAllocator(
  program: Program,
  family: Readonly<Partial<Record<RoleName, string | number>>>,
): OldAllocator {
  return new Search(program).run(family);
}

class Search {
  readonly #members = new Map<number, Member>();
  readonly #probe: Probe;

  constructor(readonly program: Program) {
    this.#probe = new Probe(program);
  }

  run(family: Readonly<Partial<Record<RoleName, string | number>>>): OldAllocator {
    const { program } = this;
    const already = alreadyLinked(program.info);
    if (already !== undefined) throw new ToolError("no-allocator", already.message, already.fix);
    this.#takeTold(family);
    this.#takeNamed();
    if (this.#of("malloc") === undefined && this.#of("rust_alloc") === undefined) this.#findByStructure();
    const rust = this.#of("malloc") === undefined && this.#of("rust_alloc") !== undefined;
    const malloc = this.#need(rust ? "rust_alloc" : "malloc");
    const free = this.#need(rust ? "rust_dealloc" : "free");
    const growImport = findGrowImport(program, malloc);
    const pair = { malloc, free, rust, growImport };
    const seen = this.#probe.observe(pair);

    for (;;) {
      if (this.#members.size > MOST_MEMBERS) throw this.#tooMany([...this.#members.keys()]);
      const members = new Set(this.#members.keys());
      const internals = program.internalsOf(members);
      const allocator = new Set([...members, ...internals]);
      const state = findState(program, allocator, seen?.changed);
      if (state.words.size === 0) throw this.#noState(malloc);
      const suspects = this.#suspects(allocator, members, state);
      if (suspects.size === 0) {
        this.#checkOneAllocator(state);
        const frees = [...members].filter((index) => freesLikeDlmalloc(program.facts.get(index)));
        const kind = rust ? "rust" : frees.length > 0 ? "dlmalloc" : "unknown";
        return { members: this.#members, internals, state, kind, growImport, firstBlock: seen?.firstBlock };
      }
      if (!this.#identifyOne(suspects, allocator, state, pair)) throw this.#unknownUsers(suspects, allocator, state);
    }
  }

  // By name

  #takeTold(family: Readonly<Partial<Record<RoleName, string | number>>>): void {
    for (const [role, told] of Object.entries(family) as [RoleName, string | number | undefined][]) {
      if (told === undefined) continue;
      if (!Object.hasOwn(ROLES, role)) {
        throw new ToolError("option", `family: no role ${role}`, `Give one of ${Object.keys(ROLES).join(", ")}.`);
      }
      const index = this.#resolve(told);
      if (index === undefined || !this.program.fits(index, role)) {
        const type = ROLES[role].type;
        throw new ToolError(
          "option",
          `family.${role}: the module has no function ${told} of type (${type.params}) -> (${type.results})`,
          "Give the name of an export or a function, or a function's index.",
        );
      }
      this.#members.set(index, { index, role, by: "option" });
    }
  }

  #resolve(told: string | number): number | undefined {
    if (typeof told === "number") return told < this.program.size ? told : undefined;
    const { exports, functionNames } = this.program.info;
    const exported = exports.find(({ name, kind }) => kind === "function" && name === told);
    if (exported) return exported.index;
    return [...functionNames].find(([, name]) => name === told)?.[0];
  }

  /** Members by their exports, the name section, and names as emscripten used to export them (_malloc). */
  #takeNamed(): void {
    const { program } = this;
    for (const index of program.live) {
      if (program.isImport(index) || this.#members.has(index)) continue;
      const exported = program.exportsOf(index).map((name) => roleOfName(name) ?? roleOfName(name.replace(/^_/, "")));
      const name = program.nameOf(index);
      const candidates = [
        ...exported.map((role) => ["export", role] as const),
        ["name", name && roleOfName(name)] as const,
      ];
      for (const [by, role] of candidates) {
        if (!role || !this.program.fits(index, role)) continue;
        this.#members.set(index, { index, role, by });
        break;
      }
    }
  }

  #of(role: RoleName): number | undefined {
    for (const member of this.#members.values()) if (member.role === role) return member.index;
    return undefined;
  }

  #need(role: RoleName): number {
    const index = this.#of(role);
    if (index !== undefined) return index;
    const imported = this.program.info.imports.some(({ name, kind }) => kind === "function" && name === "malloc");
    if (imported) {
      throw new ToolError(
        "no-allocator",
        "the module imports its malloc",
        "Use gomalloc link, which binds such imports.",
      );
    }
    const origin = role === "malloc" ? originOf(this.program.info) : undefined;
    if (origin !== undefined) {
      throw new ToolError("no-allocator", `no malloc was found: ${originText(origin)}`, origin.fix);
    }
    throw new ToolError(
      "no-allocator",
      `no ${role} was found: none is exported or named, and no function frees as dlmalloc does and fits a malloc`,
      "Keep the function names (clang: compile with -O2 -c and link without -O, for with it clang runs a wasm-opt of PATH " +
        "that drops them; no -s, no --strip-all; emscripten: --profiling-funcs; Rust: -C strip=none), tell which functions " +
        "malloc and free are with the option family, or build the program against gomalloc's shim (C: native/gomalloc.c; " +
        "Rust: the crate in native/rust) and use gomalloc link.",
    );
  }

  // By structure and behaviour

  /** malloc and free where neither is named: the one pair that frees like dlmalloc and works when it is tried. */
  #findByStructure(): void {
    const { program } = this;
    const told = this.#of("free");
    const frees = told !== undefined ? [told] : [...program.live].filter((index) => this.#freesLikeDlmalloc(index));
    const pairs: Pair[] = [];
    if (frees.length > MOST_FREES) throw this.#tooMany(frees);
    const mallocs = [...program.live].filter((index) => program.fits(index, "malloc"));
    for (const free of frees) {
      const state = findState(program, new Set([free]));
      const beside = mallocs.filter((malloc) => touchedWords(program, malloc, state).certain.size >= LEAST_WORDS);
      if (beside.length > MOST_MALLOCS) throw this.#tooMany([...frees, ...beside]);
      for (const malloc of beside) {
        const pair = { malloc, free, growImport: findGrowImport(program, malloc) };
        if (this.#probe.is("free", free, pair) && this.#probe.isDlmalloc(pair)) pairs.push(pair);
      }
    }
    const [pair, ...more] = pairs;
    if (pair === undefined) return;
    if (more.length > 0) {
      throw new ToolError(
        "unsure",
        `several functions behave as malloc and free: ${pairs.map((p) => `${p.malloc} and ${p.free}`).join("; ")}`,
        "Tell which are to be replaced with the option family.",
      );
    }
    this.#members.set(pair.malloc, { index: pair.malloc, role: "malloc", by: "behaviour" });
    this.#members.set(pair.free, { index: pair.free, role: "free", by: "behaviour" });
  }

  #freesLikeDlmalloc(index: number): boolean {
    return this.program.fits(index, "free") && freesLikeDlmalloc(this.program.facts.get(index));
  }

  /** What is outside the allocator and must not be: users of its state and readers of its headers. */
  #suspects(allocator: ReadonlySet<number>, members: ReadonlySet<number>, state: State): Set<number> {
    const suspects = new Set(findTrespassers(this.program, allocator, state).keys());
    for (const index of findHeaderReaders(this.program, allocator, members)) suspects.add(index);
    return suspects;
  }

  /** Makes one suspect a member. Those that others than suspects call come first: they are no helpers. */
  #identifyOne(suspects: ReadonlySet<number>, allocator: ReadonlySet<number>, state: State, pair: Pair): boolean {
    if (suspects.size > MOST_SUSPECTS) return false;
    for (const index of suspects) {
      const callers = this.program.callers.get(index) ?? new Set();
      const called = this.program.roots.has(index) || [...callers].some((caller) => !suspects.has(caller));
      if (!called) continue;
      const role = this.#guess(index, allocator, state, pair);
      if (role === undefined) continue;
      this.#members.set(index, { index, role, by: "behaviour" });
      return true;
    }
    return false;
  }

  #guess(index: number, allocator: ReadonlySet<number>, state: State, pair: Pair): RoleName | undefined {
    if (this.#isInitialiser(index, allocator, state)) return "initialiser";
    if (pair.rust) return undefined;
    return GUESSES.find((role) => this.#probe.isExactly(role, index, pair));
  }

  /** () -> () that touches the state and no other constant address, and calls no function outside the allocator. */
  #isInitialiser(index: number, allocator: ReadonlySet<number>, state: State): boolean {
    const facts = this.program.facts.get(index);
    if (!this.program.fits(index, "initialiser") || facts === undefined || facts.callsIndirectly) return false;
    return (
      facts.stores &&
      facts.accesses.every(({ address }) => liesIn(state.runs, address)) &&
      [...facts.calls].every((callee) => allocator.has(callee))
    );
  }

  // Refusals

  #checkOneAllocator(state: State): void {
    const mallocs = [...this.#members.values()].filter(({ role }) => role === "malloc" || role === "rust_alloc");
    const reached = mallocs.map(({ index }) => {
      const words = new Set<number>();
      for (const inner of this.program.reachable([index])) {
        for (const word of touchedWords(this.program, inner, state).certain) words.add(word);
      }
      return words;
    });
    for (const [i, words] of reached.entries()) {
      const first = reached[0]!;
      if (i === 0 || [...words].some((word) => first.has(word))) continue;
      const [one, other] = [mallocs[0]!, mallocs[i]!].map(({ index }) => this.program.label(index));
      throw new ToolError(
        "unsure",
        `the module has two allocators: ${one} and ${other} share no state`,
        "Build it with one, or against gomalloc's shim and use gomalloc link.",
      );
    }
  }

  #tooMany(functions: readonly number[]): ToolError {
    const some = functions.slice(0, 3).map((index) => this.program.label(index));
    return new ToolError(
      "unsure",
      `${functions.length} functions look like those of an allocator (${some.join(", ")} and others)`,
      "Tell which are to be replaced with the option family, or build the program with one allocator.",
    );
  }

  #noState(malloc: number): ToolError {
    return new ToolError(
      "no-allocator",
      `${this.program.label(malloc)} keeps no state at fixed addresses, so it is no allocator that can be told apart`,
      SHIM,
    );
  }

  #unknownUsers(suspects: ReadonlySet<number>, allocator: ReadonlySet<number>, state: State): ToolError {
    const trespassers = findTrespassers(this.program, allocator, state);
    const lines = [...suspects].slice(0, 6).map((index) => {
      return `${this.program.label(index)} ${whatTouches(trespassers.get(index))}`;
    });
    const more = suspects.size > lines.length ? `, and ${suspects.size - lines.length} more` : "";
    // A copy of malloc or free uses much of the state from a function that is none of the family's shape.
    const inlined = [...suspects].some((index) => {
      const shaped = GUESSES.some((role) => this.program.fits(index, role));
      return (trespassers.get(index)?.all.size ?? 0) >= LEAST_WORDS && !shaped;
    });
    const [code, why]: [ToolErrorCode, string] = inlined
      ? ["inlined-allocator", "parts of the allocator are inlined into other functions, or it is used past its family"]
      : ["incomplete-family", "functions that belong to the allocator were not recognised"];
    return new ToolError(code, `${why}: ${lines.join("; ")}${more}`, SPECIALISED);
  }
}

/** What a suspect does, as messages say it. */
function whatTouches(touch: Touch | undefined): string {
  if (touch === undefined) return "reads chunk headers";
  const words = `${many(touch.all.size, "word")} of its state`;
  if (touch.certain.size > 0) return `uses ${words}`;
  return `may use ${words} (a guess: it has the address of one of them, or near it, among a variable's values)`;
}

/** emscripten's import that grows the memory: by name, or the only import of its type that malloc leads to. */
function findGrowImport(program: Program, malloc: number): number | undefined {
  const candidates = [...program.reachable([malloc])].filter((index) => {
    const type = program.isImport(index) ? program.type(index) : undefined;
    return type?.params.join() === "i32" && type.results.join() === "i32";
  });
  const imports = program.info.imports.filter(({ kind }) => kind === "function");
  const named = candidates.find((index) => imports[index]?.name === "emscripten_resize_heap");
  return named ?? (candidates.length === 1 ? candidates[0] : undefined);
}
