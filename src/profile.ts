/**
 * gomalloc/profile: heaps that sample their allocations, and everything that makes profiles of samples.
 *
 * createHeap is that of the entry gomalloc with the option `profile`; its heaps have the methods profile, leaks and
 * samples. For programs that have gomalloc inside (gomalloc link --profile, the archive, the AssemblyScript runtime)
 * profileImports gives the imports, and readSamples reads what they have sampled.
 */
import { HOST_PROFILE_WASM_BASE64 } from "./generated/wasm-host-profile.js";
import { makeHeap, makeHeapAsync } from "./heap/create.js";
import { inlinedModule } from "./heap/module.js";
import {
  type ProfiledHeap,
  type ProfiledHeapAsyncOptions,
  type ProfiledHeapOptions,
  profiledKind,
  splitOptions,
} from "./heap/profiled.js";

export { samplingFromEnv } from "./gc/env.js";
export * from "./heap/common.js";
export {
  downloadProfile,
  type PprofRequest,
  type PprofResponse,
  pprofHandler,
  type ServedHeap,
} from "./heap/pprofhandler.js";
export {
  CORE,
  type HeapLeakOptions,
  type HeapProfileOptions,
  leaksOf,
  ProfiledHeap,
  type ProfiledHeapAsyncOptions,
  type ProfiledHeapOptions,
  profileOf,
  type Sampling,
} from "./heap/profiled.js";
export * from "./profile/index.js";
export { sampledBlocks } from "./sampling/blocks.js";
export { type FindDamageOptions, findDamage } from "./sampling/damage.js";
export { type HookMemory, type ProfileImports, profileImports, type SamplingOptions } from "./sampling/hooks.js";
export { type ProfiledInstance, type ProfiledInstances, profileInstances } from "./sampling/instances.js";
export { type LiveSample, type ReadSamplesOptions, readSamples, type SampledHeap } from "./sampling/read.js";
export { type DamageKind, type DamageReport, describeReport } from "./sampling/report.js";

const INLINED = /* @__PURE__ */ inlinedModule(HOST_PROFILE_WASM_BASE64);

/** A heap that samples, at once. Throws what createHeap of the entry gomalloc throws. */
export function createHeap(options: ProfiledHeapOptions = {}): ProfiledHeap {
  const [profile, others] = splitOptions(options, "createHeap");
  return makeHeap(others, profiledKind(INLINED, profile));
}

/** A heap that samples, without blocking. Rejects with what createHeap throws. */
export async function createHeapAsync(options: ProfiledHeapAsyncOptions = {}): Promise<ProfiledHeap> {
  const [profile, others] = splitOptions(options, "createHeapAsync");
  return makeHeapAsync(others, profiledKind(INLINED, profile));
}
