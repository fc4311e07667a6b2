/**
 * The host's part of sampling: the functions that a flavour with samples imports from "gomalloc"
 * (assembly/base/hooks.ts has the contract).
 *
 * One object for each instance, on the thread that the instance runs on. Cost: that of a stack (profile/capture.ts) for
 * each sample, and nothing between them.
 */

import { M_PROFILE_GUARD, M_PROFILE_RATE, M_QUARANTINE, MAX_PROFILE_RATE, PROFILE_SEED } from "../base/abinumbers.js";
import { boolean, namesOf, readOptions, show, u32, within } from "../base/check.js";
import { Capturer } from "../profile/capture.js";
import { MAX_FRAMES, REPORT_AT, STACK_FRAMES, STACK_RATE, STACK_TEXT_BYTES, STACK_TEXTS } from "../snapshot/layout.js";
import { Budget } from "./budget.js";
import { type DamageReport, printReport, readReport } from "./report.js";

/** What is sampled, and what is done with it. */
export interface SamplingOptions {
  /**
   * Mean bytes allocated between two samples, up to 0x70000000; 1: every block, 0: none. Default 524288, as in Go. A
   * smaller one is more exact and costs more.
   */
  rate?: number | undefined;
  /**
   * The most of the thread's time that stacks may take, 0 to 1. Where they take more, the mean distance between two
   * samples doubles for those to come, up to 1024 times `rate`; the numbers stay unbiased and become less exact. Default
   * 0.01 at the default rate, and 1, no bound, where `rate` or "all" is given.
   */
  budget?: number | undefined;
  /**
   * Guarded blocks: true puts red zones around sampled blocks of malloc of up to 256 KiB and holds freed ones in
   * quarantine, and reports writes outside of blocks and into freed ones; "all" does so with every block (rate 1), for
   * tests. Default false.
   */
  guard?: boolean | "all" | undefined;
  /** Most bytes of freed blocks in quarantine. Default 1 MiB. */
  quarantine?: number | undefined;
  /** Where the random numbers of the sampling begin, an unsigned word. Default: another in each heap. */
  seed?: number | undefined;
  /**
   * Called with each report of a damaged block. It may throw: the exception comes out of the call of the heap that found
   * the damage. It may not call the heap. Default: the report goes to console.error, with frames as numbers.
   */
  onReport?: ((report: DamageReport) => void) | undefined;
  /**
   * Called at the first sample after the memory has grown, before that sample counts: the moment to read a heap near its
   * peak, by readSamples and readSnapshot. What it throws comes out of the call of the heap. It may not call the heap.
   * Default: nothing.
   */
  onGrowth?: ((memory: WebAssembly.Memory) => void) | undefined;
}

export const SAMPLING_OPTIONS = namesOf<SamplingOptions>({
  rate: 0,
  budget: 0,
  guard: 0,
  quarantine: 0,
  seed: 0,
  onReport: 0,
  onGrowth: 0,
});

/** Go's default. */
export const DEFAULT_RATE = 512 * 1024;
const DEFAULT_QUARANTINE = 1 << 20;
const DEFAULT_BUDGET = 0.01;

/** A memory, or how to find one that the instance itself exports: it is asked for at the first sample. */
export type HookMemory = WebAssembly.Memory | (() => WebAssembly.Memory | undefined);

/** The imports of module "gomalloc" of a program that samples. */
export interface ProfileImports extends WebAssembly.ModuleImports {
  option(param: number): number;
  stack(buffer: number, max: number): number;
  report(kind: number, sample: number): void;
}

/**
 * The imports `gomalloc` of an instance over `memory`:
 *
 *   const gomalloc = profileImports(() => instance.exports.memory, { rate: 65536 });
 *   const instance = await WebAssembly.instantiate(module, { gomalloc, ... });
 *
 * Samples that are taken before the memory is known, by a start function, have no stack. Throws RangeError and TypeError
 * for bad options.
 */
export function profileImports(memory: HookMemory, options: SamplingOptions = {}): ProfileImports {
  const checked = checkSampling(options);
  const values = optionValues(checked);
  const { onReport = printReport, onGrowth } = checked;
  const find = typeof memory === "function" ? memory : () => memory;
  const capturer = new Capturer();
  const budget = budgetOf(checked);
  const frames = new Uint32Array(MAX_FRAMES);
  const encoder = new TextEncoder();
  let view = new DataView(new ArrayBuffer(0));
  const viewOf = ({ buffer }: WebAssembly.Memory) => {
    if (view.buffer !== buffer) view = new DataView(buffer);
    return view;
  };
  // Texts that have found no room are given the next time.
  let texts: ReturnType<Capturer["takeTexts"]> = [];
  // `find` is the program's: should it allocate, the sample that this makes due has no stack.
  let inside = false;
  // Of the memory when it was last looked at.
  let bytes: number | undefined;

  const write = (buffer: number, max: number): number => {
    const began = budget?.before() ?? 0;
    const into = find();
    if (into === undefined) return 0;
    const asked = budget === null ? 0 : viewOf(into).getUint32(buffer >>> 0, true);
    if (onGrowth !== undefined) {
      const { byteLength } = into.buffer;
      const grown = bytes !== undefined && byteLength > bytes;
      bytes = byteLength;
      if (grown) onGrowth(into);
    }
    const count = capturer.capture(frames, Math.min(max, frames.length));
    const page = buffer >>> 0;
    const words = viewOf(into);
    words.setFloat64(page, Date.now(), true);
    for (let i = 0; i < count; i++) words.setUint32(page + STACK_FRAMES + i * 4, frames[i]!, true);
    texts = texts.concat(capturer.takeTexts());
    if (texts.length > 0) texts = writeTexts(words, page, texts, encoder);
    if (budget !== null) {
      const rate = budget.after(began, asked, words.getUint32(page + STACK_RATE, true));
      words.setUint32(page + STACK_RATE, rate, true);
    }
    return count;
  };

  return {
    option: (param) => values.get(param) ?? 0,

    stack(buffer, max) {
      if (inside) return 0;
      inside = true;
      try {
        return write(buffer, max);
      } finally {
        inside = false;
      }
    },

    report(kind, sample) {
      const from = find();
      if (from === undefined) return;
      const count = capturer.capture(frames, frames.length);
      texts = texts.concat(capturer.takeTexts());
      onReport(readReport(from, kind, sample >>> 0, Array.from(frames.subarray(0, count)), texts));
    },
  };
}

/** Write texts behind the frames; those that have no room there. */
function writeTexts(
  words: DataView,
  page: number,
  texts: ReturnType<Capturer["takeTexts"]>,
  encoder: TextEncoder,
): ReturnType<Capturer["takeTexts"]> {
  let at = page + STACK_TEXTS;
  let done = 0;
  for (const [number, text] of texts) {
    const bytes = encoder.encode(text);
    const end = at + 8 + ((bytes.length + 3) & ~3);
    if (end > page + REPORT_AT) break;
    words.setUint32(at, number, true);
    words.setUint32(at + 4, bytes.length, true);
    new Uint8Array(words.buffer).set(bytes, at + 8);
    at = end;
    done++;
  }
  words.setUint32(page + STACK_TEXT_BYTES, at - page - STACK_TEXTS, true);
  return texts.slice(done);
}

/** Null: stacks may take what they take. */
function budgetOf({ rate, guard, budget }: SamplingOptions): Budget | null {
  const share = budget ?? (rate === undefined && guard !== "all" ? DEFAULT_BUDGET : 1);
  const base = guard === "all" ? 1 : (rate ?? DEFAULT_RATE);
  return share >= 1 || base === 0 ? null : new Budget(share, base, clock);
}

/** Milliseconds. */
function clock(): number {
  return typeof performance === "object" ? performance.now() : Date.now();
}

/** What gomalloc.option answers, by parameter. */
function optionValues(checked: SamplingOptions): ReadonlyMap<number, number> {
  const { rate, guard = false, quarantine = DEFAULT_QUARANTINE, seed } = checked;
  return new Map([
    [M_PROFILE_RATE, guard === "all" ? 1 : (rate ?? DEFAULT_RATE)],
    [M_PROFILE_GUARD, guard === false ? 0 : 1],
    [M_QUARANTINE, quarantine],
    [PROFILE_SEED, seed ?? Math.floor(Math.random() * 2 ** 32)],
  ]);
}

/** The options when all of them are right. Throws RangeError, TypeError. */
export function checkSampling(given: SamplingOptions): SamplingOptions {
  const options = readOptions(given, SAMPLING_OPTIONS, "profile");
  const { rate, budget, guard, quarantine, seed } = options;
  for (const name of ["onReport", "onGrowth"] as const) {
    const given = options[name];
    if (given !== undefined && typeof given !== "function") throw new TypeError(`${name} must be a function`);
  }
  if (rate !== undefined) within(rate, 0, MAX_PROFILE_RATE, "rate");
  if (budget !== undefined && !(typeof budget === "number" && budget >= 0 && budget <= 1)) {
    throw new RangeError(`budget must be a share of the time, 0 to 1: ${show(budget)}`);
  }
  if (quarantine !== undefined) u32(quarantine, "quarantine");
  if (seed !== undefined) u32(seed, "seed");
  if (guard !== undefined && guard !== "all") boolean(guard, "guard");
  if (guard === "all" && rate !== undefined && rate !== 1) {
    throw new TypeError(
      `guard "all" guards every block, which is rate 1, and rate is ${show(rate)}: leave rate out (samplingFromEnv gives it ` +
        "where GODEBUG has memprofilerate), or take guard true",
    );
  }
  return options;
}
