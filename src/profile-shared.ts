/**
 * gomalloc/profile/shared: heaps of several threads that sample. Every thread takes its own stacks; what was sampled lies in
 * the shared memory, so any thread reads all of it, that of threads which have ended too.
 *
 * The functions are those of gomalloc/shared. A thread that attaches by this entry takes stacks; the heap's `rate`, `guard`
 * and `quarantine` are those of its creation.
 */
import { HOST_PROFILE_WASM_BASE64 } from "./generated/wasm-host-profile.js";
import { HOST_SHARED_PROFILE_WASM_BASE64 } from "./generated/wasm-host-shared-profile.js";
import { inlinedModule } from "./heap/module.js";
import { samplingHooks, splitOptions } from "./heap/profiled.js";
import type { SamplingOptions } from "./sampling/hooks.js";
import {
  type AttachOptions,
  attachWith,
  attachWithAsync,
  type CreateSharedHeapAsyncOptions,
  type CreateSharedHeapOptions,
  makeSharedHeap,
  makeSharedHeapAsync,
} from "./shared/create.js";
import type { SharedHeap } from "./shared/heap.js";
import type { SharedHeapMessage } from "./shared/message.js";

export type { SamplingOptions } from "./sampling/hooks.js";
export * from "./shared/common.js";

export interface ProfiledSharedHeapOptions extends CreateSharedHeapOptions {
  profile?: SamplingOptions | undefined;
}

export interface ProfiledSharedHeapAsyncOptions extends CreateSharedHeapAsyncOptions {
  profile?: SamplingOptions | undefined;
}

export interface ProfiledAttachOptions extends AttachOptions {
  /** What this thread does with reports of damage that it finds. */
  profile?: Pick<SamplingOptions, "onReport"> | undefined;
}

const MODULES = {
  shared: /* @__PURE__ */ inlinedModule(HOST_SHARED_PROFILE_WASM_BASE64),
  solo: /* @__PURE__ */ inlinedModule(HOST_PROFILE_WASM_BASE64),
};

/** A heap that samples and that other threads can join. Throws what createSharedHeap of gomalloc/shared throws. */
export function createSharedHeap(options: ProfiledSharedHeapOptions = {}): SharedHeap {
  const [profile, others] = splitOptions(options, "createSharedHeap");
  return makeSharedHeap(others, { ...MODULES, hooks: samplingHooks(profile) });
}

/** createSharedHeap without blocking. Rejects with what that throws. */
export async function createSharedHeapAsync(options: ProfiledSharedHeapAsyncOptions = {}): Promise<SharedHeap> {
  const [profile, others] = splitOptions(options, "createSharedHeapAsync");
  return makeSharedHeapAsync(others, { ...MODULES, hooks: samplingHooks(profile) });
}

/** Joins the heap that `message` comes from, and takes stacks for it. Throws what attachHeap of gomalloc/shared throws. */
export function attachHeap(message: SharedHeapMessage, options: ProfiledAttachOptions = {}): SharedHeap {
  const [profile, others] = splitOptions(options, "attachHeap");
  return attachWith(message, others, samplingHooks(profile));
}

/** attachHeap without blocking. */
export async function attachHeapAsync(
  message: SharedHeapMessage,
  options: ProfiledAttachOptions = {},
): Promise<SharedHeap> {
  const [profile, others] = splitOptions(options, "attachHeapAsync");
  return attachWithAsync(message, others, samplingHooks(profile));
}
