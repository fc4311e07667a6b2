/**
 * Reads what a heap has sampled out of its memory: buckets, texts of frames, and the sampled blocks that live.
 *
 * The records are those of assembly/base/samples.ts. Nothing of the module is called: the memory may belong to another
 * thread that goes on allocating, or be a dump. Every chain has an end, whatever the memory says; what is impossible is
 * left out. Cost: O(buckets + samples).
 */
import { namesOf, readOptions } from "../base/check.js";
import { ProfileError } from "../base/errors.js";
import type { LiveBlock } from "../profile/leaks.js";
import { FIRST_TEXT } from "../profile/text.js";
import type { Bucket, HeapRecord } from "../profile/types.js";
import { checkHeap, chooseHeap, findHeaps, returned } from "../snapshot/find.js";
import {
  BUCKET_AT,
  BUCKET_FRAMES,
  BUCKET_HEADS,
  MAX_FRAMES,
  NAME_AT,
  NAME_HEADS,
  NAME_MAX,
  NAME_TEXT,
  PROFILE_AT,
  SAMPLE_AT,
  SAMPLE_COLLECTED,
  SAMPLE_GUARDED,
  SAMPLE_LIVE,
  SAMPLE_REMOVED,
  SAMPLE_SHIFT,
  SAMPLE_STATE,
} from "../snapshot/layout.js";
import { type MemorySource, MemoryWords } from "../snapshot/memory.js";

/** Buckets and texts that are read at most: more would be a chain that has been damaged. */
const MAX_RECORDS = 1 << 20;
/** A sampled block or object that is in use. Times are milliseconds of Unix time. */
export interface LiveSample extends LiveBlock {
  /** Bytes asked for; of an object of the collector's, those of its slot. */
  readonly asked: number;
  /** An object of the collector's. */
  readonly collected: boolean;
  /** It lies between red zones. */
  readonly guarded: boolean;
}

/** What a heap has sampled. */
export interface SampledHeap extends HeapRecord {
  /** Whether sampled blocks are guarded. */
  readonly guard: boolean;
  /** Cycles of the collector that have ended. */
  readonly cycle: number;
  readonly live: readonly LiveSample[];
  /** Samples that were not taken because there was no memory for them. */
  readonly lost: number;
  /** Damaged blocks and double frees that were reported. */
  readonly reports: number;
  /** Bytes in quarantine. */
  readonly quarantined: number;
}

export interface ReadSamplesOptions {
  /** Address of the heap's record, for a memory with several heaps. */
  heap?: number | undefined;
  /**
   * With the collector: count what it has allocated and freed in the running cycle, too. Default false: the profile
   * shows the heap as of the end of the last cycle, which does not have garbage that nobody had a chance to free.
   */
  fresh?: boolean | undefined;
}

const OPTIONS = namesOf<ReadSamplesOptions>({ heap: 0, fresh: 0 });

/**
 * What the heap in `memory` has sampled. Throws SnapshotError when there is none, or several and `heap` does not say
 * which; ProfileError when it is of a flavour that does not sample; TypeError and RangeError for bad arguments.
 */
export function readSamples(memory: MemorySource, options: ReadSamplesOptions = {}): SampledHeap {
  const { heap, fresh = false } = readOptions(options, OPTIONS, "readSamples");
  const words = new MemoryWords(memory);
  const found = returned(chooseHeap(words, heap));
  if (found.layout.SAMPLES === 0) {
    throw new ProfileError(
      "flavour",
      "the heap does not sample: make it with createHeap of gomalloc/profile, link the program with gomalloc link " +
        "--profile, or compile the AssemblyScript program with --use GOMALLOC_PROFILE=1",
    );
  }
  const at = found.address + found.layout.HEAP_PROFILE;
  const word = (field: keyof typeof PROFILE_AT) => words.word(at + PROFILE_AT[field]);
  const cycle = word("cycle");
  // Before the first cycle all of the collector's objects are noted ahead, as in Go.
  const all = readBuckets(words, word("heads"), fresh || cycle === 0);
  const buckets = [...all].filter(([, { size }]) => size > 0);
  return {
    rate: word("rate"),
    buckets: buckets.map(([, bucket]) => bucket),
    texts: readTexts(words, word("names")),
    timeNanos: BigInt(Date.now()) * 1_000_000n,
    guard: word("guard") !== 0,
    cycle,
    live: readLive(words, word("table"), word("mask"), all, new Map(buckets.map(([at], i) => [at, i]))),
    lost: word("lost"),
    reports: word("reports"),
    quarantined: word("quarantined"),
  };
}

/** The records of chains whose heads are at `heads`, until `visit` has seen MAX_RECORDS. */
function walkChains(words: MemoryWords, heads: number, count: number, visit: (at: number) => void): void {
  if (!words.lies(heads, count * 4, 4, 4)) return;
  let left = MAX_RECORDS;
  for (let i = 0; i < count; i++) {
    for (let at = words.word(heads + i * 4); at !== 0 && left > 0; at = words.word(at), left--) {
      if (!words.lies(at, NAME_TEXT, 4, 4)) break;
      visit(at);
    }
  }
}

/** Every bucket by its address. */
function readBuckets(words: MemoryWords, heads: number, fresh: boolean): Map<number, Bucket> {
  const buckets = new Map<number, Bucket>();
  walkChains(words, heads, BUCKET_HEADS, (at) => {
    const bucket = bucketAt(words, at, fresh);
    if (bucket !== undefined) buckets.set(at, bucket);
  });
  return buckets;
}

/** The bucket at an address; undefined when none can be there. */
function bucketAt(words: MemoryWords, at: number, fresh: boolean): Bucket | undefined {
  if (!words.lies(at, BUCKET_FRAMES, 4, 4)) return undefined;
  const field = (name: keyof typeof BUCKET_AT) => words.word(at + BUCKET_AT[name]);
  const frames = field("frames");
  if (frames > MAX_FRAMES || !words.lies(at, BUCKET_FRAMES + frames * 4, 4, 4)) return undefined;
  const later = (names: readonly (keyof typeof BUCKET_AT)[]) =>
    fresh ? names.reduce((sum, name) => sum + field(name), 0) : 0;
  return {
    stack: Array.from({ length: frames }, (_, i) => words.word(at + BUCKET_FRAMES + i * 4)),
    size: field("size"),
    allocs: field("allocs") + later(["allocs0", "allocs1", "allocs2"]),
    frees: field("frees") + later(["frees0", "frees1", "frees2"]),
    rate: field("rate"),
  };
}

/** The stack of the bucket at an address; empty when there is none. */
export function stackAt(words: MemoryWords, at: number): readonly number[] {
  return (at === 0 ? undefined : bucketAt(words, at, false))?.stack ?? [];
}

/** The texts of all heaps in a memory. */
export function textsIn(memory: MemorySource): Map<number, string> {
  const words = new MemoryWords(memory);
  const heaps = findHeaps(memory).map(({ address }) => checkHeap(words, address));
  const texts = heaps.map((heap) => {
    if (typeof heap === "string" || heap.layout.SAMPLES === 0) return [];
    return [...readTexts(words, words.word(heap.address + heap.layout.HEAP_PROFILE + PROFILE_AT.names))];
  });
  return new Map(texts.flat());
}

function readTexts(words: MemoryWords, heads: number): Map<number, string> {
  const texts = new Map<number, string>();
  const decoder = new TextDecoder();
  walkChains(words, heads, NAME_HEADS, (at) => {
    const number = words.word(at + NAME_AT.number);
    const bytes = words.word(at + NAME_AT.bytes);
    if (number < FIRST_TEXT || bytes > NAME_MAX || !words.lies(at, NAME_TEXT + bytes, 4, 4)) return;
    // A copy: decoders refuse shared memory.
    texts.set(number, decoder.decode(words.u8.slice(at + NAME_TEXT, at + NAME_TEXT + bytes)));
  });
  return texts;
}

function readLive(
  words: MemoryWords,
  table: number,
  mask: number,
  buckets: ReadonlyMap<number, Bucket>,
  indexes: ReadonlyMap<number, number>,
): readonly LiveSample[] {
  const live: LiveSample[] = [];
  const entries = mask + 1;
  if (table === 0 || entries > words.length >>> SAMPLE_SHIFT || !words.lies(table, entries << SAMPLE_SHIFT, 8, 8)) {
    return live;
  }
  for (let i = 0; i < entries; i++) {
    const at = table + (i << SAMPLE_SHIFT);
    const field = (name: keyof typeof SAMPLE_AT) => words.word(at + SAMPLE_AT[name]);
    const state = field("state");
    const bucket = indexes.get(field("bucket"));
    if (field("key") <= SAMPLE_REMOVED || (state & SAMPLE_STATE) !== SAMPLE_LIVE || bucket === undefined) continue;
    live.push({
      ptr: field("ptr"),
      size: buckets.get(field("bucket"))!.size,
      asked: field("size"),
      bucket,
      time: doubleAt(words, at + SAMPLE_AT.time),
      cycle: field("cycle"),
      collected: (state & SAMPLE_COLLECTED) !== 0,
      guarded: (state & SAMPLE_GUARDED) !== 0,
    });
  }
  return live;
}

const scratch = new DataView(new ArrayBuffer(8));

/** The f64 at a multiple of 4. */
export function doubleAt(words: MemoryWords, at: number): number {
  scratch.setUint32(0, words.word(at), true);
  scratch.setUint32(4, words.word(at + 4), true);
  return scratch.getFloat64(0, true);
}
