/** The tables of `gomalloc map`: totals, fragmentation by class, a series, a difference. Text for a terminal. */

import { many } from "../base/plural.js";
import { type ClassFigures, classFigures, type SnapshotDiff } from "../snapshot/figures.js";
import { PAGE_BYTES, type TotalsJSON } from "../snapshot/format.js";
import type { HeapSnapshot } from "../snapshot/snapshot.js";
import { bytesText, percentText, signed } from "../snapshot/words.js";

/** Lines of a table that are shown. */
const MAX_LINES = 24;

/** One line about what was read. */
export function headline(snapshot: HeapSnapshot): string {
  const { flavour, address, memoryBytes, label } = snapshot;
  const when = new Date(snapshot.time).toISOString().replace("T", " ").replace(/\..*/, "");
  const name = label === undefined ? "" : `, ${label}`;
  return `${flavour} heap at 0x${address.toString(16)} in ${bytesText(memoryBytes)} of memory, ${when}${name}`;
}

/** The totals, one on each line. */
export function totalsText({ totals, ps, skipped }: HeapSnapshot): string[] {
  const { sys, heapAlloc, heapObjects, heapInuse, heapIdle, heapRetained, scavenged, overhead, foreign, spansInUse } =
    totals;
  const share = heapInuse === 0 ? "" : `, ${percentText(heapAlloc / heapInuse)} of the spans`;
  const lines: [string, string][] = [
    ["obtained", bytesText(sys)],
    ["live", `${bytesText(heapAlloc)} in ${many(heapObjects, "block")}${share}`],
    ["spans", `${bytesText(heapInuse)} in ${many(spansInUse, "span")}, ${bytesText(heapRetained)} retained`],
    ["free", `${bytesText(heapIdle)}, ${bytesText(scavenged)} of it scavenged`],
    ["overhead", bytesText(overhead)],
  ];
  if (foreign > 0) lines.push(["not the heap's", bytesText(foreign)]);
  if (ps !== undefined) lines.push(["Ps", ps.map(({ id, state }) => `${id} ${state}`).join(", ") || "none"]);
  if (skipped.count > 0) {
    const first = skipped.first.map(({ address, what }) => `${what} at 0x${address.toString(16)}`).join(", ");
    lines.push(["skipped", `${many(skipped.count, "record")} that could not be read: ${first}`]);
  }
  return lines.map(([name, value]) => `${name.padEnd(15)}${value}`);
}

/** Fragmentation by class, the class with most free bytes first. */
export function classTable(snapshot: HeapSnapshot): string[] {
  const rows = classFigures(snapshot).map((one: ClassFigures) => [
    one.kind,
    one.row === 0 ? "-" : `${one.size}`,
    `${one.spans}`,
    `${one.live}`,
    `${one.slots}`,
    percentText(one.used),
    bytesText(one.freeBytes),
    bytesText(one.excessBytes),
  ]);
  return table(["kind", "slot", "spans", "live", "slots", "used", "free", "excess"], rows);
}

/** A line for each snapshot of a series. */
export function seriesTable(snapshots: readonly HeapSnapshot[]): string[] {
  const from = snapshots[0]!.time;
  const rows = snapshots.map(({ time, label, totals }) => [
    label ?? `+${((time - from) / 1000).toFixed(1)} s`,
    bytesText(totals.heapAlloc),
    `${totals.heapObjects}`,
    bytesText(totals.heapInuse),
    bytesText(totals.heapIdle),
    bytesText(totals.sys),
  ]);
  return table(["snapshot", "live", "blocks", "spans", "free", "obtained"], rows);
}

const DIFF_TOTALS: readonly (readonly [keyof TotalsJSON, string])[] = [
  ["heapAlloc", "live"],
  ["heapInuse", "spans"],
  ["heapIdle", "free"],
  ["sys", "obtained"],
];

/** What changed: totals, then rows. */
export function diffText({ totals, rows, spans }: SnapshotDiff): string[] {
  const lines = DIFF_TOTALS.map(([name, label]) => {
    const [before, after] = totals[name];
    const delta = after - before;
    return `${label.padEnd(15)}${bytesText(before)} -> ${bytesText(after)}, ${signed(delta, bytesText(delta))}`;
  });
  const [was, is] = totals.heapObjects;
  const appeared = spans.reduce((sum, one) => sum + one.appeared, 0);
  const gone = spans.reduce((sum, one) => sum + one.gone, 0);
  lines.push(
    `${"blocks".padEnd(15)}${was} -> ${is}: ${many(appeared, "slot")} became live, ${gone} ${gone === 1 ? "was" : "were"} freed`,
  );
  const cells = rows.map(({ kind, size, live, pages }) => {
    const bytes = size === 0 ? (pages[1] - pages[0]) * PAGE_BYTES : (live[1] - live[0]) * size;
    return [
      kind,
      size === 0 ? "-" : `${size}`,
      `${live[0]}`,
      `${live[1]}`,
      signed(live[1] - live[0], `${live[1] - live[0]}`),
      signed(bytes, bytesText(bytes)),
      signed(pages[1] - pages[0], `${pages[1] - pages[0]}`),
    ];
  });
  return [...lines, "", ...table(["kind", "slot", "live", "now", "blocks", "bytes", "pages"], cells)];
}

/** Columns wide enough; the first to the left, numbers to the right. */
function table(names: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const shown = rows.slice(0, MAX_LINES);
  const widths = names.map((name, i) => Math.max(name.length, ...shown.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd();
  const rest = rows.length - shown.length;
  return [line(names), ...shown.map(line), ...(rest > 0 ? [`and ${rest} more: --json or --html shows all`] : [])];
}
