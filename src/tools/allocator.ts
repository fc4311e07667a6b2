/**
 * Our side of a link: the flavour that has what the program imports, made to fit the program.
 *
 * The built module is taken as text, changed in a few named places and assembled again:
 *   memory      imported from the program's module under a name of the link's own
 *   exports     only what the program imports, each under a prefix, so that no name can clash
 *   growth      memory.grow goes through the program's JavaScript where that must know (emscripten)
 *   misuse      gomalloc_misuse calls the program's hook, if it exports one
 *   start       init(heapBase), then the start function that the program had
 *   heap        the address of the heap's record is a constant when that start function is sure to make it there
 *   threads     where a thread of the program ends, gomalloc_thread_exit gives its P up
 *   hints       malloc and free are to be inlined, gomalloc_misuse is not
 * Invariant: it has one memory and no data, table or start of its own (the build checks it).
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { ENV } from "../base/family.js";
import { ToolError } from "../wasm/errors.js";
import { type FunctionType, inspect, type ModuleInfo } from "../wasm/parse.js";
import { runBinaryen } from "./binaryen.js";

export type FlavourName = "malloc" | "host";

interface Flavour {
  readonly name: FlavourName;
  /** In the package's folder build/. With function names: hints, hooks and stack traces go by them. */
  readonly file: string;
  /** For programs whose memory is shared. */
  readonly shared: boolean;
  /** Samples allocations: the program gets imports of module gomalloc. */
  readonly profile?: true;
}

/** Smallest first: the first that exports all that is needed is taken. */
const FLAVOURS: readonly Flavour[] = [
  { name: "malloc", file: "gomalloc.debug.wasm", shared: false },
  { name: "host", file: "gomalloc-host.debug.wasm", shared: false },
  { name: "malloc", file: "gomalloc-shared.debug.wasm", shared: true },
  { name: "host", file: "gomalloc-host-shared.debug.wasm", shared: true },
  { name: "malloc", file: "gomalloc-profile.debug.wasm", shared: false, profile: true },
  { name: "host", file: "gomalloc-host-profile.debug.wasm", shared: false, profile: true },
  { name: "malloc", file: "gomalloc-shared-profile.debug.wasm", shared: true, profile: true },
  { name: "host", file: "gomalloc-host-shared-profile.debug.wasm", shared: true, profile: true },
];

/** In front of the names by which the two sides find each other; none of them outlives the link. */
export const PREFIX = "gomalloc-link:";
/** The module name under which the program goes into the merge. */
export const PROGRAM = `${PREFIX}program`;

/** How the heap asks for more memory. */
export type Growth =
  /** The instruction. */
  | "memory.grow"
  /** emscripten's import, which grows the memory and renews JavaScript's views of it. */
  | "emscripten"
  /** The instruction, then an import that tells JavaScript. */
  | "notify";

/** The imports that the two other ways of growing call, all of module env. */
export const GROWTH_IMPORTS: Record<Exclude<Growth, "memory.grow">, string> = {
  emscripten: "emscripten_resize_heap",
  notify: "emscripten_notify_memory_growth",
};

export interface Allocator {
  readonly flavour: FlavourName;
  /** One heap for the instances of all threads: it imports a shared memory. */
  readonly shared: boolean;
  /** Its name in build/: which build it is. */
  readonly file: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly info: ModuleInfo;
}

/** Picks the flavour. Throws ToolError: flavour, allocator-missing. */
export async function chooseFlavour(
  needed: readonly string[],
  wanted: FlavourName | undefined,
  shared: boolean,
  profile: boolean,
): Promise<Allocator> {
  let lacking: string[] = [];
  for (const { name, file, ...flavour } of FLAVOURS) {
    if (
      flavour.shared !== shared ||
      (flavour.profile ?? false) !== profile ||
      (wanted !== undefined && name !== wanted)
    )
      continue;
    const bytes = await readBuilt(file);
    const info = inspect(bytes);
    const exported = new Set(info.exports.map((entry) => entry.name));
    lacking = needed.filter((entry) => !exported.has(entry));
    if (lacking.length === 0) return { flavour: name, shared, file, bytes, info };
  }
  throw new ToolError(
    "flavour",
    `the ${wanted ?? "largest"} flavour does not export ${lacking.join(", ")}`,
    wanted === "malloc"
      ? "Leave the flavour out: the one that has them is chosen."
      : "Build the program against the header of this version of gomalloc.",
  );
}

async function readBuilt(file: string): Promise<Uint8Array<ArrayBuffer>> {
  const path = fileURLToPath(new URL(`../../build/${file}`, import.meta.url));
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    throw new ToolError(
      "allocator-missing",
      `the allocator ${file} is not in the package's folder build`,
      "Install the package again; in its repository run npm run build.",
      { cause },
    );
  }
}

/** Pages that init may take at most: its records are some hundred kilobytes. A shared memory must have a maximum. */
const ROOM = 1024;

/** Pages that a memory of `pages` pages has after init(heapBase), if nothing limits it. */
export function pagesAfterInit({ bytes, shared }: Allocator, pages: number, heapBase: number): number {
  const limits = shared ? { initial: pages, maximum: Math.min(pages + ROOM, 65536), shared } : { initial: pages };
  const memory = newMemory(limits);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
    env: { memory },
    gomalloc: NO_SAMPLES,
  });
  (exports["init"] as (heapBase: number) => void)(heapBase);
  return memory.buffer.byteLength / 65536;
}

/** The hooks of a flavour that samples, for an instance in which nothing is allocated. */
const NO_SAMPLES = { option: () => 0, stack: () => 0, report: () => {} };

function newMemory(limits: WebAssembly.MemoryDescriptor): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory(limits);
  } catch (cause) {
    throw new ToolError(
      "memory-maximum",
      `a memory of ${limits.initial} pages, as the module has, cannot be made here: ${(cause as Error).message}`,
      "Close other programs, or build the module with a smaller initial memory.",
      { cause },
    );
  }
}

export interface Fitting {
  /** What stays exported. */
  readonly exports: readonly string[];
  readonly growth: Growth;
  /** The name of an export of the program's module that gomalloc_misuse is to call. */
  readonly misuseHook?: string;
  /** The name under which the program's module exports its memory. */
  readonly memory: string;
  /** When there is one, the module gets a start function that calls init with it. */
  readonly heapBase?: number;
  /**
   * init(heapBase) cannot fail: the memory has all pages that it needs from the beginning, and no other thread makes
   * it.
   */
  readonly certain: boolean;
  /** The name of an export of the program's module for that start function to call afterwards. */
  readonly start?: string;
  /** Functions that are to be inlined wherever they are called. */
  readonly inline: readonly string[];
  /** Where threads end: exports of the program, and what it imports from env. None unless the memory is shared. */
  readonly ends: { readonly exports: readonly ThreadEnd[]; readonly imports: readonly ThreadEnd[] };
}

interface ThreadEnd {
  readonly name: string;
  readonly type: FunctionType;
}

/** In front of the names under which the program exports the functions that end its threads. */
export const THREAD_END = `${PREFIX}end:`;

/** Calls of these are worth their size in every caller. */
export const INLINED: readonly string[] = ["malloc", "free", "free_sized", "realloc", "malloc_usable_size"];
const MISUSE = "gomalloc_misuse";
/** Names in the built modules by which link edits their text. The build checks that they are there. */
export const INTERNAL_NAMES = {
  /** Never inlined: malloc would pay for its registers, and with a known heap address nothing else keeps it out. */
  function: "assembly/alloc/malloc/mallocSlow",
  /** The address of the heap's record: assembly/base/state.ts. */
  global: "assembly/base/state/heap",
} as const;
const MALLOC_SLOW = `$${INTERNAL_NAMES.function}`;
const EXIT = "gomalloc_thread_exit";

/** The allocator as `fitting` wants it, in the text format, which wasm-merge reads too. */
export async function fitAllocator(allocator: Allocator, fitting: Fitting): Promise<string> {
  const text = texts.get(allocator.file) ?? (await disassemble(allocator.bytes));
  texts.set(allocator.file, text);
  return changeText(text, allocator, fitting);
}

/** The flavours' texts by their files, once they have been needed. */
const texts = new Map<string, string>();

async function disassemble(bytes: Uint8Array): Promise<string> {
  const args = ["built.wasm", "--all-features", "-o", "built.wat"];
  const { "built.wat": text } = await runBinaryen("wasm-dis", args, { "built.wasm": bytes }, ["built.wat"]);
  return new TextDecoder().decode(text);
}

/** The text of the built module, changed. Each change must find its place: a text that has none is a bug here. */
function changeText(built: string, { info, shared }: Allocator, fitting: Fitting): string {
  const functionOf = (name: string) => {
    const entry = info.exports.find((candidate) => candidate.name === name);
    const found = entry && info.functionNames.get(entry.index);
    if (found === undefined) throw new Error(`the allocator exports no function ${name}`);
    return `$${found}`;
  };
  const imports: string[] = [];
  const functions: string[] = [];
  let text = built;
  const replace = (from: string | RegExp, to: string) => {
    const changed = text.replace(from, () => to);
    if (changed === text) throw new Error(`the allocator's text has no ${String(from)}`);
    text = changed;
  };

  replace('(import "env" "memory"', `(import "${PROGRAM}" "${fitting.memory}"`);
  if (fitting.growth !== "memory.grow") {
    replace(/\(memory\.grow\b/g, "(call $gomalloc/grow");
    const name = GROWTH_IMPORTS[fitting.growth];
    const result = fitting.growth === "emscripten" ? " (result i32)" : "";
    imports.push(`(import "${ENV}" "${name}" (func $gomalloc/told (param i32)${result}))`);
    functions.push(GROW[shared && fitting.growth === "emscripten" ? "emscripten, shared" : fitting.growth]);
  }
  if (fitting.misuseHook !== undefined) {
    const hook = functionOf(MISUSE);
    imports.push(`(import "${PROGRAM}" "${fitting.misuseHook}" (func $gomalloc/hook (param i32 i32)))`);
    functions.push(`(func ${hook} (param i32 i32) (call $gomalloc/hook (local.get 0) (local.get 1)))`);
    text = removeFunction(text, hook);
  }
  if (fitting.heapBase !== undefined) {
    const calls = [`(call ${functionOf("init")} (i32.const ${fitting.heapBase | 0}))`];
    if (fitting.start !== undefined) {
      imports.push(`(import "${PROGRAM}" "${fitting.start}" (func $gomalloc/program_start))`);
      calls.push("(call $gomalloc/program_start)");
    }
    functions.push(`(func $gomalloc/start ${calls.join(" ")}) (start $gomalloc/start)`);
    if (fitting.certain) {
      replace(
        `(global ${HEAP} (mut i32) (i32.const 0))`,
        `(global ${HEAP} i32 (i32.const ${recordAt(fitting.heapBase)}))`,
      );
      replace(SET_HEAP, "(drop");
    }
  }
  for (const { name, type } of fitting.ends.exports) {
    const [params, gets] = [paramsText(type), type.params.map((_, i) => `(local.get ${i})`).join(" ")];
    imports.push(`(import "${PROGRAM}" "${THREAD_END}${name}" (func $gomalloc/of:${name} ${params}))`);
    functions.push(`(func $gomalloc/end:${name} (export "${PREFIX}${name}") ${params}
      (call $gomalloc/of:${name} ${gets}) (call ${functionOf(EXIT)}))`);
  }
  for (const { name, type } of fitting.ends.imports) {
    const [params, gets] = [paramsText(type), type.params.map((_, i) => `(local.get ${i})`).join(" ")];
    imports.push(`(import "${ENV}" "${name}" (func $gomalloc/of:${name} ${params}))`);
    functions.push(`(func $gomalloc/end:${name} (export "${PREFIX}${name}") ${params}
      (call ${functionOf(EXIT)}) (call $gomalloc/of:${name} ${gets}))`);
  }

  const hints: [string, string][] = fitting.inline.map((name) => [functionOf(name), "7f"]);
  hints.push([MALLOC_SLOW, "00"]);
  if (fitting.misuseHook === undefined) hints.push([functionOf(MISUSE), "00"]);
  for (const [name, hint] of hints) replace(`(func ${name} `, `(@binaryen.inline "\\${hint}") (func ${name} `);

  const kept = fitting.exports.map((name) => `(export "${PREFIX}${name}" (func ${functionOf(name)}))`);
  text = text.replace(/\n \(export [^\n]*/g, "");
  // Imports come first: the text format wants them before everything but types.
  replace(
    `(import "${PROGRAM}" "${fitting.memory}"`,
    `${imports.join("\n")}\n(import "${PROGRAM}" "${fitting.memory}"`,
  );
  return `${text.slice(0, text.lastIndexOf(")"))}${functions.join("\n")}\n${kept.join("\n")}\n)\n`;
}

const HEAP = `$${INTERNAL_NAMES.global}`;
const SET_HEAP = new RegExp(`\\(global\\.set \\${HEAP}\\b`, "g");

/** Where init(heapBase) puts the record: alignRecord of assembly/alloc/init.ts. As i32. */
function recordAt(heapBase: number): number {
  return (Math.max(heapBase, 16) + 15) & ~15;
}

function paramsText({ params }: FunctionType): string {
  return params.length > 0 ? `(param ${params.join(" ")})` : "";
}

/**
 * Each has memory.grow's type and meaning; more pages may come than were asked for. Of a shared memory memory.size may
 * lag behind what other threads have made of it; growing by 0 pages gives the size. There emscripten's JavaScript looks
 * for itself whether the memory has become larger, so the instruction will do: the import is called when that fails,
 * for it aborts in programs that want to end there.
 */
const GROW: Record<Exclude<Growth, "memory.grow"> | "emscripten, shared", string> = {
  emscripten: `(func $gomalloc/grow (param $pages i32) (result i32) (local $before i32)
    (local.set $before (memory.size))
    (if (i32.eqz (call $gomalloc/told (i32.shl (i32.add (local.get $before) (local.get $pages)) (i32.const 16))))
      (then (return (i32.const -1))))
    (if (i32.lt_u (i32.sub (memory.size) (local.get $before)) (local.get $pages)) (then (return (i32.const -1))))
    (local.get $before))`,
  "emscripten, shared": `(func $gomalloc/grow (param $pages i32) (result i32) (local $before i32)
    (local.set $before (memory.grow (local.get $pages)))
    (if (i32.eq (local.get $before) (i32.const -1))
      (then (drop (call $gomalloc/told (i32.shl (i32.add (memory.grow (i32.const 0)) (local.get $pages))
        (i32.const 16))))))
    (local.get $before))`,
  notify: `(func $gomalloc/grow (param $pages i32) (result i32) (local $before i32)
    (local.set $before (memory.grow (local.get $pages)))
    (if (i32.ne (local.get $before) (i32.const -1)) (then (call $gomalloc/told (i32.const 0))))
    (local.get $before))`,
};

/** Cuts the definition of a function out of a module's text, which holds no string with a parenthesis. */
function removeFunction(text: string, name: string): string {
  const from = text.indexOf(`(func ${name} `);
  if (from < 0) throw new Error(`the allocator's text has no function ${name}`);
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "(") depth++;
    else if (text[at] === ")" && --depth === 0) return text.slice(0, from) + text.slice(at + 1);
  }
  throw new Error(`the allocator's function ${name} does not end`);
}
