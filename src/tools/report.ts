/**
 * What a link did, as data and as text.
 */

import { orToolError } from "../wasm/errors.js";
import type { FlavourName, Growth } from "./allocator.js";
import { aBoolean, aNumber, aString, choice, listOf, optional, type Reader, shaped } from "./shape.js";

export interface LinkReport {
  /** What was bound, in the order of the program's imports. */
  readonly bound: readonly { readonly module: string; readonly name: string }[];
  /** "archive": the program has the allocator from libgomalloc.a, and nothing was merged. */
  readonly flavour: FlavourName | "archive";
  /** First address of the heap, when it is known. */
  readonly heapBase?: number;
  /**
   * Where the heap base comes from; "end": the program has kept an allocator of its own, which has the initial memory,
   * and the heap begins behind it; "program": its own code calls init; "archive": the linker said it to libgomalloc.a;
   * "none": the heap grows memory of its own.
   */
  readonly heapBaseFrom: "option" | "export" | "name" | "shim" | "end" | "program" | "archive" | "none";
  readonly memory: {
    readonly imported: boolean;
    /** There when it is shared: the flavour is the one for threads. */
    readonly shared?: boolean;
    /** In pages of 64 KiB; `before` is there when the link raised them. */
    readonly initial: number;
    readonly maximum?: number;
    readonly before?: { readonly initial: number; readonly maximum?: number };
  };
  readonly growth: Growth;
  /** When the memory is shared: the program's exports and imports at which a thread gives its P up. */
  readonly threadEnds?: readonly string[];
  /** When the memory is shared: instructions that compare with the memory's size first. */
  readonly compares?: number;
  /** What a misused free or realloc does. */
  readonly misuse: "trap" | "hook";
  /** The program's own thin functions over the imported family, inlined with it. */
  readonly wrappers: readonly string[];
  /**
   * Calls through pointers that compare with these functions first, the program's own or imported ones, and call them
   * directly.
   */
  readonly pointers: readonly { readonly functions: readonly string[]; readonly calls: number }[];
  /** Calls that stay calls, of functions that are inlined where they are called from few places, if anywhere. */
  readonly crowds: readonly { readonly function: string; readonly calls: number }[];
  readonly optimize: string;
  readonly inline: boolean;
  /** In bytes: the program, the allocator as built, the result. */
  readonly size: { readonly before: number; readonly allocator: number; readonly after: number };
  readonly names: "kept" | "none" | "removed";
  readonly sourceMap: boolean;
  /** Whether this engine found the result valid; "unknown": it does not know the input's features either. */
  readonly validated: "yes" | "unknown";
  readonly warnings: readonly string[];
}

const HEAP_BASE_FROM: Record<LinkReport["heapBaseFrom"], string> = {
  option: "as given",
  export: "the exported global __heap_base",
  name: "the global named __heap_base",
  shim: "as the shim says",
  end: "behind the program's own allocator",
  program: "the program calls init itself",
  archive: "as the linker said",
  none: "unknown: the heap grows memory of its own",
};

const limits = { initial: aNumber, maximum: optional(aNumber) };

/** A link's report. */
export const aLinkReport: Reader<LinkReport> = shaped<LinkReport>({
  bound: listOf(shaped({ module: aString, name: aString })),
  flavour: choice(["malloc", "host", "archive"]),
  heapBase: optional(aNumber),
  heapBaseFrom: choice(Object.keys(HEAP_BASE_FROM) as LinkReport["heapBaseFrom"][]),
  memory: shaped<LinkReport["memory"]>({
    imported: aBoolean,
    shared: optional(aBoolean),
    ...limits,
    before: optional(shaped<NonNullable<LinkReport["memory"]["before"]>>(limits)),
  }),
  growth: aString as Reader<Growth>,
  threadEnds: optional(listOf(aString)),
  compares: optional(aNumber),
  misuse: choice(["trap", "hook"]),
  wrappers: listOf(aString),
  pointers: listOf(shaped({ functions: listOf(aString), calls: aNumber })),
  crowds: listOf(shaped({ function: aString, calls: aNumber })),
  optimize: aString,
  inline: aBoolean,
  size: shaped({ before: aNumber, allocator: aNumber, after: aNumber }),
  names: choice(["kept", "none", "removed"]),
  sourceMap: aBoolean,
  validated: choice(["yes", "unknown"]),
  warnings: listOf(aString),
});

/**
 * The report in lines of text, without a line's end at the last. Throws ToolError "option" for what is no link's
 * report.
 */
export function formatReport(given: LinkReport): string {
  const report = readReport(aLinkReport, given, "link");
  const { memory, size } = report;
  const lines: [string, string][] = [
    ["bound", report.bound.map(({ module, name }) => `${module}.${name}`).join(", ")],
    ["flavour", report.flavour + (memory.shared ? ", for threads" : "")],
    ["heap base", (report.heapBase === undefined ? "" : `${report.heapBase}, `) + HEAP_BASE_FROM[report.heapBaseFrom]],
    ["memory", memoryText(memory) + (memory.before ? `, raised from ${limitsText(memory.before)}` : "")],
    ["growth", report.growth],
    ...(report.threadEnds === undefined ? [] : [threadLine(report.threadEnds)]),
    ...compareLines(report),
    misuseLine(report),
    [
      "optimised",
      `-${report.optimize}${report.inline ? ", malloc and free inlined" : ""}` +
        (report.wrappers.length > 0 ? ` through ${report.wrappers.join(", ")}` : ""),
    ],
    ...callLines(report),
    [
      "size",
      `${size.before} bytes${size.allocator > 0 ? ` and ${size.allocator} of the allocator` : ""} -> ${size.after}`,
    ],
    ["names", report.names],
    ["source map", report.sourceMap ? "carried over" : "none"],
    ["valid", report.validated === "yes" ? "yes" : "unknown: this engine does not know what the input uses"],
  ];
  return reportText(lines, report.warnings);
}

/** The report of `tool` that a caller hands in, checked. Throws ToolError "option". */
export function readReport<T>(read: Reader<T>, given: T, tool: string): T {
  const fix = `Pass the report that ${tool}() has resolved with: const { report } = await ${tool}(program).`;
  return orToolError(() => read(given, "report"), fix);
}

/** What a misused free or realloc does. */
export function misuseLine({ misuse }: LinkReport): [string, string] {
  return ["misuse", misuse === "hook" ? "calls gomalloc_on_misuse" : "traps"];
}

function threadLine(ends: readonly string[]): [string, string] {
  return [
    "threads",
    ends.length > 0 ? `give their P up at ${ends.join(", ")}` : "call gomalloc_thread_exit themselves",
  ];
}

function compareLines({ compares }: LinkReport): [string, string][] {
  if (compares === undefined) return [];
  return [["compares", `${compares} bulk and atomic instruction${compares === 1 ? "" : "s"} with the memory's size`]];
}

/** Lines about calls through pointers and about those that stay calls, where there are any. */
export function callLines({ pointers, crowds }: LinkReport): [string, string][] {
  const listed = (label: string, groups: readonly { names: string; calls: number }[]): [string, string][] => {
    const texts = groups.map(({ names, calls }) => `${names} (${calls} call${calls === 1 ? "" : "s"})`);
    return texts.length === 0 ? [] : [[label, texts.join(", ")]];
  };
  return [
    ...listed(
      "pointers",
      pointers.map(({ functions, calls }) => ({ names: functions.join(" or "), calls })),
    ),
    ...listed(
      "not inlined",
      crowds.map((crowd) => ({ names: crowd.function, calls: crowd.calls })),
    ),
  ];
}

/** Lines of a label and a value, then the warnings. */
export function reportText(lines: readonly [string, string][], warnings: readonly string[]): string {
  const text = lines.map(([label, value]) => `${label.padEnd(12)}${value}`);
  return [...text, ...warnings.map((warning) => `warning: ${warning}`)].join("\n");
}

function memoryText({ imported, shared, ...limits }: LinkReport["memory"]): string {
  return `${imported ? "imported" : "defined"}, ${limitsText(limits)}${shared ? ", shared" : ""}`;
}

function limitsText({ initial, maximum }: { initial: number; maximum?: number }): string {
  return `${initial} to ${maximum ?? "any number of"} pages`;
}
