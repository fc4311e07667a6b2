/**
 * Generates the size classes: assembly/base/sizeclasses.ts and src/base/sizeclasses.ts.
 *
 *   tsx scripts/gen-sizeclasses.ts           write both files
 *   tsx scripts/gen-sizeclasses.ts --check   write nothing, exit 1 if a file differs
 *
 * The algorithm is that of Go's runtime/mksizeclasses.go; nothing of its result is written down here. What the
 * rest of the allocator relies on is proved for every row before a byte is written:
 *   - there are 68 classes, sizes rise strictly, a class wastes at most an eighth of its span at the tail;
 *   - magic = floor((2^32 - 1) / size) + 1 gives slot = (offset * magic) >> 32 for every offset of the span;
 *   - the low 32 bits of that product are below magic exactly where offset is the start of a slot.
 * Cost: every offset of every span, some 1.6 million, about 50 ms.
 */
import { driftOf, type GeneratedFile, runGenerator } from "./gen-files.ts";

const MIN_ALIGN = 8;
const MAX_SMALL_SIZE = 32768;
const PAGE_SIZE = 8192;
const SMALL_SIZE_DIV = 8;
const SMALL_SIZE_MAX = 1024;
const LARGE_SIZE_DIV = 128;
const NUM_SIZE_CLASSES = 68;
const TWO_32 = 2 ** 32;

export interface ClassRow {
  readonly class: number;
  readonly size: number;
  readonly spanBytes: number;
  readonly pages: number;
  readonly objects: number;
  readonly tailWaste: number;
  readonly maxWaste: number;
  readonly minAlign: number;
  readonly divMagic: number;
}

function fail(message: string): never {
  throw new Error(`size classes: ${message}`);
}

/** Class sizes and their pages, class 0 (nothing) first. */
export function makeClasses(): { size: number; pages: number }[] {
  const classes = [{ size: 0, pages: 0 }];
  let align = MIN_ALIGN;
  for (let size = align; size <= MAX_SMALL_SIZE; size += align) {
    if ((size & (size - 1)) === 0) {
      // The step grows with the size, an eighth of the octave, so that rounding up costs about 12.5 % at most.
      if (size >= 2048) align = 256;
      else if (size >= 128) align = size / 8;
      else if (size >= 32) align = 16;
    }
    // The fewest pages whose tail waste is at most an eighth.
    let pages = 1;
    while ((pages * PAGE_SIZE) % size > Math.floor((pages * PAGE_SIZE) / 8)) pages++;
    const span = pages * PAGE_SIZE;
    const last = classes[classes.length - 1];
    // As many objects in as many pages as the class before: that class had no reason to be smaller.
    if (
      last !== undefined &&
      last.size > 0 &&
      pages === last.pages &&
      Math.floor(span / size) === Math.floor(span / last.size)
    ) {
      last.size = size;
    } else {
      classes.push({ size, pages });
    }
  }
  // Grow each class to what its span can give, in multiples of the step of the upper lookup table.
  for (const c of classes) {
    if (c.size === 0) continue;
    const span = c.pages * PAGE_SIZE;
    const grown = Math.floor(span / Math.floor(span / c.size));
    const rounded = grown - (grown % LARGE_SIZE_DIV);
    if (rounded > c.size) c.size = rounded;
  }
  return classes;
}

/** The largest power of two that divides `size`, a page at most (spans are page-aligned). */
function alignmentOf(size: number): number {
  if (size === 0) return 0;
  let align = 1;
  while (align < PAGE_SIZE && size % (align * 2) === 0) align *= 2;
  return align;
}

/** All columns of the table, each derived from size and pages. */
export function makeRows(): ClassRow[] {
  const classes = makeClasses();
  if (classes.length !== NUM_SIZE_CLASSES) fail(`${classes.length} classes, not ${NUM_SIZE_CLASSES}`);
  return classes.map(({ size, pages }, i) => {
    const spanBytes = pages * PAGE_SIZE;
    if (size === 0) {
      return {
        class: 0,
        size: 0,
        spanBytes: 0,
        pages: 0,
        objects: 0,
        tailWaste: 0,
        maxWaste: 0,
        minAlign: 0,
        divMagic: 0,
      };
    }
    const objects = Math.floor(spanBytes / size);
    const tailWaste = spanBytes - objects * size;
    const previous = classes[i - 1]?.size ?? fail("a class without predecessor");
    return {
      class: i,
      size,
      spanBytes,
      pages,
      objects,
      tailWaste,
      // Every object one byte larger than the class before holds.
      maxWaste: ((size - previous - 1) * objects + tailWaste) / spanBytes,
      minAlign: alignmentOf(size),
      divMagic: Math.floor((TWO_32 - 1) / size) + 1,
    };
  });
}

/** Proves what the header promises of every row; throws at the first that breaks it. */
export function verifyRows(rows: readonly ClassRow[]): void {
  let previous = 0;
  for (const row of rows.slice(1)) {
    const { size, spanBytes, divMagic } = row;
    const name = `class ${row.class} (${size} bytes)`;
    if (size <= previous) fail(`${name} does not rise`);
    if (size % MIN_ALIGN !== 0) fail(`${name} is not a multiple of ${MIN_ALIGN}`);
    if (size > SMALL_SIZE_MAX && size % LARGE_SIZE_DIV !== 0) fail(`${name} does not fit the upper lookup table`);
    if (row.tailWaste > spanBytes / 8) fail(`${name} wastes more than an eighth of its span`);
    if (divMagic >= TWO_32) fail(`${name} has a reciprocal of more than 32 bits`);
    // The product stays below 2^43, exact in a double.
    for (let offset = 0, slot = 0, inSlot = 0; offset <= spanBytes; offset++) {
      const product = offset * divMagic;
      if (Math.floor(product / TWO_32) !== slot) fail(`${name}: wrong slot at offset ${offset}`);
      if (product % TWO_32 < divMagic !== (inSlot === 0)) fail(`${name}: wrong slot start at offset ${offset}`);
      if (++inSlot === size) {
        inSlot = 0;
        slot++;
      }
    }
    previous = size;
  }
  if (previous !== MAX_SMALL_SIZE) fail(`the last class is ${previous} bytes, not ${MAX_SMALL_SIZE}`);
}

/** Entry i: the first class of at least `from + i * step` bytes, up to `to`. */
function lookupTable(rows: readonly ClassRow[], from: number, to: number, step: number): number[] {
  const table: number[] = [];
  for (let size = from; size <= to; size += step) {
    const row = rows.find((r) => r.size >= size) ?? fail(`no class of ${size} bytes`);
    table.push(row.class);
  }
  return table;
}

function wasteTable(rows: readonly ClassRow[]): string {
  const line = (cells: string[]) => ` * ${cells.map((c, i) => c.padStart([5, 9, 10, 7, 10, 9, 9][i] ?? 0)).join("  ")}`;
  return [
    line(["class", "bytes/obj", "bytes/span", "objects", "tail waste", "max waste", "min align"]),
    ...rows
      .slice(1)
      .map((r) =>
        line([
          `${r.class}`,
          `${r.size}`,
          `${r.spanBytes}`,
          `${r.objects}`,
          `${r.tailWaste}`,
          `${(r.maxWaste * 100).toFixed(2)}%`,
          `${r.minAlign}`,
        ]),
      ),
  ].join("\n");
}

const GENERATED = "Generated by scripts/gen-sizeclasses.ts; a test fails when this file and the generator differ.";

const hex = (n: number, digits = 8) => `0x${n.toString(16).padStart(digits, "0")}`;

/** `bytes` as little-endian 64-bit words, the last filled up with zeros. */
function packWords(bytes: readonly number[]): string[] {
  const words: string[] = [];
  for (let i = 0; i < bytes.length; i += 8) {
    let digits = "";
    for (let j = 7; j >= 0; j--) digits += (bytes[i + j] ?? 0).toString(16).padStart(2, "0");
    words.push(`0x${digits}`);
  }
  return words;
}

function renderAssembly(rows: readonly ClassRow[]): string {
  const sizes = packWords(rows.flatMap((r) => [r.size & 0xff, r.size >> 8]));
  const pages = packWords(rows.map((r) => r.pages));
  const stores = (base: string, words: string[]) =>
    words.map((w, i) => `  store<u64>(${base}, ${w}${i === 0 ? "" : `, ${i * 8}`});`).join("\n");
  return `/**
 * The ${rows.length} size classes of small objects, as Go's runtime cuts them.
 * ${GENERATED}
 *
${wasteTable(rows)}
 *
 * max waste: every object one byte larger than the class before holds, plus the tail of the span.
 * min align: what every object of the class is aligned to, a span being page-aligned (${PAGE_SIZE} bytes).
 *
 * The rows are constants in code, not a data segment: a module that has one would write it again into shared
 * memory at each instantiation.
 */

/** Number of classes, class 0 (large objects) included. */
export const NUM_SIZE_CLASSES: i32 = ${rows.length};
/** Largest size in bytes that has a class. */
export const MAX_SMALL_SIZE: u32 = ${MAX_SMALL_SIZE};
/** Up to here a size finds its class in steps of ${SMALL_SIZE_DIV} bytes, above in steps of ${LARGE_SIZE_DIV}. */
export const SMALL_SIZE_MAX: u32 = ${SMALL_SIZE_MAX};

/** Bytes that fillSizeClasses writes at \`sizes\` and at \`pages\`. */
export const CLASS_SIZES_BYTES: usize = ${sizes.length * 8};
export const CLASS_PAGES_BYTES: usize = ${pages.length * 8};

/**
 * Writes the table: at \`sizes\` a u16 per class, its bytes per object; at \`pages\` a u8 per class, the pages of
 * its span (${PAGE_SIZE} bytes each) and zeros up to CLASS_PAGES_BYTES. Both 8-aligned. Cost: ${sizes.length + pages.length} stores.
 */
export function fillSizeClasses(sizes: usize, pages: usize): void {
${stores("sizes", sizes)}
${stores("pages", pages)}
}
`;
}

function renderHost(rows: readonly ClassRow[]): string {
  const table8 = lookupTable(rows, 0, SMALL_SIZE_MAX, SMALL_SIZE_DIV);
  const table128 = lookupTable(rows, SMALL_SIZE_MAX, MAX_SMALL_SIZE, LARGE_SIZE_DIV);
  const list = (values: number[]) => {
    const lines: string[] = [];
    for (let i = 0; i < values.length; i += 24) lines.push(`  ${values.slice(i, i + 24).join(", ")},`);
    return lines.join("\n");
  };
  const row = (r: ClassRow) =>
    `  { class: ${r.class}, size: ${r.size}, spanBytes: ${r.spanBytes}, pages: ${r.pages}, objects: ${r.objects}, ` +
    `tailWaste: ${r.tailWaste}, maxWaste: ${Number(r.maxWaste.toFixed(6))}, minAlign: ${r.minAlign}, ` +
    `divMagic: ${hex(r.divMagic)} },`;
  return `/**
 * The ${rows.length} size classes of small objects as the host sees them: for statistics, charts and tests.
 * ${GENERATED}
 * Same rows as assembly/base/sizeclasses.ts, which has the waste table. Constant; every function here is O(1).
 */

/** One class of small objects. Class 0 stands for large objects (more than ${MAX_SMALL_SIZE} bytes) and is all zero. */
export interface SizeClass {
  /** Index, 0 to ${rows.length - 1}. */
  readonly class: number;
  /** Bytes per object. */
  readonly size: number;
  /** Bytes of a span of this class. */
  readonly spanBytes: number;
  /** Pages of a span, ${PAGE_SIZE} bytes each. */
  readonly pages: number;
  /** Objects per span. */
  readonly objects: number;
  /** Bytes at the end of a span that hold no object. */
  readonly tailWaste: number;
  /** Share of a span wasted when every object is one byte larger than the class before holds, 0 to 1. */
  readonly maxWaste: number;
  /** Bytes to which every object of the class is aligned (a power of two). */
  readonly minAlign: number;
  /** Reciprocal: slot = (offset * divMagic) >> 32, for every offset in a span. */
  readonly divMagic: number;
}

/** Number of classes, class 0 included. */
export const NUM_SIZE_CLASSES = ${rows.length};
/** Largest size in bytes that has a class. */
export const MAX_SMALL_SIZE = ${MAX_SMALL_SIZE};
/** Largest size in bytes that the lower lookup table would hold (it is asked up to ${SMALL_SIZE_MAX - SMALL_SIZE_DIV}). */
export const SMALL_SIZE_MAX = ${SMALL_SIZE_MAX};

/** All classes, SIZE_CLASSES[i].class === i. */
// biome-ignore format: one row per class
export const SIZE_CLASSES: readonly SizeClass[] = [
${rows.map(row).join("\n")}
];

/** Entry i: the first class of at least ${SMALL_SIZE_DIV} * i bytes. */
// biome-ignore format: a table of small numbers
const SIZE_TO_CLASS_8: readonly number[] = [
${list(table8)}
];

/** Entry i: the first class of at least ${SMALL_SIZE_MAX} + ${LARGE_SIZE_DIV} * i bytes. */
// biome-ignore format: a table of small numbers
const SIZE_TO_CLASS_128: readonly number[] = [
${list(table128)}
];

/**
 * The class that holds \`size\` bytes; 0 for no bytes and for a size that has no class (above ${MAX_SMALL_SIZE}).
 * Sizes ${SMALL_SIZE_MAX - SMALL_SIZE_DIV + 1} to ${SMALL_SIZE_MAX} are below the upper table's base and still look there: in unsigned arithmetic
 * (size - ${SMALL_SIZE_MAX}) + ${LARGE_SIZE_DIV - 1} wraps round to ${LARGE_SIZE_DIV - SMALL_SIZE_DIV} to ${LARGE_SIZE_DIV - 1}, which is entry 0.
 */
export function classOf(size: number): number {
  if (!(size >= 1 && size <= MAX_SMALL_SIZE)) return 0;
  const index =
    size <= SMALL_SIZE_MAX - ${SMALL_SIZE_DIV}
      ? SIZE_TO_CLASS_8[(size + ${SMALL_SIZE_DIV - 1}) >>> ${Math.log2(SMALL_SIZE_DIV)}]
      : SIZE_TO_CLASS_128[(size - SMALL_SIZE_MAX + ${LARGE_SIZE_DIV - 1}) >>> ${Math.log2(LARGE_SIZE_DIV)}];
  return index ?? 0;
}
`;
}

/** The generated files, path below the package root and text. */
export function generate(): GeneratedFile[] {
  const rows = makeRows();
  verifyRows(rows);
  return [
    { path: "assembly/base/sizeclasses.ts", text: renderAssembly(rows) },
    { path: "src/base/sizeclasses.ts", text: renderHost(rows) },
  ];
}

/** Paths of the generated files whose text on disk differs from what generate() gives. */
export function drift(): string[] {
  return driftOf(generate());
}

runGenerator(import.meta.url, generate);
