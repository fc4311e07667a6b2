/**
 * The programs, bench/assembly/rt. Each exports
 *
 *   setup(n)      makes what lives throughout; n is the program's size
 *   operations()  how many operations there are
 *   operation()   the next one, which allocates some 6 to 16 KiB
 *   interval()    operations that allocate about as many bytes as live, at least 1 MiB: the host's pace of collecting
 *                 where the runtime does not collect by itself
 *   finish()      reads what is left
 *   checksum()    of all that was read back; never depends on an address
 */

/** How much a program does: full for figures, quick for a look, tiny for a test. */
export type Scale = "full" | "quick" | "tiny";

/** One program. */
export interface Program {
  readonly name: string;
  readonly about: string;
  /** Its entry below bench/assembly/rt, without the extension. */
  readonly file: string;
  /** What setup is told. */
  readonly sizes: Readonly<Record<Scale, number>>;
}

/** In the order of the tables. */
export const PROGRAMS: readonly Program[] = [
  {
    name: "binary trees",
    about: "trees of depth 4 to 16, as in the benchmark game; one of depth 16 stays",
    file: "trees",
    sizes: { full: 16, quick: 13, tiny: 10 },
  },
  {
    name: "linked lists",
    about: "lists of 250 nodes, the last 256 stay; a list of 100,000 nodes stays throughout",
    file: "lists",
    sizes: { full: 100, quick: 20, tiny: 2 },
  },
  {
    name: "cyclic lists",
    about: "doubly linked rings of 125 nodes, the last 256 stay; 400 rings stay throughout",
    file: "rings",
    sizes: { full: 100, quick: 20, tiny: 2 },
  },
  {
    name: "strings",
    about: "concatenation, number to string, join, split, number from string; 2048 lines stay",
    file: "strings",
    sizes: { full: 20, quick: 4, tiny: 1 },
  },
  {
    name: "Map<i32>",
    about: "random insertions and deletions of 32,000 keys, half of which are there",
    file: "integer-map",
    sizes: { full: 32, quick: 8, tiny: 1 },
  },
  {
    name: "Map<string>",
    about: "the same with keys that are made for each look-up",
    file: "string-map",
    sizes: { full: 32, quick: 8, tiny: 1 },
  },
  {
    name: "JSON",
    about: "a document of 1000 records, 0.6 million characters, parsed and written back ten times",
    file: "json",
    sizes: { full: 1000, quick: 200, tiny: 10 },
  },
  {
    name: "live heap",
    about: "64 MiB of records of three small objects, all of them replaced twice in random order",
    file: "live",
    sizes: { full: 1024, quick: 128, tiny: 4 },
  },
  {
    name: "two f64",
    about: "100,000 points stay; each move makes three new ones",
    file: "pairs",
    sizes: { full: 100, quick: 20, tiny: 2 },
  },
];

/** The program whose fill() makes objects of two f64, and how many are made of them to see what one takes. */
export const PAIRS = PROGRAMS.find(({ file }) => file === "pairs")!;
export const OBJECTS: Readonly<Record<Scale, number>> = { full: 1 << 20, quick: 1 << 18, tiny: 1 << 14 };
