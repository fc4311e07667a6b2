/**
 * A heap's memory in the shape of what performance.measureUserAgentSpecificMemory() resolves with, for code that
 * collects such measurements: the browser's own sees one opaque buffer. O(spans).
 */
import { namesOf, readOptions, text } from "../base/check.js";
import { checkSource, type HeapSource, partsOf } from "./source.js";

/** Whose memory it is: a page or a worker. */
export interface MemoryAttribution {
  readonly url: string;
  /** The kind of its global object, as "Window" or "DedicatedWorkerGlobalScope". */
  readonly scope: string;
}

export interface MemoryBreakdownEntry {
  readonly bytes: number;
  readonly attribution: readonly MemoryAttribution[];
  /** "WebAssembly", then what the bytes are for. */
  readonly types: readonly string[];
}

export interface MemoryMeasurement {
  /** Bytes that the heap has obtained: the sum of the breakdown. */
  readonly bytes: number;
  readonly breakdown: readonly MemoryBreakdownEntry[];
}

export interface MeasureOptions {
  /** Address of the page or worker. Default its location, or "" where there is none, as in Node. */
  readonly url?: string | undefined;
  /** Kind of its global object. Default what it is, or "" where it is none of the web's. */
  readonly scope?: string | undefined;
}

const OPTIONS = namesOf<MeasureOptions>({ url: 0, scope: 0 });

/** What each part is called. */
const TYPES = {
  live: "live blocks",
  slack: "free slots",
  idle: "idle pages",
  stacks: "stacks",
  collector: "collector",
  records: "records",
} as const;

/** The heap's memory by what it is for. Throws TypeError, and what stats() throws. */
export function measureHeapMemory(heap: HeapSource, options: MeasureOptions = {}): MemoryMeasurement {
  const here = globalThis as { location?: { href?: string }; constructor?: { name?: string } };
  const { url = here.location?.href ?? "", scope = scopeOf(here.constructor?.name) } = readOptions(
    options,
    OPTIONS,
    "measureHeapMemory",
  );
  const attribution = [{ url: text(url, "url"), scope: text(scope, "scope") }];
  const stats = checkSource(heap).stats();
  const parts = Object.entries(partsOf(stats)) as [keyof typeof TYPES, number][];
  return {
    bytes: stats.sys,
    breakdown: parts.map(([part, bytes]) => ({ bytes, attribution, types: ["WebAssembly", TYPES[part]] })),
  };
}

function scopeOf(name = ""): string {
  return /^(?:Window|\w+Scope)$/.test(name) ? name : "";
}
