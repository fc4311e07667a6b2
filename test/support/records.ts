/**
 * The words of a heap's records, each with the name of its field: what core/overwrite.test.ts overwrites one by one.
 *
 * The heap's own record (and those of Ps), arena records, span records with fronts and groups, dead span records, the
 * collector's tables: all that lies outside of the pages of spans and of free pages.
 */
import { hostLayout } from "../../scripts/layout.ts";
import type { HostExports } from "./wasm.ts";

/** Fields of an MHeap that a P's record does not use, and of a PRecord that the heap's own does not. */
const HEAPS_ALONE = new Set(
  ["sysEnd", "arenaLo", "arenaHi", "rootLevel", "searchPage", "sums", "grownPages", "inUsePages", "metaPages", "sys"]
    .concat(["sweepgen", "nextFitted", "runCount", "runPause"])
    .map((field) => `MHeap.${field}`),
);
const PS_ALONE = new Set(["PRecord.ownedPages"]);

export class Records {
  readonly layout: ReturnType<typeof hostLayout>;
  /** Field of each word, by address. */
  readonly names = new Map<number, string>();
  readonly #spans: number[] = [];
  readonly #c: Readonly<Record<string, number>>;
  readonly #view: Uint32Array;

  constructor(
    readonly heap: number,
    memory: WebAssembly.Memory,
    readonly shared: boolean,
    { spanOf, objectBase }: Pick<HostExports, "spanOf" | "objectBase">,
    /** Memory of others inside of the heap's range: [from, to). */
    foreign: readonly [number, number],
    /** Types made. */
    types: readonly number[],
  ) {
    this.layout = hostLayout(shared);
    this.#c = this.layout.constants;
    this.#view = new Uint32Array(memory.buffer);
    const arenas = this.#heapRecord();
    const outside = this.#outsideOfSpans(arenas, memory.buffer.byteLength, spanOf, foreign);
    for (const at of arenas) this.#arena(at);
    for (const record of this.#records()) this.#deadRecords(record);
    this.#collectorTables();
    for (const span of this.#spans) this.#types(span, objectBase);
    for (const at of types) this.#type(at);
    // What nobody uses is the rest of the chunks for records.
    const kept = new Map<number, string>();
    for (const [from, to] of outside) {
      for (let at = from; at < to; at += 4) {
        const name = this.names.get(at) ?? "unused";
        if (name !== "skip") kept.set(at, name);
      }
    }
    this.names = kept;
  }

  /** Address of the pacer's record. */
  get pacer(): number {
    return this.heap + (this.#c["HEAP_PACER"] as number);
  }

  /** Whether a cycle marks. */
  get marking(): boolean {
    return this.#gc("phase") === 1;
  }

  word(at: number): number {
    return this.#view[at >>> 2] as number;
  }

  /** Word of a field of a record of the class `record`, at `at`. */
  #field(record: string, at: number, name: string): number {
    const field = this.layout.records.get(record)?.find((f) => f.name === name);
    return this.word(at + (field?.offset ?? 0));
  }

  /** Word of a field of the heap's GcState. */
  #gc(name: string): number {
    return this.#field("GcState", this.heap + (this.#c["HEAP_GC"] as number), name);
  }

  #fill(at: number, bytes: number, name: (offset: number) => string): void {
    for (let i = 0; i < bytes; i += 4) this.names.set(at + i, name(i));
  }

  /** A record of the class `record`, at `at`. Fields of `unused` are nobody's. */
  #put(at: number, bytes: number, record: string, unused: ReadonlySet<string> = new Set()): void {
    const fields = this.layout.records.get(record) ?? [];
    this.#fill(at, bytes, (i) => {
      const field = fields.find((f) => i >= f.offset && i < f.offset + f.size);
      const name = field === undefined || /^pad\d*$/.test(field.name) ? "padding" : `${record}.${field.name}`;
      return unused.has(name) ? "padding" : name;
    });
  }

  /** A type: what describes it, and a bit for each word that may be a pointer. */
  #type(at: number): void {
    this.#fill(at, 16, () => "type");
    const words = this.word(at + 4) >>> 2;
    this.#fill(at + 16, 4 * Math.ceil(words / 32), () => "type bits");
    if (words % 32 !== 0) this.names.set(at + 16 + 4 * (words >>> 5), "type end");
  }

  /** What the span at `at` says of its objects' pointers. */
  #types(at: number, objectBase: (p: number) => number): void {
    const ngroups = (this.word(at + 24) >>> 16) & 0xff;
    const meta = this.word(at - ((Math.max(ngroups, 1) * 8 + 8 + 15) & ~15));
    if (meta === 0 || ngroups === 0) return;
    const size = this.word(this.heap + (this.#c["HEAP_ROWS"] as number) + (this.word(at + 24) & 0xff) * 32 + 4);
    const noscan = (this.word(at + 28) >>> 24) & 1;
    this.#fill(meta, ngroups * 256 + 8, () => (noscan || size > 128 ? "unused" : "pointer bits"));
    if (noscan || size <= 128) return;
    const start = this.word(at + 8);
    for (let i = 0; i < (this.word(at + 28) & 0xffff); i++) {
      if (objectBase(start + i * size) === start + i * size) this.names.set(meta + i * 4, "object's type");
    }
  }

  /** The heap's record, and those of Ps. */
  *#records(): Generator<number> {
    yield this.heap;
    if (!this.shared) return;
    for (let id = 1; id < 256; id++) {
      const record = this.word(this.heap + (this.#c["HEAP_P_RECORDS"] as number) + id * 4);
      if (record !== 0) yield record;
    }
  }

  #heapRecord(): number[] {
    const c = this.#c as Record<string, number> & { [name: string]: number };
    const { heap } = this;
    const at = (name: string) => c[name] as number;
    this.#fill(heap, at("HEAP_RECORD_SIZE"), () => "padding");
    for (const record of this.#records()) {
      if (record !== heap) this.#fill(record, Math.ceil(at("P_RECORD_SIZE") / 8192) * 8192, () => "padding");
      this.#put(record, at("HEAP_DUMMY"), "MHeap", record === heap ? undefined : HEAPS_ALONE);
      this.#fill(record + at("HEAP_DUMMY"), 16, () => "dummy");
      const tables: [string, number][] = [
        ["HEAP_FREE_SPANS", 68],
        ["HEAP_MARK", 8],
        ["HEAP_ZEROBASE", 16],
        ["HEAP_STATS", 256],
        ["HEAP_TABLE8", 516],
        ["HEAP_TABLE128", 248],
        ["HEAP_CLASS8", 128],
        ["HEAP_CLASS128", 248],
        ["HEAP_CLASS_SIZE", 136],
        ["HEAP_CLASS_PAGES", 68],
      ];
      for (const [name, bytes] of tables) this.#fill(record + at(name), bytes, () => name);
      for (let row = 0; row < at("NUM_ROWS"); row++) {
        const size = at("MCENTRAL_SIZE");
        this.#put(record + at("HEAP_ROWS") + row * 32, 32, "Row");
        this.#put(record + at("HEAP_CENTRAL") + row * size, 48, "MCentral");
        this.#put(record + at("HEAP_CENTRAL") + row * size + 48, size - 48, "SweepSets");
      }
      if (this.shared) {
        this.#put(record + at("HEAP_P"), 192, "PRecord", record === heap ? PS_ALONE : undefined);
        this.#fill(record + at("P_GATE"), 64, (i) => (i === 0 ? "gate" : "lock counter"));
        this.#fill(record + at("P_SHADED"), 512, () => "shaded");
      }
    }
    this.#put(heap + at("HEAP_GC"), 256, "GcState");
    this.#put(heap + at("HEAP_PACER"), 512, "Pacer");
    if (this.shared) {
      this.#put(heap + at("HEAP_GC") + 768, at("GC_SIZE") - 768, "SharedGc");
      for (let i = 0; i < at("NUM_LOCKS"); i++) {
        this.#fill(heap + at("HEAP_LOCKS") + i * 64, 64, (k) => (k === 0 ? "lock" : "lock counter"));
      }
      this.#fill(heap + at("HEAP_P_STATES"), 1024, (i) => (i === 0 ? "padding" : "P state"));
      this.#fill(heap + at("HEAP_P_RECORDS"), 1024, (i) => (i === 0 ? "padding" : "P record"));
      this.#fill(heap + at("HEAP_SETUP"), 8, (i) => (i === 0 ? "setup" : "procs"));
      this.#fill(heap + at("HEAP_DEFERRED"), 4, () => "note flags");
      this.#fill(heap + at("HEAP_DEFERRED") + at("NOTES_CHUNKS"), 64, () => "note");
    }
    // The figures' own record is written by whoever asks for them.
    this.#fill(heap + at("HEAP_MEMSTATS"), 312 * 8, () => "skip");
    this.#fill(heap + at("HEAP_ARENA_MAP"), 4096, () => "arena map");
    // What is behind the last run is not read.
    const runs = this.#field("MHeap", heap, "runCount");
    this.#fill(heap + at("HEAP_RUNS"), 256, (i) => (i < runs * 8 ? "run" : "unused"));
    const arenas: number[] = [];
    for (let a = 0; a < at("NUM_ARENAS"); a++) arenas.push(this.word(heap + at("HEAP_ARENA_MAP") + a * 4));
    return arenas.filter((record) => record !== 0);
  }

  #arena(at: number): void {
    const c = this.#c as { [name: string]: number };
    this.#fill(at, c["ARENA_BITS"] as number, (i) => {
      const field = this.layout.records.get("PageRecord")?.find((f) => f.offset === i % 16);
      return `PageRecord.${field?.name}`;
    });
    for (const [name, part] of [
      ["ARENA_BITS", "pallocBits"],
      ["ARENA_SCAV", "scavenged"],
      ["ARENA_IN_USE", "inUse"],
      ["ARENA_SUMS", "sums"],
    ] as const) {
      this.#fill(at + (c[name] as number), 64, () => part);
    }
    if (this.shared) this.#fill(at + (c["ARENA_NOTED"] as number), 64, () => "note");
  }

  /** Names the span records, and gives the ranges of memory that are neither spans' nor free. */
  #outsideOfSpans(
    arenas: readonly number[],
    end: number,
    spanOf: (p: number) => number,
    foreign: readonly [number, number],
  ): [number, number][] {
    const c = this.#c as { [name: string]: number };
    const map = this.heap + (c["HEAP_ARENA_MAP"] as number);
    const ranges: [number, number][] = [];
    const first = arenas[0] ?? 0;
    for (let page = this.heap & ~8191; page < end; page += 8192) {
      if (page >= foreign[0] && page < foreign[1]) continue;
      const from = Math.max(page, this.heap);
      const arena = this.word(map + (page >>> 22) * 4);
      if (page >= first && arena === 0) continue;
      const span = page >= first ? spanOf(page) : 0;
      if (span !== 0) {
        this.#span(span);
        continue;
      }
      const bits = arena === 0 ? -1 : this.word(arena + (c["ARENA_BITS"] as number) + ((page >>> 18) & 15) * 4);
      if ((bits >>> ((page >>> 13) & 31)) & 1) ranges.push([from, page + 8192]);
    }
    return ranges;
  }

  #span(at: number): void {
    if (this.#spans.at(-1) !== at) this.#spans.push(at);
    const ngroups = (this.word(at + 24) >>> 16) & 0xff;
    const owned = Math.max(ngroups, 1);
    const front = (owned * 8 + 8 + 15) & ~15;
    this.#fill(at - front, front, (i) => {
      if (i === 0) return "meta";
      return i === 4 ? "special head" : i >= front - owned * 8 ? "mark" : "padding";
    });
    this.#put(at, 32, "MSpan");
    for (let i = 0; i < ngroups; i++) this.#put(at + 32 + i * 16, 16, "Group");
    if (!this.shared) return;
    this.#fill(at + 32 + ngroups * 16, ngroups * 16, (i) => ((i & 8) === 0 ? "remote bits" : "unused"));
  }

  #deadRecords(record: number): void {
    const lists = record + (this.#c["HEAP_FREE_SPANS"] as number);
    for (let n = 0; n <= 16; n++) {
      for (let at = this.word(lists + n * 4); at !== 0; at = this.word(at)) {
        const front = (Math.max(n, 1) * 8 + 8 + 15) & ~15;
        this.#fill(at - front, front + 32 + n * (this.#c["GROUP_RECORDS"] as number), (i) => {
          if (i === front) return "dead next";
          return i === front + 16 || i === front + 24 ? "dead groups" : "unused";
        });
      }
    }
  }

  #collectorTables(): void {
    const handles = this.#gc("handles");
    this.#fill(handles, this.#gc("handleSlots") * 4, () => "handle");
    if (this.#gc("pins") !== 0) this.#fill(this.#gc("pins"), (this.#gc("pinMask") + 1) * 8, () => "pin");
    for (let at = this.#gc("ranges"); at !== 0; at = this.word(at)) {
      this.#fill(at, 16, (i) => (i === 0 ? "range next" : "range"));
    }
    const specials = this.#gc("specials");
    for (let at = specials; at < specials + this.#gc("specialSlots") * 16; at += 16) {
      const tag = this.word(at + 12);
      const fields = ["next", "at", "value", "tag"].map((field) => `special ${field}`);
      if (at === specials) fields.fill("unused");
      else if (tag === 0) fields.fill("unused", 1, 3);
      else if ((tag & 0x10) !== 0) fields[1] = "unused";
      this.#fill(at, 16, (i) => fields[i >>> 2] as string);
    }
    const top = this.#gc("top");
    for (let page = top === 0 ? 0 : (top - 4) & ~8191; page !== 0; page = this.word(page)) {
      this.#fill(page, 8192, (i) => (i === 0 ? "work next" : "unused"));
    }
  }
}
