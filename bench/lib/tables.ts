/**
 * The report as text.
 */

import { type Allocator, GOMALLOC } from "./catalog.ts";
import { FLOOR } from "./floor.ts";
import type { Inspection } from "./inspect.ts";
import type { JsRow } from "./jscalls.ts";
import { fastestPeer, meanOf, netRatio, type Row, ratio } from "./summary.ts";
import type { Target } from "./targets.ts";

/** Lines with columns aligned: the first to the left, the others to the right. */
export function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const lines = [head, ...body];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const show = (line: readonly string[]) =>
    line.map((text, i) => (i ? text.padStart(widths[i]!) : text.padEnd(widths[i]!))).join("  ");
  return [show(head), widths.map((width) => "-".repeat(width)).join("  "), ...body.map(show)].join("\n");
}

const MIB = 2 ** 20;

function number(value: number | undefined, digits: number): string {
  return value === undefined || Number.isNaN(value) ? "-" : value.toFixed(digits);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** Nanoseconds for each allocator; ">" where the time limit ended it, "-" where it failed. */
export function timeTable(rows: readonly Row[], allocators: readonly Allocator[]): string {
  return table(
    ["ns per operation", ...allocators.map(({ name }) => name), FLOOR],
    rows.map((row) => [
      row.workload,
      ...[...allocators.map(({ name }) => name), FLOOR].map((name) => {
        const cell = row.cells[name];
        if (!cell || Number.isNaN(cell.nanoseconds)) return "-";
        return `${cell.complete ? "" : ">"}${number(cell.nanoseconds, cell.nanoseconds < 1000 ? 1 : 0)}`;
      }),
    ]),
  );
}

/** The first pass of each trace, from an empty heap. */
export function coldTable(rows: readonly Row[], allocators: readonly Allocator[]): string | undefined {
  const traces = rows.filter((row) => row.kind === "trace");
  if (!traces.length) return undefined;
  return table(
    ["ns per operation, first pass", ...allocators.map(({ name }) => name)],
    traces.map((row) => [
      row.workload,
      ...allocators.map(({ name }) => {
        const cell = row.cells[name];
        return cell?.cold === undefined ? "-" : `${cell.complete ? "" : ">"}${number(cell.cold, 1)}`;
      }),
    ]),
  );
}

/** gomalloc's time over that of each other allocator. */
export function ratioTable(rows: readonly Row[], allocators: readonly Allocator[]): string | undefined {
  if (!rows.some((row) => row.cells[GOMALLOC.name])) return undefined;
  const others = allocators.filter(({ name }) => name !== GOMALLOC.name);
  const best = (row: Row) => {
    const peer = fastestPeer(row, allocators);
    return peer === undefined ? undefined : ratio(row, peer);
  };
  const line = (name: string, of: (value: (row: Row) => number | undefined) => number | undefined) => [
    name,
    ...others.map((other) =>
      number(
        of((row) => ratio(row, other.name)),
        2,
      ),
    ),
    number(of(best), 2),
  ];
  return table(
    ["gomalloc's time over", ...others.map(({ name }) => name), "best peer"],
    [
      ...rows.map((row) => line(row.workload, (value) => value(row))),
      line("geometric mean", (value) => meanOf(rows.map(value))),
      line("  of the traces", (value) => meanOf(rows.filter((row) => row.kind === "trace").map(value))),
      line("  of the others", (value) => meanOf(rows.filter((row) => row.kind === "micro").map(value))),
    ],
  );
}

/** The same without the driver's own time. */
export function netTable(rows: readonly Row[], allocators: readonly Allocator[]): string | undefined {
  if (!rows.some((row) => row.cells[GOMALLOC.name] && row.cells[FLOOR])) return undefined;
  const peers = allocators.filter(({ kind }) => kind === "peer");
  return table(
    ["the same, net of the driver", ...peers.map(({ name }) => name)],
    [
      ...rows.map((row) => [row.workload, ...peers.map(({ name }) => number(netRatio(row, name), 2))]),
      ["geometric mean", ...peers.map(({ name }) => number(meanOf(rows.map((row) => netRatio(row, name))), 2))],
    ],
  );
}

/** MiB obtained from the memory, and gomalloc's share of dlmalloc's. */
export function memoryTable(rows: readonly Row[], allocators: readonly Allocator[]): string {
  return table(
    ["peak memory, MiB", "requested", ...allocators.map(({ name }) => name), "ours/dlmalloc"],
    rows.map((row) => {
      const ours = row.cells[GOMALLOC.name];
      const theirs = row.cells["dlmalloc"];
      return [
        row.workload,
        number(row.peakLive === undefined ? undefined : row.peakLive / MIB, 2),
        ...allocators.map(({ name }) => {
          const cell = row.cells[name];
          return cell?.footprint ? `${cell.complete ? "" : ">"}${number(cell.footprint / MIB, 2)}` : "-";
        }),
        number(ours?.complete && theirs?.complete ? ours.footprint / theirs.footprint : undefined, 3),
      ];
    }),
  );
}

/** gomalloc from inside. */
export function inspectionTable(found: readonly Inspection[]): string {
  const body = table(
    ["gomalloc inside", "internal frag.", "external frag.", "from mcache", "< 16 B", "tiny saves", "of all", "waste"],
    found.map((row) => [
      row.trace,
      percent(row.internal),
      percent(row.external),
      percent(row.mcacheShare),
      percent(row.tinyRequests),
      percent(row.tinySaved),
      percent(row.tinySavedOfAll),
      percent(row.classWaste),
    ]),
  );
  const wasteful = found.map(({ trace, wasteful: rows }) => {
    const worst = rows
      .slice(0, 4)
      .map((row) => `${row.size} B ${percent(row.waste)} (${percent(row.share)} of requests)`);
    return `  ${trace}: ${worst.join(", ") || "none"}${rows.length > 4 ? `, ${rows.length - 4} rarer ones` : ""}`;
  });
  return [
    body,
    "internal: 1 - requested/rounded, external: 1 - rounded/obtained, both at the peak of requested bytes;",
    "from mcache: allocations without a slow call (texts claim 85 %); tiny saves: objects fewer among requests below",
    "16 B if none held pointers, and of all objects (texts claim 12 %); waste: rounding of small requests, whole trace.",
    "Classes with more than the claimed 12.5 % mean waste:",
    ...wasteful,
  ].join("\n");
}

/** Calls from JavaScript. */
export function jsTable(rows: readonly JsRow[]): string {
  return table(
    ["ns per call from JavaScript", "pair 64 B", "256 live, random"],
    rows.map((row) => [row.name, number(row.pair, 1), number(row.replacement, 1)]),
  );
}

/** The check list. */
export function targetTable(targets: readonly Target[]): string {
  const show = (value: number, unit: Target["unit"]) => (unit === "bytes" ? String(value) : `${value.toFixed(3)}x`);
  return table(
    ["target", "at most", "measured", ""],
    targets.map(({ what, limit, value, unit, met }) => [
      what,
      show(limit, unit),
      value === undefined ? "-" : show(value, unit),
      met === undefined ? "not measured" : met ? "met" : "missed",
    ]),
  );
}
