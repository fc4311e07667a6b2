/**
 * A strict reader of Go's GODEBUG=gctrace=1 line, written from how Go's runtime prints it and not from ours: it takes no
 * line that Go could not have printed. And lines that Go programs have printed, as people have published them.
 */
import type { GCCycle } from "../../../src/gc/gctrace.ts";

/** A time as Go's fmtNSAsMS has it: 0; 0.001 to 0.099; 0.10 to 0.99; 1.0 to 9.9; whole milliseconds from 10 on. */
const MS = String.raw`(0|0\.0(?!00)\d\d|0\.[1-9]\d|[1-9]\.\d|[1-9]\d+)`;
/** A number as print has it. */
const INT = String.raw`(0|[1-9]\d*)`;
/** Seconds as itoaDiv has them with three decimals. */
const SECONDS = String.raw`((?:0|[1-9]\d*)\.\d{3})`;

const LINE = new RegExp(
  `^gc ${INT} @${SECONDS}s ${INT}%: ` +
    `${MS}\\+${MS}\\+${MS} ms clock, ${MS}\\+${MS}/${MS}/${MS}\\+${MS} ms cpu, ` +
    `${INT}->${INT}->${INT} MB, ${INT} MB goal, ${INT} MB stacks, ${INT} MB globals, ${INT} P( \\(forced\\))?$`,
);

const MIB = 2 ** 20;

/** The cycle that a line tells of; null: Go prints no such line. */
export function readGoTrace(line: string): GCCycle | null {
  const match = LINE.exec(line);
  if (match === null) return null;
  const n = match.slice(1, -1).map(Number) as number[];
  const at = (i: number) => n[i]!;
  return {
    number: at(0),
    startedAt: Math.round(at(1) * 1000),
    // In the middle of the percent that it was cut off to.
    utilization: (at(2) + 0.5) / 100,
    clock: { sweepTermination: at(3), mark: at(4), markTermination: at(5) },
    cpu: { sweepTermination: at(6), assist: at(7), background: at(8), idle: at(9), markTermination: at(10) },
    heapStart: at(11) * MIB,
    heapEnd: at(12) * MIB,
    heapMarked: at(13) * MIB,
    goal: at(14) * MIB,
    stacks: at(15) * MIB,
    globals: at(16) * MIB,
    procs: at(17),
    forced: match.at(-1) !== undefined,
  };
}

/** The line of Go 1.18 and later, with stacks and globals: the first four from golang/go issues 52515, 54649 and 68643. */
export const PUBLISHED = [
  "gc 1 @0.128s 16%: 0.025+251+0.002 ms clock, 0.20+0.13/502/1506+0.019 ms cpu, 1526->1526->1525 MB, 1526 MB goal, 0 MB stacks, 0 MB globals, 8 P",
  "gc 2 @0.380s 18%: 0.040+111+0.004 ms clock, 0.32+0/221/663+0.034 ms cpu, 1525->1525->1525 MB, 3052 MB goal, 0 MB stacks, 0 MB globals, 8 P (forced)",
  "gc 1 @0.016s 19%: 0.053+36+0.016 ms clock, 0.21+36/4.9/39+0.066 ms cpu, 3->3->3 MB, 4 MB goal, 66 MB stacks, 0 MB globals, 4 P",
  "gc 1 @3.003s 0%: 0.012+0.15+0.003 ms clock, 0.29+0/0.16/0+0.074 ms cpu, 4->4->4 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 24 P",
  "gc 3 @0.003s 5%: 0+0.51+0 ms clock, 0+0.51/1.5/0+0 ms cpu, 30->30->0 MB, 30 MB goal, 0 MB stacks, 0 MB globals, 14 P",
  "gc 2 @0.013s 3%: 0+2.1+0 ms clock, 0+0/2.6/2.6+0 ms cpu, 14->14->14 MB, 11 MB goal, 0 MB stacks, 0 MB globals, 8 P",
  "gc 1 @0.000s 23%: 0.007+8.8+0.014 ms clock, 0.061+0.076/17/16+0.11 ms cpu, 62->68->68 MB, 62 MB goal, 0 MB stacks, 0 MB globals, 8 P",
  "gc 3 @0.216s 2%: 0.032+10+0.009 ms clock, 0.26+0/20/0.10+0.077 ms cpu, 246->253->194 MB, 261 MB goal, 0 MB stacks, 0 MB globals, 8 P",
  "gc 3 @0.209s 0%: 0.013+0.36+0.012 ms clock, 0.21+0/0.20/0+0.19 ms cpu, 161->161->79 MB, 164 MB goal, 0 MB stacks, 0 MB globals, 16 P",
  "gc 2 @3.608s 0%: 0.045+0.11+0.002 ms clock, 0.54+0/0.11/0+0.028 ms cpu, 100->100->100 MB, 200 MB goal, 0 MB stacks, 0 MB globals, 12 P (forced)",
];

/** Lines that differ from Go's in one detail. */
export const NOT_GO = [
  "gc 1 @0.016s 19%: 0.053+36.0+0.016 ms clock, 0.21+36/4.9/39+0.066 ms cpu, 3->3->3 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 4 P",
  "gc 1 @0.016s 19%: 0.053+36+0.016 ms clock, 0.210+36/4.9/39+0.066 ms cpu, 3->3->3 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 4 P",
  "gc 1 @0.016s 19%: 0.000+36+0.016 ms clock, 0.21+36/4.9/39+0.066 ms cpu, 3->3->3 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 4 P",
  "gc 1 @0.016s 19%: 0.053+36+0.016 ms clock, 0.21+36/4/39+0.066 ms cpu, 3->3->3 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 4 P",
  "gc 1 @0.16s 19%: 0.053+36+0.016 ms clock, 0.21+36/4.9/39+0.066 ms cpu, 3->3->3 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 4 P",
  "gc 1 @0.016s 19%: 0.053+36+0.016 ms clock, 0.21+36/4.9/39+0.066 ms cpu, 3->3->3 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 4 P(forced)",
  "gc 1 @0.016s 19%: 0.053+36+0.016 ms clock, 0.21+36/4.9/39+0.066 ms cpu, 3->3->3 KB, 4 KB goal, 0 KB stacks, 0 KB globals, 4 P",
  "gc 1 @0.016s 19.5%: 0.053+36+0.016 ms clock, 0.21+36/4.9/39+0.066 ms cpu, 3->3->3 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 4 P",
];
