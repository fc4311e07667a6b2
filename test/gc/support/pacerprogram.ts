/**
 * A program without a clock, for tests of the pacer: one thread, all marking done by its own allocations. Objects are
 * bytes only; what is found alive is a share of what there is.
 */
import type { Random } from "../../support/random.ts";
import type { Pacing } from "./pacer.ts";

export interface Program {
  /** Bytes of an allocation, from..to. */
  from: number;
  to: number;
  /** Share of the heap that a cycle finds alive, least..most; one is drawn for each cycle. */
  least: number;
  most: number;
  /** Share of all bytes that has to be scanned. */
  scannable: number;
  stack: number;
  globals: number;
}

/** What a cycle did. Bytes. */
export interface Run {
  live: number;
  trigger: number;
  /** heapLive at the begin, the goal then, and the assist ratio. */
  start: number;
  goal: number;
  firstRatio: number;
  /** Highest ratio, and the most that one allocation had to scan. */
  highestRatio: number;
  longestAssist: number;
  peak: number;
  work: number;
}

/** Runs until `cycles` cycles are over. */
export function runProgram(p: Pacing, program: Program, r: Random, cycles: number): Run[] {
  const share = (least: number, most: number) => least + (r() / 2 ** 32) * (most - least);
  const draw = (from: number, to: number) => Math.trunc(share(from, to + 1));
  const { from, to, scannable, stack, globals } = program;
  const runs: Run[] = [];
  p.set("globalsScan", globals);
  p.set("maxStackScan", stack);
  p.commit();
  while (runs.length < cycles) {
    const live = p.get("heapLive");
    while (!p.e.shouldStart(p.at)) allocate(draw(from, to));
    const trigger = p.get("trigger");
    const start = p.get("heapLive");
    p.e.startCycle(p.at);
    const alive = Math.trunc(start * share(program.least, program.most));
    let left = Math.trunc(alive * scannable);
    const run: Run = {
      ...{ live, trigger, start, goal: p.get("goal"), firstRatio: p.get("assistWorkPerByte") },
      ...{ highestRatio: 0, longestAssist: 0, peak: 0, work: left + stack + globals },
    };
    p.set("stackScanWork", stack);
    p.set("globalsScanWork", globals);
    p.e.revise(p.at);
    while (left > 0) {
      const size = draw(from, to);
      p.add("assistBytes", -size);
      let did = 0;
      while (p.get("assistBytes") < 0 && left > 0) {
        const work = Math.min(left, Number(p.e.assistWork(p.at, BigInt(-p.get("assistBytes")))));
        left -= work;
        did += work;
        p.add("heapScanWork", work);
        p.e.revise(p.at);
        p.add("assistBytes", Number(p.e.assistCredit(p.at, BigInt(work))));
      }
      allocate(size);
      p.e.revise(p.at);
      run.highestRatio = Math.max(run.highestRatio, p.get("assistWorkPerByte"));
      run.longestAssist = Math.max(run.longestAssist, did);
    }
    run.peak = p.get("heapLive");
    runs.push(run);
    p.e.endCycleUntimed(p.at);
    p.e.resetLive(p.at, BigInt(alive + run.peak - start));
    p.commit();
  }
  return runs;

  function allocate(size: number): void {
    p.add("heapLive", size);
    p.add("heapScan", Math.trunc(size * scannable));
  }
}
