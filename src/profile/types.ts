/**
 * What the parts of heap profiling hand each other. The core samples and counts (HeapRecord); this layer finds the
 * names (SourceFrame), unsamples the counts and writes files and tables (Profile).
 *
 * A frame of a stack is one number of 32 bits, so that stacks can be stored, hashed and compared as integers. Below
 * 2^31 it is a byte offset in the program's .wasm file, as engines report it: the offset of the call instruction. From
 * 2^31 on it is the number of a text that describes a frame of JavaScript or of another module; text.ts has the form
 * of the texts and how they get their numbers.
 */

/** What a heap has recorded: unscaled. */
export interface HeapRecord {
  /** Mean bytes between two samples, where a bucket has no rate of its own; 1: every block. */
  readonly rate: number;
  readonly buckets: readonly Bucket[];
  /** Texts of the frames that are not of the program's module, by frame number. */
  readonly texts: ReadonlyMap<number, string>;
  /** When it was read, in nanoseconds since 1970. */
  readonly timeNanos?: bigint;
  /** How long the heap had been recording. */
  readonly durationNanos?: bigint;
}

/** Blocks of one size from one stack. */
export interface Bucket {
  /** Leaf first. Below 2^31: byte offset in the program's wasm file, as engines report it. From 2^31 on: a text's number. */
  readonly stack: readonly number[];
  /** Bytes that a block of it takes: what sampling weighs it with. */
  readonly size: number;
  /** Blocks sampled, and those of them that have been freed since. */
  readonly allocs: number;
  readonly frees: number;
  /** Mean bytes between two samples when these were drawn. Default: the record's. */
  readonly rate?: number | undefined;
}

/** A function at a place in its source. What is unknown is missing. */
export interface SourceFrame {
  /** For people: with its namespaces and type, without its parameters. Never empty. */
  readonly function: string;
  /** As linkers know it, where that differs: mangled. */
  readonly systemName?: string;
  /** Path or URL. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /** From 1. */
  readonly column?: number;
  /** Where the function begins. */
  readonly startLine?: number;
  /** The compiler has put it into the next frame outwards: no call happens. */
  readonly inlined?: boolean;
}

/** What the functions at a byte offset of the program's file are. */
export interface SymbolSource {
  /** Innermost first: inlined functions, then the one that has the code. Empty for an offset outside of all code. */
  frames(offset: number): readonly SourceFrame[];
  /** The function of an index, for engines that give no offsets: without a line. Empty for an index that is none. */
  functionFrames(index: number): readonly SourceFrame[];
}

/** One place that calls: a frame number and what is known of it. */
export interface Location {
  /** The frame's number: see above. */
  readonly number: number;
  /** Byte offset in the program's file; undefined for frames of JavaScript and of other modules. */
  readonly address?: number;
  /** Innermost first, never empty. */
  readonly frames: readonly SourceFrame[];
}

/** Objects and bytes: all that were allocated, and those of them in use. Whole numbers; negative in differences. */
export interface Values {
  readonly allocObjects: number;
  readonly allocBytes: number;
  readonly inuseObjects: number;
  readonly inuseBytes: number;
}

/** What one stack has allocated in blocks of one size: unsampled, an estimate of the true numbers. */
export interface Sample extends Values {
  /** Leaf first: the function that asked the allocator for the block. */
  readonly stack: readonly Location[];
  /** Bytes of a block. */
  readonly size: number;
}

/** The program's file, for those who look the addresses up again. */
export interface ProgramFile {
  /** Path, URL or name. */
  readonly name?: string;
  /** Of the section build_id: hexadecimal. */
  readonly buildId?: string;
  /** Bytes of the file. */
  readonly size?: number;
}

/** A heap profile with names. */
export interface Profile {
  readonly rate: number;
  readonly samples: readonly Sample[];
  readonly program: ProgramFile;
  readonly timeNanos?: bigint;
  readonly durationNanos?: bigint;
}
