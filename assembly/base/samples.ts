/**
 * The records of sampled allocations: what central/samples.ts keeps in linear memory, and what a host or a debugger reads
 * from outside. LAYOUT_VERSION covers them.
 *
 *   heap + HEAP_PROFILE   Profile             in the heap's record
 *     table               Sample[mask + 1]    open addressing by the block's key
 *     heads               u32[BUCKET_HEADS]   chains of Buckets by the hash of stack and size
 *     names               u32[NAME_HEADS]     chains of Names by number
 *
 * Written under H, but for a sample that is freed by a thread without a P (central/samples.ts). Buckets and names are
 * never freed: a reader from outside may follow their chains at any time.
 */

/** The heap's part. */
@unmanaged @final
export class Profile {
  /** Mean bytes between two samples, as asked for; 0: none is taken, 1: every block. */
  rate: u32;
  /** Changes with the rate in force. */
  generation: u32;
  /** 1: sampled blocks of malloc are guarded. */
  guard: u32;
  /** The rate in force: more than `rate` while stacks take too much of a thread's time (base/hooks.ts). */
  current: u32;
  /** Address of the table and its length - 1: one u64, so that one store replaces both. 0: no table yet. */
  table: u32;
  mask: u32;
  /** Slots of the table that are not empty, removed ones included, and live samples. */
  used: u32;
  live: u32;
  /** Addresses of the chains' heads; 0: none yet. */
  heads: u32;
  names: u32;
  buckets: u32;
  /** The collector's cycles so far. */
  cycle: u32;
  /** Keys of the first and the last block in quarantine, 0: none; their bytes, and the most there may be. */
  first: u32;
  last: u32;
  quarantined: u32;
  quarantine: u32;
  seed: u64;
  /** Where the next look at guarded blocks begins. */
  look: u32;
  /** 1: there may be samples whose free waits for a thread with a P. */
  deferred: u32;
  /** Samples not taken because there was no memory or no lock, and reports of damaged blocks. */
  lost: u32;
  reports: u32;
  /** A bucket's figures are being published: its allocs and frees as they will be; what they come from, 0: nothing is. */
  sum: u64;
  from: u32;
  bucket: u32;
}

/** A P's part. */
@unmanaged @final
export class Sampler {
  /** Profile.generation that malloc's rows and large blocks have drawn by; 0: none yet. */
  generation: u32;
  /** The page for gomalloc.stack; 0: none yet. */
  buffer: u32;
  random: u64;
  /** Bytes of large blocks until the next sample, if drawn is 1. */
  largeLeft: u64;
  drawn: u32;
  /** The rate of that generation: what samples of these are weighed with. */
  rate: u32;
  /** The same of the collector's rows, which are touched inside the gate only. */
  gcGeneration: u32;
  gcRate: u32;
}

/** A sampled block. */
@unmanaged @final
export class Sample {
  /** Where the slot or the pages begin. 0: the entry is empty; SAMPLE_REMOVED. */
  key: u32;
  /** The block's address, and the bytes asked for. */
  ptr: u32;
  size: u32;
  /** Bucket of the allocation; of the free, 0 unless it is in quarantine. */
  bucket: u32;
  freeBucket: u32;
  /** SAMPLE_LIVE and so on. */
  state: u32;
  /** The block behind it in quarantine: its key. */
  next: u32;
  /** The collector's cycle in which it was allocated. */
  cycle: u32;
  /** Milliseconds of the host's clock: allocated, freed, last found whole. */
  time: f64;
  freeTime: f64;
  checked: f64;
  /** Bytes from key on that belong to it. */
  extent: u32;
  pad: u32;
}
@inline export const SAMPLE_SHIFT: u32 = 6;
@inline export const SAMPLE_REMOVED: u32 = 1;

/** Sample.state: one of the first three, and flags. */
@inline export const SAMPLE_LIVE: u32 = 1;
@inline export const SAMPLE_QUARANTINED: u32 = 2;
/** Freed by a thread that had no P. */
@inline export const SAMPLE_DEFERRED: u32 = 3;
@inline export const SAMPLE_STATE: u32 = 3;
/** An object of the collector's, in its own slot. */
@inline export const SAMPLE_COLLECTED: u32 = 4;
/** Its zones are filled. */
@inline export const SAMPLE_GUARDED: u32 = 8;
/** Its damage has been reported. */
@inline export const SAMPLE_REPORTED: u32 = 16;

/** Blocks of one size from one stack, drawn by one rate. Behind it the frames, u32[frames]. */
@unmanaged @final
export class Bucket {
  /** Next of the chain. */
  next: u32;
  hash: u32;
  /** Bytes that a block takes where it is not sampled: what sampling weighs it with. 0: a stack of frees. */
  size: u32;
  frames: u32;
  /** Published. */
  allocs: u32;
  frees: u32;
  /** Of the collector's objects, by cycle modulo 3: allocs and frees to be published later. */
  allocs0: u32;
  frees0: u32;
  allocs1: u32;
  frees1: u32;
  allocs2: u32;
  frees2: u32;
  /** For who checks or repairs the table: live samples that have been seen. */
  seen: u32;
  /** Mean bytes between two samples when these were drawn. */
  rate: u32;
}
@inline export const BUCKET_FRAMES: u32 = 56;
/** With NAME_HEADS whole pages. */
@inline export const BUCKET_HEADS: u32 = 4096;

/** The text of a frame. Behind it the bytes. */
@unmanaged @final
export class Name {
  next: u32;
  number: u32;
  bytes: u32;
}
@inline export const NAME_TEXT: u32 = 12;
@inline export const NAME_HEADS: u32 = 2048;
/** Longest text, bytes. */
@inline export const NAME_MAX: u32 = 1024;
