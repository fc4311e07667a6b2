/**
 * Which language a module seems to come from, of those whose programs have no malloc to replace: told by its imports,
 * exports, names and producers. For messages only; a guess that is wrong changes nothing else.
 */
import type { ModuleInfo } from "../wasm/parse.js";

export interface Origin {
  /** "AssemblyScript", "Go". */
  readonly language: string;
  /** How its memory is managed, for "..., whose programs ...". */
  readonly memory: string;
  /** What to do instead: a sentence. */
  readonly fix: string;
  /** Nothing but that it is small and bare says so. */
  readonly handWritten?: boolean;
}

const NOTHING = "There is nothing to replace: gomalloc serves programs that call malloc, from C, C++, Rust or Zig.";

/** What a module has, in a form that is quick to ask. */
interface Signs {
  readonly modules: ReadonlySet<string>;
  readonly exports: ReadonlySet<string>;
  has(pattern: RegExp): boolean;
  made(pattern: RegExp): boolean;
}

const ORIGINS: readonly (Origin & { readonly when: (signs: Signs) => boolean })[] = [
  {
    language: "AssemblyScript",
    memory: "have a runtime with a collector of its own",
    fix: "Compile it with gomalloc's runtime instead: asc --runtime ./node_modules/gomalloc/rt.",
    when: ({ exports, has, made }) =>
      ["__new", "__pin", "__collect"].some((name) => exports.has(name)) ||
      has(/^~lib\/|^~start$/) ||
      made(/assemblyscript/i),
  },
  {
    language: "TinyGo",
    memory: "are served by a collector",
    fix: NOTHING,
    when: ({ modules, made, has }) => (modules.has("gojs") && has(/^runtime\.(alloc|gc)/)) || made(/tinygo/i),
  },
  {
    language: "Go",
    memory: "are served by Go's own allocator and collector",
    fix: NOTHING,
    when: ({ modules, made, has }) =>
      modules.has("gojs") || modules.has("go") || made(/^Go\b/) || has(/^runtime\.mallocgc$/),
  },
  {
    language: "C# (.NET)",
    memory: "are served by .NET's collector",
    fix: NOTHING,
    when: ({ exports, has }) =>
      [...exports].some((name) => /^(mono_|Dotnet)/.test(name)) || has(/^(mono_wasm_|mono_gc_|RhpNew)/),
  },
  {
    language: "Kotlin",
    memory: "are served by the engine's collector",
    fix: NOTHING,
    when: ({ modules, has, made }) => modules.has("js_code") || has(/^kotlin\./) || made(/kotlin/i),
  },
  {
    language: "Dart",
    memory: "are served by the engine's collector",
    fix: NOTHING,
    when: ({ modules, has }) => modules.has("dart2wasm") || has(/^dart(2wasm|:)/),
  },
  {
    language: "MoonBit",
    memory: "are served by a runtime of their own",
    fix: NOTHING,
    when: ({ modules, has, made }) =>
      [...modules].some((name) => name.startsWith("moonbit:")) ||
      has(/^(\$?moonbit\.|.*\$?@moonbitlang\/)/) ||
      made(/moonbit/i),
  },
  {
    language: "Java (TeaVM)",
    memory: "are served by a collector",
    fix: NOTHING,
    when: ({ modules }) => [...modules].some((name) => /^teavm/.test(name)),
  },
  {
    language: "Scala.js",
    memory: "are served by the engine's collector",
    fix: NOTHING,
    when: ({ modules }) => [...modules].some((name) => name.startsWith("__scalaJS")),
  },
  {
    language: "Grain",
    memory: "have a runtime of their own",
    fix: NOTHING,
    when: ({ modules, has }) => [...modules].some((name) => name.startsWith("GRAIN$")) || has(/^GRAIN\$/),
  },
  {
    language: "Zig",
    memory: "use the allocators that they are given, which need no malloc",
    fix: "Give the program gomalloc as its allocator: native/zig/gomalloc.zig.",
    when: ({ has, made }) =>
      has(/^(heap\.(WasmAllocator|wasm_allocator|arena_allocator)|builtin\.default_panic)/) || made(/^zig\b/i),
  },
];

const BY_ENGINE: Origin = {
  language: "a language with a garbage collector (it has types of the GC proposal)",
  memory: "are served by the engine's collector",
  fix: NOTHING,
};
/** A module of so few functions without names and producers was written by hand, or made for a test. */
const HAND_WRITTEN: Origin = {
  language: "hand-written WebAssembly text",
  memory: "have the memory that they take themselves",
  fix:
    "Import malloc and free from module gomalloc and use gomalloc link; or, if a compiler made it, keep the function names " +
    "(emscripten: --profiling-funcs; clang: no -s, no --strip-all; Rust: -C strip=none), or tell malloc and free with the option family.",
  handWritten: true,
};
const FEW_FUNCTIONS = 12;

/** Undefined when it may be a program of C, C++ or Rust, or nothing is known of it. */
export function originOf(info: ModuleInfo): Origin | undefined {
  const names = [...info.functionNames.values(), ...info.imports.map(({ name }) => name)];
  const signs: Signs = {
    modules: new Set(info.imports.map(({ module }) => module)),
    exports: new Set(info.exports.map(({ name }) => name)),
    has: (pattern) => names.some((name) => pattern.test(name)),
    made: (pattern) => info.producers.some((producer) => pattern.test(producer)),
  };
  const known = ORIGINS.find(({ when }) => when(signs));
  if (known !== undefined) return known;
  if (info.gc) return BY_ENGINE;
  const bare = info.producers.length === 0 && info.targetFeatures === undefined && !info.named;
  return bare && info.bodies.length <= FEW_FUNCTIONS ? HAND_WRITTEN : undefined;
}

/** A function of gomalloc's own core, under the name that a link leaves it where the program's names are kept. */
const CORE =
  /^((assembly|gomalloc)\/(alloc\/(malloc|free|init|misuse)|heap\/(pagealloc|mheap|persistent))\/|gomalloc\/start$)/;

/** What is wrong with a module that gomalloc has been linked or swapped into already; told by function names only. */
export function alreadyLinked({ functionNames }: ModuleInfo): { message: string; fix: string } | undefined {
  const found = [...functionNames.values()].find((name) => CORE.test(name));
  if (found === undefined) return undefined;
  return {
    message: `gomalloc is in the module already (function ${found}): it was linked or swapped before`,
    fix: "Use the module as it is, or give the one from which it was made.",
  };
}

/** "the module seems to be Go's, whose programs are served by ..." */
export function originText({ language, memory }: Origin): string {
  return `the module seems to come from ${language}, whose programs ${memory}`;
}
