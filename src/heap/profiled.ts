/**
 * A heap that samples its allocations: the Heap of gomalloc/profile.
 *
 * Owner: the thread of the heap. Cost: a stack of some 10 us for each sample, one in `rate` bytes; reading is O(buckets +
 * samples) and calls nothing of the module.
 */
import { type HooksOver, type HostExports, M_PROFILE_GUARD, M_PROFILE_RATE, M_QUARANTINE } from "../base/abi.js";
import { boolean, namesOf, object, reading, readOptions } from "../base/check.js";
import { findLeaks, type Leak, type LeakOptions } from "../profile/leaks.js";
import { buildProfile } from "../profile/profile.js";
import type { Profile, SymbolSource } from "../profile/types.js";
import { sampledBlocks } from "../sampling/blocks.js";
import { checkSampling, profileImports, type SamplingOptions } from "../sampling/hooks.js";
import { readSamples, type SampledHeap } from "../sampling/read.js";
import { type DamageReport, describeReport } from "../sampling/report.js";
import { HEAP_ZEROBASE } from "../snapshot/layout.js";
import type { HeapSnapshot } from "../snapshot/snapshot.js";
import type { CreateHeapAsyncOptions, CreateHeapOptions, HeapKind, HeapParts } from "./create.js";
import { Heap, type HeapSnapshotOptions, SNAPSHOT_OPTIONS } from "./heap.js";
import type { DefaultModule } from "./module.js";
import { notePlace, placeOf } from "./place.js";

export interface HeapProfileOptions {
  /**
   * With the collector: run a whole cycle first, so that the profile shows what is reachable now. Default false: it shows
   * the heap as of the end of the last cycle.
   */
  gc?: boolean | undefined;
}

const PROFILE_OPTIONS = namesOf<HeapProfileOptions>({ gc: 0 });

/** Of leaks: the heap knows the time and its cycles. */
export type HeapLeakOptions = Omit<LeakOptions, "time" | "cycle">;

const LEAK_OPTIONS = namesOf<HeapLeakOptions>({
  program: 0,
  symbols: 0,
  isRuntime: 0,
  unscaled: 0,
  olderThan: 0,
  cycles: 0,
});

/** Names of the heap's own module: all of it is the allocator's, so its frames are left out. */
export const CORE: SymbolSource = {
  frames: () => [{ function: "gomalloc_core" }],
  functionFrames: () => [{ function: "gomalloc_core" }],
};

export class ProfiledHeap extends Heap {
  readonly #mallopt: HostExports["mallopt"];

  /** For createHeap and createHeapAsync. */
  constructor(...args: HeapParts) {
    super(...args);
    this.#mallopt = args[0].mallopt;
    notePlace(this, () => this.mallocgc(0, null, false) - HEAP_ZEROBASE);
  }

  /**
   * The heap profile: what was allocated and what is in use, by stack. encodePprof and formatTop turn it into a file and
   * a table. Throws CollectorUnavailableError with `gc` in a heap whose module has no collector.
   */
  profile(options: HeapProfileOptions = {}): Profile {
    return buildProfile(this.samples(options), { symbols: CORE });
  }

  /** What was sampled, as it was counted: without the scaling of `profile`, and with the live blocks one by one. */
  samples(options: HeapProfileOptions = {}): SampledHeap {
    const { gc = false } = readOptions(options, PROFILE_OPTIONS, "profile");
    if (boolean(gc, "gc")) this.collector.collect();
    return samplesOf(this);
  }

  /**
   * Sampled blocks that have lived long, by stack, largest first; see findLeaks. Throws RangeError and TypeError for bad
   * options.
   */
  leaks(options: HeapLeakOptions = {}): Leak[] {
    return leaksOf(this, options);
  }

  /** The snapshot of any heap, with the sampled blocks: their age and stacks. */
  override snapshot(options: HeapSnapshotOptions = {}): HeapSnapshot {
    const given = readOptions(options, SNAPSHOT_OPTIONS, "snapshot");
    return super.snapshot({ samples: sampledBlocks(this.samples(), { symbols: CORE }), ...given });
  }

  /**
   * Changes what is sampled from now on. Counts stay, but a profile is scaled by the last rate alone: set it once, early.
   * `seed` and `onReport` are those of the heap's creation. Throws RangeError, TypeError.
   */
  setSampling(options: Pick<SamplingOptions, "rate" | "guard" | "quarantine">): void {
    const { rate, guard, quarantine } = checkSampling(options);
    const values = [
      [M_PROFILE_RATE, guard === "all" ? 1 : rate],
      [M_PROFILE_GUARD, guard === undefined ? undefined : Number(guard !== false)],
      [M_QUARANTINE, quarantine],
    ] as const;
    // Throws when the heap was disposed of.
    void this.memory;
    for (const [param, value] of values) if (value !== undefined) this.#mallopt(param, value);
  }
}

/** A profiled heap's options: those of any heap, and what is sampled. */
export interface ProfiledHeapOptions extends CreateHeapOptions {
  profile?: SamplingOptions | undefined;
}

export interface ProfiledHeapAsyncOptions extends CreateHeapAsyncOptions {
  profile?: SamplingOptions | undefined;
}

/** The option `profile` of a call, and its others. Throws TypeError. */
export function splitOptions<T extends { readonly profile?: unknown }>(
  given: T,
  call: string,
): [profile: T["profile"], others: Omit<T, "profile">] {
  const what = `the options of ${call}`;
  object(given, what);
  return reading(what, () => {
    const { profile, ...others } = given;
    return [profile, others];
  });
}

/** What a module that samples imports, for a heap of JavaScript. Throws RangeError, TypeError. */
export function samplingHooks(options: SamplingOptions | undefined): HooksOver {
  const { onReport, ...others } = checkSampling(options ?? {});
  const report = onReport ?? ((damage: DamageReport) => console.error(describeReport(damage, CORE)));
  return (memory) => profileImports(memory, { ...others, onReport: report });
}

/** The kind of a profiled heap with these options. Throws RangeError, TypeError. */
export function profiledKind(module: DefaultModule, options: SamplingOptions | undefined): HeapKind<ProfiledHeap> {
  return { module, hooks: samplingHooks(options), Class: ProfiledHeap };
}

/** A heap that samples, whichever entry has made it: its memory has everything. */
export interface Sampling {
  readonly memory: WebAssembly.Memory;
}

/** What samplesOf gives, whichever heap it is. Throws what profileOf throws. */
export function samplesOf(heap: Sampling): SampledHeap {
  object(heap, "heap");
  const place = placeOf(heap);
  // A heap's own says what is wrong with it; of another object the property may be anything.
  const memory = place === undefined ? reading("heap.memory", () => heap.memory) : heap.memory;
  return readSamples(memory, { heap: place });
}

/**
 * The profile of a heap in JavaScript, of one thread or of several, from any of them. Throws ProfileError for a heap that
 * does not sample. Of another object with a `memory`, the one heap in that is meant: SnapshotError when there are several.
 */
export function profileOf(heap: Sampling): Profile {
  return buildProfile(samplesOf(heap), { symbols: CORE });
}

/** The old sampled blocks of such a heap, by stack, largest first; see findLeaks. Throws what profileOf throws. */
export function leaksOf(heap: Sampling, options: HeapLeakOptions = {}): Leak[] {
  const given = readOptions(options, LEAK_OPTIONS, "leaks");
  const samples = samplesOf(heap);
  return findLeaks(samples, samples.live, { symbols: CORE, ...given, time: Date.now(), cycle: samples.cycle });
}
