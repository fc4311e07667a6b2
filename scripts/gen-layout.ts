/**
 * Generates src/snapshot/layout.ts, what a reader from outside knows of a heap's records, from the sources in assembly/
 * that define them (layout.ts). Run it after a change of a record or a constant there. The build and a test fail when the
 * file is not what it gives.
 */
import { comment, filled } from "./gen-abi.ts";
import { driftOf, type GeneratedFile, runGenerator } from "./gen-files.ts";
import { layoutOf, type Switches } from "./layout.ts";

/** Every flavour whose records differ from another's, by the bits of its layout word. */
const FLAVOURS: readonly (readonly [name: string, switches: Switches])[] = (
  [
    ["malloc", {}],
    ["host", { host: true }],
    ["shared", { shared: true }],
    ["host-shared", { host: true, shared: true }],
    ["assemblyscript", { asc: true }],
    ["assemblyscript", { asc: true, finalize: true }],
  ] as [string, Switches][]
).flatMap(([name, switches]) => [
  [name, switches],
  [name, { ...switches, samples: true }],
]);

/** Constants that a reader uses. Those that are the same in all flavours are constants, the others fields of Layout. */
const CONSTANTS = [
  ...["PAGE_SHIFT", "NUM_ARENAS", "ARENA_PAGES", "CHUNK_PAGES", "LAYOUT", "RECORD_ALIGN", "FIXED_SIZE"],
  ...["NUM_ROWS", "ROW_FITTED", "ROW_SCAN", "ROW_TINY", "ROW_NOSCAN", "FIRST_GC_ROW", "RAW_ROWS"],
  ...[
    "HEAP_MARK",
    "HEAP_ZEROBASE",
    "HEAP_CLAIM",
    "HEAP_DUMMY",
    "HEAP_FREE_SPANS",
    "HEAP_STATS",
    "HEAP_ROWS",
    "HEAP_CENTRAL",
    "MCENTRAL_SIZE",
    "HEAP_P",
  ],
  ...["P_RECORD_SIZE", "HEAP_ARENA_MAP", "HEAP_RUNS", "HEAP_P_STATES", "HEAP_P_RECORDS", "HEAP_SETUP"],
  ...["HEAP_RECORD_SIZE", "ARENA_BITS", "ARENA_SCAV", "ARENA_IN_USE", "ARENA_RECORD_SIZE", "GROUP_RECORDS"],
  ...["PAGE_RECORD_SHIFT", "ROW_SHIFT", "GROUP_SHIFT", "MSPAN_SIZE", "MAX_GROUPS", "MAX_RUNS", "PAGE_STAYS"],
  ...["SPAN_IN_USE", "FLAG_LISTED", "FLAG_EMPTY", "FLAG_DEFERRED", "FLAG_FULL"],
  ...["HEAP_PROFILE", "SAMPLE_SHIFT", "BUCKET_FRAMES", "BUCKET_HEADS", "NAME_HEADS", "NAME_TEXT"],
  ...["NAME_MAX", "SAMPLE_STATE", "SAMPLE_LIVE", "SAMPLE_COLLECTED", "SAMPLE_GUARDED", "SAMPLE_REMOVED"],
  ...["SAMPLE_QUARANTINED", "SAMPLE_REPORTED"],
  ...["MAX_FRAMES", "STACK_TEXT_BYTES", "STACK_RATE", "STACK_FRAMES", "STACK_TEXTS", "REPORT_AT"],
  ...["HOST", "SHARED", "ASC", "GC", "COMPACTS", "SAMPLES", "STAT_LARGE_MALLOCS", "SUMS_SIZE"],
];

/** Fields that a reader uses, by record. */
const FIELDS: Readonly<Record<string, string>> = {
  MHeap:
    "sysEnd arenaLo arenaHi sums persistCur persistEnd grownPages inUsePages metaPages retainedPages sys sweepgen " +
    "nextFitted pcCache pcScav pcBase tinyAllocs runCount",
  Row: "group elemsize span",
  MCentral: "nspans taken npages spanclass sizeclass npagesInUse",
  MSpan: "next startAddr npages partialMask sweepgen row state ngroups owner nelems flags spanclass",
  PageRecord: "base divMagic groups row",
  Profile: "rate guard current table mask used live heads names buckets cycle quarantined quarantine lost reports",
  Sample: "key ptr size bucket freeBucket state cycle time freeTime checked extent",
  Bucket: "next hash size frames allocs frees allocs0 frees0 allocs1 frees1 allocs2 frees2 rate",
  Name: "next number bytes",
  PRecord: "id ownedPages remoteFrees groupsPushed groupsTaken lateDoubleFrees spansTaken spansGiven",
};

export function generate(): GeneratedFile[] {
  const layouts = FLAVOURS.map(([name, switches]) => ({ name, ...layoutOf(switches) }));
  const constantOf = (layout: (typeof layouts)[number], name: string): number => {
    const value = layout.constants[name];
    if (value === undefined) throw new Error(`assembly/ has no constant ${name}: change it in scripts/gen-layout.ts`);
    return value;
  };
  const same = (name: string) => new Set(layouts.map((layout) => constantOf(layout, name))).size === 1;
  const common = CONSTANTS.filter(same);
  const differing = CONSTANTS.filter((name) => !same(name));
  const records = Object.entries(FIELDS).map(([record, names]) => {
    const fields = names.split(" ").map((name) => {
      const field = layouts[0]!.records.get(record)?.find((one) => one.name === name);
      if (field === undefined)
        throw new Error(`assembly/ has no ${record}.${name}: change it in scripts/gen-layout.ts`);
      return `  ${name}: ${field.offset},`;
    });
    return `/** Byte offsets of fields of ${record}. */\nexport const ${upper(record)} = {\n${fields.join("\n")}\n} as const;\n`;
  });
  const tables = layouts.map((layout) => {
    return `  ["${layout.name}", ${differing.map((name) => constantOf(layout, name)).join(", ")}],`;
  });
  const text = `/**
 * The layout of a heap's records, for readers from outside. Generated from assembly/ by scripts/gen-layout.ts: do not
 * edit.
 */

// The same in all flavours.
${common.map((name) => `export const ${name} = ${constantOf(layouts[0]!, name)};`).join("\n")}

${records.join("\n")}
${comment("What differs from flavour to flavour. LAYOUT is the word behind the magic in the heap's record.")}
export interface Layout {
  readonly flavour: Flavour;
${differing.map((name) => `  readonly ${name}: number;`).join("\n")}
}

export type Flavour = ${[...new Set(layouts.map(({ name }) => `"${name}"`))].join(" | ")};

// biome-ignore format: filled lines
const NAMES = [
${filled(differing)}
] as const;

// biome-ignore format: one line each
const TABLE: readonly (readonly [Flavour, ...number[]])[] = [
${tables.join("\n")}
];

let made: readonly Layout[] | undefined;

/** All layouts, made at the first call: importing this file does nothing. */
export function layouts(): readonly Layout[] {
  made ??= TABLE.map(([flavour, ...values]) => {
    return { flavour, ...Object.fromEntries(NAMES.map((name, i) => [name, values[i]])) } as unknown as Layout;
  });
  return made;
}
`;
  return [{ path: "src/snapshot/layout.ts", text }];
}

/** MSpan: MSPAN_AT. */
function upper(record: string): string {
  return `${record.toUpperCase()}_AT`;
}

/** Paths of the files on disk that are not what generate() gives. */
export function drift(): string[] {
  return driftOf(generate());
}

runGenerator(import.meta.url, generate);
