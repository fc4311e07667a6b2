/**
 * A snapshot from its JSON, which may come from anywhere: every field is checked before it is used, and what is wrong is a
 * SnapshotError that names it. Cost: O(spans + bitmaps).
 */
import { show } from "../base/check.js";
import { SnapshotError } from "../base/errors.js";
import {
  flagBit,
  PAGE_BYTES,
  type PJSON,
  type RowJSON,
  RUN_KINDS,
  type RunJSON,
  type SampledBlock,
  type SkippedJSON,
  SNAPSHOT_FORMAT,
  SNAPSHOT_VERSION,
  SPAN_FLAGS,
  SPAN_KINDS,
  type SpanJSON,
  type TotalsJSON,
} from "./format.js";
import { type Flavour, layouts } from "./layout.js";
import { popcount } from "./memory.js";
import { aSample } from "./read.js";
import { HeapSnapshot, type Run } from "./snapshot.js";
import { NO_BITS, SpanColumns } from "./spans.js";

/** Pages that 4 GiB have. */
const MAX_PAGES = 2 ** 32 / PAGE_BYTES;
/** Most slots of a span: 16 groups of 64. */
const MAX_SLOTS = 1024;

/** The snapshot that `value`, parsed JSON, describes. Throws SnapshotError "format". */
export function parseSnapshot(value: unknown): HeapSnapshot {
  const given = record(value, "the snapshot");
  if (given["format"] !== SNAPSHOT_FORMAT) {
    throw wrong(`format is ${show(given["format"])}, not "${SNAPSHOT_FORMAT}"`);
  }
  if (given["version"] !== SNAPSHOT_VERSION) {
    throw wrong(
      `version is ${show(given["version"])}: this package reads version ${SNAPSHOT_VERSION}`,
      "update gomalloc",
    );
  }
  if (given["pageSize"] !== PAGE_BYTES) throw wrong(`pageSize is ${show(given["pageSize"])}, not ${PAGE_BYTES}`);
  const start = integer(given["start"], 0, MAX_PAGES - 1, "start");
  const end = integer(given["end"], start + 1, MAX_PAGES, "end");
  const rows = list(given["rows"], "rows").map((row, i) => aRow(record(row, `rows[${i}]`), `rows[${i}]`));
  const { label, ps, samples } = given;
  return new HeapSnapshot({
    time: number(given["time"], "time"),
    label: label === undefined ? undefined : string(label, "label"),
    flavour: word<Flavour>(given["flavour"], [...new Set(layouts().map(({ flavour }) => flavour))], "flavour"),
    address: integer(given["address"], 0, 2 ** 32 - 1, "address"),
    memoryBytes: integer(given["memoryBytes"], 0, 2 ** 32, "memoryBytes"),
    start,
    end,
    totals: totals(record(given["totals"], "totals")),
    rows,
    columns: spans(list(given["spans"], "spans"), rows, start, end),
    runs: runs(list(given["runs"], "runs"), start, end),
    ps: ps === undefined ? undefined : list(ps, "ps").map((p, i) => aP(record(p, `ps[${i}]`), `ps[${i}]`)),
    skipped: skipped(record(given["skipped"], "skipped")),
    samples: samples === undefined ? undefined : list(samples, "samples").map((one, i) => sample(one, `samples[${i}]`)),
  });
}

function wrong(what: string, remedy = "give what JSON.stringify(heap.snapshot()) makes"): SnapshotError {
  return new SnapshotError("format", `this is no snapshot of a heap: ${what}`, remedy);
}

type Fields = Readonly<Record<string, unknown>>;

function record(value: unknown, name: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw wrong(`${name} is ${show(value)}, not an object`);
}

function list(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw wrong(`${name} is ${show(value)}, not a list`);
}

function number(value: unknown, name: string): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw wrong(`${name} is ${show(value)}, not a number`);
}

function integer(value: unknown, low: number, high: number, name: string): number {
  if (Number.isInteger(value) && (value as number) >= low && (value as number) <= high) return value as number;
  throw wrong(`${name} is ${show(value)}, not an integer in ${low}..${high}`);
}

function string(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  throw wrong(`${name} is ${show(value)}, not a string`);
}

function word<T extends string>(value: unknown, words: readonly T[], name: string): T {
  if (words.includes(value as T)) return value as T;
  throw wrong(`${name} is ${show(value)}, not one of ${words.join(", ")}`);
}

const TOTALS = [
  ...["sys", "heapSys", "heapInuse", "heapIdle", "scavenged", "heapAlloc", "heapObjects", "heapRetained"],
  ...["spansInUse", "largeLiveBytes", "mspanInuse", "overhead", "metadata", "foreign"],
] as (keyof TotalsJSON)[];

function totals(given: Fields): TotalsJSON {
  return Object.fromEntries(
    TOTALS.map((name) => [name, number(given[name], `totals.${name}`)]),
  ) as unknown as TotalsJSON;
}

function aRow(given: Fields, name: string): RowJSON {
  const count = (field: string) => integer(given[field], 0, Number.MAX_SAFE_INTEGER, `${name}.${field}`);
  const { mallocs } = given;
  const row = integer(given["row"], 0, 255, `${name}.row`);
  return {
    row,
    kind: word(given["kind"], SPAN_KINDS, `${name}.kind`),
    class: integer(given["class"], 0, 67, `${name}.class`),
    size: integer(given["size"], row === 0 ? 0 : 1, 32768, `${name}.size`),
    spans: count("spans"),
    pages: count("pages"),
    slots: count("slots"),
    live: count("live"),
    ...(mallocs === undefined ? {} : { mallocs: count("mallocs") }),
  };
}

function spans(given: readonly unknown[], rows: readonly RowJSON[], start: number, end: number): SpanColumns {
  const columns = new SpanColumns();
  const known = new Map(rows.map((row) => [row.row, row]));
  let next = start;
  given.forEach((one, i) => {
    const name = `spans[${i}]`;
    const span = record(one, name) as Fields & Partial<SpanJSON>;
    const page = integer(span.page, next, end - 1, `${name}.page`);
    const pages = integer(span.pages, 1, end - page, `${name}.pages`);
    const row = integer(span.row, 0, 255, `${name}.row`);
    const line = known.get(row);
    if (line === undefined) throw wrong(`${name}.row is ${row}, which is not in rows`);
    const expected = { kind: line.kind, class: line.class, size: row === 0 ? pages * PAGE_BYTES : line.size };
    for (const [field, value] of Object.entries(expected)) {
      if (span[field] !== value) throw wrong(`${name}.${field} is ${show(span[field])}, and ${show(value)} in rows`);
    }
    const slots = integer(span.slots, 1, MAX_SLOTS, `${name}.slots`);
    const live = integer(span.live, 0, slots, `${name}.live`);
    const owner = span.owner === undefined ? 0 : integer(span.owner, 1, 255, `${name}.owner`);
    const words = span.flags === undefined ? [] : list(span.flags, `${name}.flags`);
    const flags = words.reduce<number>((mask, flag) => mask | flagBit(word(flag, SPAN_FLAGS, `${name}.flags`)), 0);
    const at = span.bits === undefined ? NO_BITS : bits(columns, string(span.bits, `${name}.bits`), slots, live, name);
    columns.add({ page, pages, row, owner, flags, slots, live }, at);
    next = page + pages;
  });
  columns.close();
  return columns;
}

/** Puts a bitmap into the columns; the index of its first word. */
function bits(columns: SpanColumns, text: string, slots: number, live: number, name: string): number {
  const at = columns.words;
  let bytes: string;
  try {
    bytes = atob(text);
  } catch {
    throw wrong(`${name}.bits is no base64`);
  }
  if (bytes.length !== Math.ceil(slots / 8)) throw wrong(`${name}.bits has ${bytes.length} bytes for ${slots} slots`);
  let count = 0;
  for (let i = 0; i < bytes.length; i += 4) {
    let value = 0;
    for (let k = 0; k < 4 && i + k < bytes.length; k++) value |= bytes.charCodeAt(i + k) << (8 * k);
    count += popcount(value);
    columns.put(value);
  }
  if (count !== live) throw wrong(`${name}.bits has ${count} live slots, and ${name}.live is ${live}`);
  return at;
}

function runs(given: readonly unknown[], start: number, end: number): Run[] {
  let next = start;
  return given.map((one, i) => {
    const name = `runs[${i}]`;
    const run = record(one, name) as Fields & Partial<RunJSON>;
    const page = integer(run.page, next, end - 1, `${name}.page`);
    const pages = integer(run.pages, 1, end - page, `${name}.pages`);
    next = page + pages;
    const kind = RUN_KINDS.indexOf(word(run.kind, RUN_KINDS, `${name}.kind`));
    return { page, pages, kind, owner: run.owner === undefined ? 0 : integer(run.owner, 1, 255, `${name}.owner`) };
  });
}

const P_FIELDS = [
  ...["token", "ownedPages", "remoteFrees", "groupsPushed", "groupsTaken", "lateDoubleFrees", "spansTaken"],
  "spansGiven",
] as const;
const STATES = ["unused", "idle", "running", "blocked", "stopping", "dead", "starting"] as const;

function aP(given: Fields, name: string): PJSON {
  const counts = P_FIELDS.map((field) => [field, number(given[field], `${name}.${field}`)]);
  const id = integer(given["id"], 1, 255, `${name}.id`);
  return { id, state: word(given["state"], STATES, `${name}.state`), ...Object.fromEntries(counts) } as PJSON;
}

function skipped(given: Fields): SkippedJSON {
  return {
    count: integer(given["count"], 0, Number.MAX_SAFE_INTEGER, "skipped.count"),
    first: list(given["first"], "skipped.first").map((one, i) => {
      const { address, what } = record(one, `skipped.first[${i}]`);
      return {
        address: number(address, `skipped.first[${i}].address`),
        what: string(what, `skipped.first[${i}].what`),
      };
    }),
  };
}

function sample(given: unknown, name: string): SampledBlock {
  try {
    return aSample(given as SampledBlock);
  } catch (error) {
    throw wrong(`${name}: ${(error as Error).message}`);
  }
}
