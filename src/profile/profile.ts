/**
 * A heap's record with names and unsampled numbers: what files and tables are made of.
 *
 * Buckets that have the same stack but for the allocator's own functions become one sample: the program does not see
 * whether malloc or calloc was the leaf. Cost: a look-up of names for every different frame, the rest linear.
 */
import { isAllocator } from "./allocators.js";
import { countAs, unsample } from "./scale.js";
import { functionIndex, isText, parseFrameText } from "./text.js";
import type { HeapRecord, Location, Profile, ProgramFile, Sample, SourceFrame, SymbolSource, Values } from "./types.js";

export interface ProfileOptions {
  /** Names of the program's frames. Without it they are offsets. */
  readonly symbols?: SymbolSource | undefined;
  /** Of the file that offsets count in. */
  readonly program?: ProgramFile | undefined;
  /**
   * Frames at the leaf that are left out, because they are the allocator's. The default knows malloc and its relatives,
   * operator new, Rust's and AssemblyScript's functions, and gomalloc's own. A stack of such frames alone is kept whole.
   */
  readonly isRuntime?: ((frame: SourceFrame) => boolean) | undefined;
  /** Counts as they were sampled. Default: false. */
  readonly unscaled?: boolean | undefined;
}

export function buildProfile(record: HeapRecord, options: ProfileOptions = {}): Profile {
  const locations = new Locations(record.texts, options.symbols, options.isRuntime ?? isAllocator);
  const groups = new Map<string, { stack: readonly Location[]; size: number; allocs: number; frees: number }>();
  for (const { stack, size, rate = record.rate, ...counts } of record.buckets) {
    const allocs = countAs(counts.allocs, size, rate, record.rate);
    const frees = countAs(counts.frees, size, rate, record.rate);
    const shown = locations.stackOf(stack);
    const key = `${size} ${shown.map(({ number }) => number).join(" ")}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { stack: shown, size, allocs, frees });
    else {
      group.allocs += allocs;
      group.frees += frees;
    }
  }
  const rate = options.unscaled === true ? 1 : record.rate;
  const samples = [...groups.values()].map(
    ({ stack, size, allocs, frees }): Sample => ({ stack, size, ...valuesOf(size, allocs, frees, rate) }),
  );
  return {
    rate: record.rate,
    samples,
    program: options.program ?? {},
    ...(record.timeNanos === undefined ? {} : { timeNanos: record.timeNanos }),
    ...(record.durationNanos === undefined ? {} : { durationNanos: record.durationNanos }),
  };
}

/** Counts of sampled blocks of `size` bytes, unsampled. */
export function valuesOf(size: number, allocs: number, frees: number, rate: number): Values {
  const all = unsample(allocs, size, rate);
  const inuse = unsample(allocs - frees, size, rate);
  return {
    allocObjects: all.objects,
    allocBytes: all.bytes,
    inuseObjects: inuse.objects,
    inuseBytes: inuse.bytes,
  };
}

/** Locations of frame numbers, each made once. */
export class Locations {
  readonly #known = new Map<number, { readonly location: Location; readonly runtime: boolean }>();

  constructor(
    readonly texts: ReadonlyMap<number, string>,
    readonly symbols: SymbolSource | undefined,
    readonly isRuntime: (frame: SourceFrame) => boolean,
  ) {}

  /** The stack without the allocator's functions at its leaf; whole when it has no others. */
  stackOf(stack: readonly number[]): readonly Location[] {
    const all = stack.map((number) => this.#find(number));
    const first = all.findIndex(({ runtime }) => !runtime);
    return all.slice(Math.max(0, first)).map(({ location }) => location);
  }

  #find(number: number): { readonly location: Location; readonly runtime: boolean } {
    let found = this.#known.get(number);
    if (found === undefined) {
      const frames = isText(number) ? this.#ofText(number) : this.#ofOffset(number);
      // Of an allocator that was inlined into the program its caller is left
      const first = frames.findIndex((frame) => !this.isRuntime(frame));
      const address = isText(number) ? {} : { address: number };
      const location = { number, ...address, frames: first > 0 ? frames.slice(first) : frames };
      found = { location, runtime: first < 0 };
      this.#known.set(number, found);
    }
    return found;
  }

  #ofOffset(offset: number): readonly SourceFrame[] {
    const frames = this.symbols?.frames(offset) ?? [];
    return frames.length > 0 ? frames : [{ function: `wasm+0x${offset.toString(16)}` }];
  }

  #ofText(number: number): readonly SourceFrame[] {
    const text = this.texts.get(number);
    // Its text was lost, for instance because there was no memory for it
    if (text === undefined) return [{ function: `(frame 0x${number.toString(16)})` }];
    const index = functionIndex(text);
    const found = index === undefined ? undefined : this.symbols?.functionFrames(index);
    return found !== undefined && found.length > 0 ? found : [parseFrameText(text)];
  }
}
