/**
 * Reports of damaged blocks: what was found, where the block came from, and who may have done it.
 *
 * A report holds stacks as frame numbers (profile/types.ts), as they were taken; names come from describeReport, which
 * may run elsewhere and later. Cost: that of the report.
 */
import { MISUSE_DOUBLE_FREE, MISUSE_OVERFLOW, MISUSE_UNDERFLOW, MISUSE_WRITE_AFTER_FREE } from "../base/abinumbers.js";
import { isAllocator } from "../profile/allocators.js";
import { Locations } from "../profile/profile.js";
import { formatStack } from "../profile/table.js";
import type { SymbolSource } from "../profile/types.js";
import { SAMPLE_AT } from "../snapshot/layout.js";
import { MemoryWords } from "../snapshot/memory.js";
import { doubleAt, stackAt, textsIn } from "./read.js";

/**
 * overflow, underflow: bytes behind the block, or before it, were written while it lived. write-after-free: bytes of the
 * freed block. double-free: the block was freed again while it was in quarantine.
 */
export type DamageKind = "overflow" | "underflow" | "write-after-free" | "double-free";

const KINDS: ReadonlyMap<number, DamageKind> = new Map([
  [MISUSE_DOUBLE_FREE, "double-free"],
  [MISUSE_OVERFLOW, "overflow"],
  [MISUSE_UNDERFLOW, "underflow"],
  [MISUSE_WRITE_AFTER_FREE, "write-after-free"],
]);

/** A damaged block. Stacks are leaf first; empty when unknown. Times are milliseconds of Unix time. */
export interface DamageReport {
  readonly kind: DamageKind;
  /** The block, and the bytes that were asked for. */
  readonly address: number;
  readonly size: number;
  /** Where and when it was allocated. */
  readonly allocated: readonly number[];
  readonly allocatedAt: number;
  /** Where and when it was freed; undefined when it is not. */
  readonly freed?: readonly number[];
  readonly freedAt?: number;
  /** The call that found the damage; of findDamage empty, because no call did. */
  readonly found: readonly number[];
  /** When the block was last seen whole: the damage was done later. */
  readonly wholeAt: number;
  /** Texts of the frames from 2^31 on. */
  readonly texts: ReadonlyMap<number, string>;
}

/** The report of the sample at `at`, found by the stack `found`. `known`: texts that may not be in the memory yet. */
export function readReport(
  memory: WebAssembly.Memory,
  kind: number,
  at: number,
  found: readonly number[],
  known: Iterable<readonly [number: number, text: string]>,
): DamageReport {
  const words = new MemoryWords(memory);
  const field = (name: keyof typeof SAMPLE_AT) => words.word(at + SAMPLE_AT[name]);
  const freedAt = doubleAt(words, at + SAMPLE_AT.freeTime);
  const allocated = stackAt(words, field("bucket"));
  const freed = stackAt(words, field("freeBucket"));
  const all = new Map([...textsIn(memory), ...known]);
  const frames = [...allocated, ...freed, ...found].filter((frame) => all.has(frame));
  return {
    kind: KINDS.get(kind) ?? "overflow",
    address: field("ptr"),
    size: field("size"),
    allocated,
    allocatedAt: doubleAt(words, at + SAMPLE_AT.time),
    ...(freedAt > 0 ? { freed, freedAt } : {}),
    found,
    wholeAt: doubleAt(words, at + SAMPLE_AT.checked),
    texts: new Map(frames.map((frame) => [frame, all.get(frame)!])),
  };
}

const TITLES: Record<DamageKind, string> = {
  overflow: "bytes behind the block were written",
  underflow: "bytes before the block were written",
  "write-after-free": "the block was written after it had been freed",
  "double-free": "the block was freed twice",
};

/**
 * The report as text of several lines, with names from `symbols` if it is given. Frames of the allocator at the top of a
 * stack are left out where names tell them.
 */
export function describeReport(report: DamageReport, symbols?: SymbolSource): string {
  const { kind, address, size, allocated, allocatedAt, freed, freedAt, found, wholeAt } = report;
  const hex = `0x${address.toString(16)}`;
  const ago = (time: number) => `${Math.max(0, Date.now() - time).toFixed(0)} ms ago`;
  const lines = [`gomalloc: ${kind} of ${hex}, ${size} bytes: ${TITLES[kind]}`];
  if (kind !== "double-free") lines.push(`  it was last seen whole ${ago(wholeAt)}`);
  const stacks: [string, readonly number[]][] = [
    ...(found.length === 0 ? [] : [["found by", found] as [string, readonly number[]]]),
    [`allocated ${ago(allocatedAt)} by`, allocated],
    ...(freed === undefined ? [] : [[`freed ${ago(freedAt!)} by`, freed] as [string, readonly number[]]]),
  ];
  const locations = new Locations(report.texts, symbols, isAllocator);
  for (const [title, stack] of stacks) {
    lines.push(`  ${title}`, formatStack(locations.stackOf(stack)).trimEnd() || "    (no stack)");
  }
  return lines.join("\n");
}

/** What is done with a report when nothing else is said. */
export function printReport(report: DamageReport): void {
  console.error(describeReport(report));
}
