/**
 * A heap that samples its allocations: the Heap of gomalloc/profile.
 *
 * Owner: the thread of the heap. Cost: a stack of some 10 us for each sample, one in `rate` bytes; reading is O(buckets +
 * samples) and calls nothing of the module.
 */
import { type HooksOver, type HostExports, M_PROFILE_GUARD, M_PROFILE_RATE, M_QUARANTINE } from "../base/abi.js";
import { namesOf, readOptions } from "../base/check.js";
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
import { Heap, type HeapSnapshotOptions } from "./heap.js";
import type { DefaultModule } from "./module.js";

export interface HeapProfileOptions {
  /**
   * With the collector: run a whole cycle first, so that the profile shows what is reachable now. Default false: it shows
   * the heap as of the end of the last cycle.
   */
  gc?: boolean | undefined;
}

const PROFILE_OPTIONS = namesOf<HeapProfileOptions>({ gc: 0 });

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
    if (gc) this.collector.collect();
    return readSamples(this.memory, { heap: this.mallocgc(0, null, false) - HEAP_ZEROBASE });
  }

  /**
   * Sampled blocks that have lived long, by stack, largest first; see findLeaks. Throws RangeError and TypeError for bad
   * options.
   */
  leaks(options: Omit<LeakOptions, "time" | "cycle"> = {}): Leak[] {
    return leaksIn(this.samples(), options);
  }

  /** The snapshot of any heap, with the sampled blocks: their age and stacks. */
  override snapshot(options: HeapSnapshotOptions = {}): HeapSnapshot {
    return super.snapshot({ samples: sampledBlocks(this.samples(), { symbols: CORE }), ...options });
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

/**
 * The profile of a heap in JavaScript, of one thread or of several, from any of them. Throws ProfileError for a heap that
 * does not sample, and SnapshotError when its memory has several heaps: then use readSamples and buildProfile.
 */
export function profileOf(heap: Sampling): Profile {
  return buildProfile(readSamples(heap.memory), { symbols: CORE });
}

/** The old sampled blocks of such a heap, by stack, largest first; see findLeaks. */
export function leaksOf(heap: Sampling, options: Omit<LeakOptions, "time" | "cycle"> = {}): Leak[] {
  return leaksIn(readSamples(heap.memory), options);
}

function leaksIn(samples: SampledHeap, options: Omit<LeakOptions, "time" | "cycle">): Leak[] {
  return findLeaks(samples, samples.live, { symbols: CORE, ...options, time: Date.now(), cycle: samples.cycle });
}
