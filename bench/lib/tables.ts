/**
 * The tables of the report.
 */

import { type Allocator, GOMALLOC } from "./catalog.ts";
import { FLOOR } from "./floor.ts";
import type { Inspection } from "./inspect.ts";
import type { JsRow } from "./jscalls.ts";
import { fastestPeer, meanOf, netRatio, type Row, ratio } from "./summary.ts";
import { type Cell, cell, columns, type Table } from "./table.ts";
import { memoryOver, type Target } from "./targets.ts";

const MIB = 2 ** 20;

/** Heads of tables that others look rows up in. */
export const TIME = "ns per operation";
export const RATIO = "gomalloc's time over";
export const BEST_PEER = "best peer";
export const MEMORY = "peak memory, MiB";
export const MEMORY_RATIO = "gomalloc/dlmalloc";
export const MEAN = "geometric mean";
/** What the names of means of some of the rows begin with. */
export const SOME = "  of ";

/** The means of some of the rows. */
const MEANS: readonly (readonly [Row["kind"], string])[] = [
  ["trace", `${SOME}the traces`],
  ["cold", `${SOME}the traces, cold`],
  ["micro", `${SOME}the others`],
];

/** A figure, with ">" before it where the time limit ended it. */
function limited(complete: boolean, value: number, digits: number): Cell {
  return complete ? cell(value) : `>${value.toFixed(digits)}`;
}

/** Nanoseconds for each allocator; ">" where the time limit ended it, null where it failed. */
export function timeTable(rows: readonly Row[], allocators: readonly Allocator[]): Table {
  const names = [...allocators.map(({ name }) => name), FLOOR];
  return {
    columns: [{ name: TIME }, ...columns(names, 1)],
    rows: rows.map((row) => [
      row.workload,
      ...names.map((name) => {
        const found = row.cells[name];
        return !found || Number.isNaN(found.nanoseconds) ? null : limited(found.complete, found.nanoseconds, 1);
      }),
    ]),
    note:
      `> stopped by the time limit: the part that was done. - failed or out of memory. ${FLOOR}: the driver alone, ` +
      "given dlmalloc's addresses beforehand; no allocator that gives the same ones can be below it.",
  };
}

/** gomalloc's time over that of each other allocator. */
export function ratioTable(rows: readonly Row[], allocators: readonly Allocator[]): Table | undefined {
  if (!rows.some((row) => row.cells[GOMALLOC.name])) return undefined;
  const others = allocators.map(({ name }) => name).filter((name) => name !== GOMALLOC.name);
  const best = (row: Row) => {
    const peer = fastestPeer(row, allocators);
    return peer === undefined ? undefined : ratio(row, peer);
  };
  const line = (name: string, of: (value: (row: Row) => number | undefined) => number | undefined) => [
    name,
    ...others.map((other) => cell(of((row) => ratio(row, other)))),
    cell(of(best)),
  ];
  return {
    columns: [{ name: RATIO }, ...columns([...others, BEST_PEER], 2, "x")],
    rows: [
      ...rows.map((row) => line(row.workload, (value) => value(row))),
      line(MEAN, (value) => meanOf(rows.map(value))),
      ...MEANS.filter(([kind]) => rows.some((row) => row.kind === kind)).map(([kind, name]) =>
        line(name, (value) => meanOf(rows.filter((row) => row.kind === kind).map(value))),
      ),
    ],
  };
}

/** The same without the driver's own time. */
export function netTable(rows: readonly Row[], allocators: readonly Allocator[]): Table | undefined {
  if (!rows.some((row) => row.cells[GOMALLOC.name] && row.cells[FLOOR])) return undefined;
  const peers = allocators.filter(({ kind }) => kind === "peer").map(({ name }) => name);
  return {
    columns: [{ name: "the same, net of the driver" }, ...columns(peers, 2, "x")],
    rows: [
      ...rows.map((row) => [row.workload, ...peers.map((name) => cell(netRatio(row, name)))]),
      [MEAN, ...peers.map((name) => cell(meanOf(rows.map((row) => netRatio(row, name)))))],
    ],
  };
}

/** MiB obtained from the memory, and gomalloc's share of dlmalloc's. A trace's peak is that of its first pass. */
export function memoryTable(all: readonly Row[], allocators: readonly Allocator[]): Table {
  const rows = all.filter((row) => row.kind !== "cold");
  const names = allocators.map(({ name }) => name);
  return {
    columns: [{ name: MEMORY }, ...columns(["requested", ...names], 2), { name: MEMORY_RATIO, digits: 2, unit: "x" }],
    rows: [
      ...rows.map((row) => [
        row.workload,
        cell(row.peakLive === undefined ? undefined : row.peakLive / MIB),
        ...names.map((name) => {
          const found = row.cells[name];
          return found?.footprint ? limited(found.complete, found.footprint / MIB, 2) : null;
        }),
        cell(memoryOver(row)),
      ]),
      [MEAN, "", ...names.map(() => ""), cell(meanOf(rows.map(memoryOver)))],
    ],
  };
}

/** gomalloc from inside. */
export function inspectionTable(found: readonly Inspection[]): Table {
  const parts = ["internal frag.", "external frag.", "from mcache", "< 16 B", "tiny saves", "of all", "waste"];
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const wasteful = found.map(({ trace, wasteful: rows }) => {
    const worst = rows
      .slice(0, 4)
      .map((row) => `${row.size} B ${percent(row.waste)} (${percent(row.share)} of requests)`);
    return `${trace}: ${worst.join(", ") || "none"}${rows.length > 4 ? `, ${rows.length - 4} rarer ones` : ""}.`;
  });
  return {
    columns: [{ name: "gomalloc inside" }, ...columns(parts, 1, " %")],
    rows: found.map((row) => [
      row.trace,
      ...[
        row.internal,
        row.external,
        row.mcacheShare,
        row.tinyRequests,
        row.tinySaved,
        row.tinySavedOfAll,
        row.classWaste,
      ].map((share) => share * 100),
    ]),
    note: [
      "internal: 1 - requested/rounded, external: 1 - rounded/obtained, both at the peak of requested bytes;",
      "from mcache: allocations without a slow call (texts claim 85 %); tiny saves: objects fewer among requests below",
      "16 B if none held pointers, and of all objects (texts claim 12 %); waste: rounding of small requests, whole trace.",
      "Classes with more than the claimed 12.5 % mean waste:",
      ...wasteful,
    ].join("\n"),
  };
}

/** Calls from JavaScript. */
export function jsTable(rows: readonly JsRow[]): Table {
  return {
    columns: [{ name: "ns per call from JavaScript" }, ...columns(["pair 64 B", "256 live, random"], 1)],
    rows: rows.map((row) => [row.name, cell(row.pair), cell(row.replacement)]),
  };
}

/** The check list: what was met, what was missed by how much, and which rows are above a limit for each. */
export function targetTable(targets: readonly Target[]): Table {
  const show = (value: number, unit: Target["unit"]) => (unit === "bytes" ? String(value) : `${value.toFixed(3)}x`);
  const verdict = ({ value, limit, met }: Target) => {
    if (value === undefined) return "not measured";
    return met ? "met" : `missed by ${((value / limit - 1) * 100).toFixed(1)} %`;
  };
  const notes = targets.flatMap(({ what, limit, unit, above = [] }) => {
    const rows = above.map(({ name, value }) => `${name} ${value.toFixed(2)}x`);
    return rows.length ? [`Above ${show(limit, unit)}, ${what}: ${rows.join(", ")}.`] : [];
  });
  return {
    columns: [{ name: "target" }, { name: "at most" }, { name: "measured" }, { name: "" }],
    rows: targets.map((one) => [
      one.what,
      show(one.limit, one.unit),
      one.value === undefined ? null : show(one.value, one.unit),
      verdict(one),
    ]),
    ...(notes.length ? { note: notes.join("\n\n") } : {}),
  };
}
