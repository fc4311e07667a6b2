/**
 * What a swap did, as data and as text.
 */
import { many } from "../../base/plural.js";
import { aLinkReport, callLines, type LinkReport, misuseLine, readReport, reportText } from "../report.js";
import { aNumber, aString, choice, listOf, optional, type Reader, shaped } from "../shape.js";
import type { FoundBy } from "./members.js";
import { ROLE_NAMES, type RoleName } from "./rolenames.js";

export interface SwapReport {
  /** What the old allocator is, as far as it was recognised. */
  readonly kind: "dlmalloc" | "rust" | "unknown";
  readonly members: readonly {
    readonly role: RoleName;
    readonly index: number;
    readonly name?: string;
    /** How it was found; "behaviour": it was called on its own and did what the role does. */
    readonly by: FoundBy;
    readonly exports: readonly string[];
  }[];
  /** Functions that only the members used. */
  readonly internals: number;
  /** Bytes of code of the members and of what only they used. */
  readonly oldCode: number;
  /** 4-byte words of the old allocator's static state. */
  readonly stateWords: number;
  /** First address of the heap, when it is known. */
  readonly heapBase?: number;
  /**
   * Where the heap base comes from: the option, a global __heap_base, the first value of sbrk's break, or a constant
   * of the old allocator that its first block confirmed.
   */
  readonly heapBaseFrom: "option" | "global" | "break" | "constant" | "none";
  readonly size: { readonly before: number; readonly after: number };
  /** Whether the result's exported malloc, calloc and realloc were tried on their own. */
  readonly checked: "yes" | "not-possible";
  readonly link: LinkReport;
  readonly warnings: readonly string[];
}

const FROM: Record<SwapReport["heapBaseFrom"], string> = {
  option: "as given",
  global: "the global __heap_base",
  break: "the first value of sbrk's break",
  constant: "a constant of the old allocator, confirmed by its first block",
  none: "unknown: the heap grows memory of its own",
};

const aSwapReport: Reader<SwapReport> = shaped<SwapReport>({
  kind: choice(["dlmalloc", "rust", "unknown"]),
  members: listOf(
    shaped<SwapReport["members"][number]>({
      role: choice(ROLE_NAMES),
      index: aNumber,
      name: optional(aString),
      by: choice(["option", "export", "name", "behaviour"]),
      exports: listOf(aString),
    }),
  ),
  internals: aNumber,
  oldCode: aNumber,
  stateWords: aNumber,
  heapBase: optional(aNumber),
  heapBaseFrom: choice(Object.keys(FROM) as SwapReport["heapBaseFrom"][]),
  size: shaped({ before: aNumber, after: aNumber }),
  checked: choice(["yes", "not-possible"]),
  link: aLinkReport,
  warnings: listOf(aString),
});

/**
 * The report in lines of text, without a line's end at the last. Throws ToolError "option" for what is no swap's
 * report.
 */
export function formatSwapReport(given: SwapReport): string {
  const report = readReport(aSwapReport, given, "swap");
  const { size, link } = report;
  const base = report.heapBase === undefined ? "" : `${report.heapBase}, `;
  const lines: [string, string][] = [
    ["allocator", report.kind === "unknown" ? "of unknown kind" : report.kind],
    ...report.members.map(({ role, index, name, by }, i): [string, string] => {
      const what = by === "behaviour" ? "by its behaviour" : `by ${by}${name === undefined ? "" : ` ${name}`}`;
      return [i === 0 ? "replaced" : "", `${role}: function ${index}, ${what}`];
    }),
    [
      "removed",
      `${report.oldCode} bytes of code, ${many(report.internals, "function")} beside these, ${many(report.stateWords, "word")} of state`,
    ],
    ["heap base", base + FROM[report.heapBaseFrom]],
    ["growth", link.growth],
    ["flavour", link.flavour],
    misuseLine(link),
    ["optimised", `-${link.optimize}${link.inline ? ", malloc and free inlined" : ""}`],
    ...callLines(link),
    ["size", `${size.before} bytes -> ${size.after}`],
    [
      "checked",
      report.checked === "yes" ? "malloc and free work on their own" : "valid; could not be tried on its own",
    ],
  ];
  return reportText(lines, report.warnings);
}
