/** What the page says of a page of the heap, as lines of name and value; the tooltip, the panel and readers share it. */
import { PAGE_BYTES, type SampledBlock } from "../snapshot/format.js";
import { bytesText, percentText } from "../snapshot/words.js";
import type { Model } from "./model.js";

export interface Description {
  readonly title: string;
  readonly lines: readonly (readonly [name: string, value: string])[];
  readonly samples: readonly SampledBlock[];
}

const RUN_NAMES = {
  free: "Free pages",
  scavenged: "Free pages, known to be zero",
  "page-cache": "Free pages in a page cache",
  "run-cache": "Free pages in the run cache",
  metadata: "Records of the heap",
  foreign: "Not the heap's",
} as const;

const SPAN_NAMES = {
  malloc: "Blocks of malloc",
  fitted: "Blocks of malloc, fitted class",
  scan: "Objects with pointers",
  noscan: "Objects without pointers",
  tiny: "Blocks of the tiny allocator",
  raw: "Blocks of heap.alloc",
  large: "Large block",
} as const;

export const hex = (address: number): string => `0x${address.toString(16)}`;

/** A page; with `address` also the slot that it lies in. */
export function describe(model: Model, page: number, address?: number): Description {
  const { snapshot } = model;
  const span = model.spanAt(page);
  const changes = model.changesOn(page).map(({ what, appeared, gone }): [string, string] => {
    const parts = [appeared > 0 ? `${appeared} more` : "", gone > 0 ? `${gone} freed` : ""].filter(Boolean);
    return [
      what === "changed" ? "Changed" : what === "new" ? "New span" : "Span gone",
      `${parts.join(", ") || "no"} live`,
    ];
  });
  if (span < 0) {
    const run = snapshot.runs.find((one) => one.page <= page && page < one.page + one.pages);
    const kind = model.runAt(page);
    const lines: [string, string][] = [["Page", `${page}, ${hex(page * PAGE_BYTES)}`]];
    if (run !== undefined) lines.push(["Run", `${run.pages} pages, ${bytesText(run.pages * PAGE_BYTES)}`]);
    if (run !== undefined && run.owner !== 0) lines.push(["Owner", `P ${run.owner}`]);
    return { title: kind === undefined ? "Nothing" : RUN_NAMES[kind], lines: [...lines, ...changes], samples: [] };
  }
  const info = snapshot.span(span);
  const lines: [string, string][] = [
    ["Span", `${hex(info.page * PAGE_BYTES)}, ${info.pages} ${info.pages === 1 ? "page" : "pages"}`],
    ["Class", info.row === 0 ? "large" : info.class === 0 ? `row ${info.row}` : `${info.class}, row ${info.row}`],
    [info.row === 0 ? "Size" : "Slot", bytesText(info.size)],
  ];
  if (info.row !== 0) lines.push(["Live", `${info.live} of ${info.slots}, ${percentText(info.live / info.slots)}`]);
  if (snapshot.ps !== undefined) lines.push(["Owner", info.owner === undefined ? "nobody" : `P ${info.owner}`]);
  if (info.flags !== undefined) lines.push(["State", info.flags.join(", ")]);
  const slot = address === undefined ? undefined : snapshot.slotAt(address);
  if (slot !== undefined && info.row !== 0) {
    const state = slot.live === undefined ? "" : slot.live ? ", live" : ", free";
    lines.push([`Slot ${slot.slot}`, `${hex(slot.address)}${state}`]);
  }
  const samples = model
    .samplesOn(page)
    .filter((one) => slot === undefined || info.row === 0 || snapshot.slotAt(one.address)?.slot === slot.slot);
  return { title: SPAN_NAMES[info.kind], lines: [...lines, ...changes], samples };
}

/** 65000: "65.0 s". */
export function ageText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 7_200_000) return `${(ms / 60_000).toFixed(0)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}
