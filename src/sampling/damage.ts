/**
 * Damage in the guarded blocks of a heap, found from outside: what assembly/alloc/sampled.ts finds when it next looks at
 * each. For a program that has ended, where nothing looks any more, and for a host that has no function of it.
 *
 * Reads only. Of a heap that other threads use the answer may be wrong. Cost: O(samples + bytes of zones and of blocks in
 * quarantine, at most 64 KiB of each).
 */
import {
  GUARD_BACK_MAX,
  GUARD_FACTOR,
  GUARD_FILL_MAX,
  GUARD_FLIP,
  MISUSE_NONE,
  MISUSE_OVERFLOW,
  MISUSE_UNDERFLOW,
  MISUSE_WRITE_AFTER_FREE,
} from "../base/abinumbers.js";
import { namesOf, readOptions } from "../base/check.js";
import { chooseHeap, returned } from "../snapshot/find.js";
import {
  PROFILE_AT,
  SAMPLE_AT,
  SAMPLE_GUARDED,
  SAMPLE_LIVE,
  SAMPLE_QUARANTINED,
  SAMPLE_REMOVED,
  SAMPLE_REPORTED,
  SAMPLE_SHIFT,
  SAMPLE_STATE,
} from "../snapshot/layout.js";
import { MemoryWords } from "../snapshot/memory.js";
import { type DamageReport, readReport } from "./report.js";

export interface FindDamageOptions {
  /** Address of the heap's record, for a memory with several heaps. */
  heap?: number | undefined;
}

const OPTIONS = namesOf<FindDamageOptions>({ heap: 0 });

/**
 * Reports of the guarded blocks in `memory`, live or in quarantine, that are damaged and were not reported yet. `found`
 * is empty in them, because no call has found it. A second call gives them again. Throws SnapshotError when there is no
 * heap, or several and `heap` does not say which.
 */
export function findDamage(memory: WebAssembly.Memory, options: FindDamageOptions = {}): DamageReport[] {
  const words = new MemoryWords(memory);
  const { address, layout } = returned(chooseHeap(words, readOptions(options, OPTIONS, "findDamage").heap));
  if (layout.SAMPLES === 0) return [];
  const at = address + layout.HEAP_PROFILE;
  const table = words.word(at + PROFILE_AT.table);
  const entries = words.word(at + PROFILE_AT.mask) + 1;
  if (table === 0 || entries > words.length >>> SAMPLE_SHIFT || !words.lies(table, entries << SAMPLE_SHIFT, 8, 8)) {
    return [];
  }
  const reports: DamageReport[] = [];
  for (let i = 0; i < entries; i++) {
    const sample = table + (i << SAMPLE_SHIFT);
    const kind = damageOf(words, sample);
    if (kind !== MISUSE_NONE) reports.push(readReport(memory, kind, sample, [], []));
  }
  return reports;
}

/** What has been done to the block of the sample at an address. */
function damageOf(words: MemoryWords, at: number): number {
  const field = (name: keyof typeof SAMPLE_AT) => words.word(at + SAMPLE_AT[name]);
  const state = field("state");
  const [key, ptr, size] = [field("key"), field("ptr"), field("size")];
  if (key <= SAMPLE_REMOVED || (state & SAMPLE_GUARDED) === 0 || (state & SAMPLE_REPORTED) !== 0) return MISUSE_NONE;
  const kind = state & SAMPLE_STATE;
  if (kind !== SAMPLE_LIVE && kind !== SAMPLE_QUARANTINED) return MISUSE_NONE;
  const back = ptr + size;
  if (!isFilled(words, key, ptr)) return MISUSE_UNDERFLOW;
  if (!isFilled(words, back, Math.min(back + GUARD_BACK_MAX, key + field("extent")))) return MISUSE_OVERFLOW;
  if (kind === SAMPLE_QUARANTINED && !isFilled(words, ptr, ptr + Math.min(size, GUARD_FILL_MAX))) {
    return MISUSE_WRITE_AFTER_FREE;
  }
  return MISUSE_NONE;
}

/** Whether the bytes from `from` up to `to` are those that the heap fills zones and freed blocks with. */
function isFilled(words: MemoryWords, from: number, to: number): boolean {
  for (let address = from; address < Math.min(to, words.length); address++) {
    if (words.u8[address] !== (((Math.imul(address, GUARD_FACTOR) >>> 2) ^ GUARD_FLIP) & 0xff)) return false;
  }
  return true;
}
