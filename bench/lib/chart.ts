/**
 * The chart: time relative to dlmalloc, one group of bars per workload, on a logarithmic axis.
 */

import type { Allocator } from "./catalog.ts";
import { type Row, timeOf } from "./summary.ts";

const REFERENCE = "dlmalloc";
const SHOWN = ["gomalloc", "tlsf", "segregated"];
const COLOURS = ["#00758d", "#c26a1b", "#9aa0a6"];
const LEFT = 120;
const WIDTH = 560;
const BAR = 8;
const GAP = 10;
const TOP = 56;
/** The axis: 1/16 to 4 times dlmalloc's time. */
const LOW = -4;
const HIGH = 2;

/** Position on the axis; values beyond its ends are cut there (the label still says the value). */
function x(ratio: number): number {
  const at = Math.min(Math.max(Math.log2(ratio), LOW), HIGH);
  return LEFT + ((at - LOW) / (HIGH - LOW)) * WIDTH;
}

function markup(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** An SVG of all rows that have a time for dlmalloc; bars to the left of the middle line are faster than it. */
export function chart(rows: readonly Row[], allocators: readonly Allocator[], caption: string): string {
  const series = SHOWN.filter((name) => allocators.some((allocator) => allocator.name === name));
  const group = series.length * BAR + GAP;
  const groups = rows.filter((row) => timeOf(row, REFERENCE) !== undefined);
  const height = TOP + groups.length * group + 24;
  const parts: string[] = [];
  for (let power = LOW; power <= HIGH; power++) {
    const at = x(2 ** power).toFixed(1);
    const label = power < 0 ? `1/${2 ** -power}` : `${2 ** power}`;
    const stroke = power === 0 ? "#333" : "#ddd";
    parts.push(`<line x1="${at}" x2="${at}" y1="${TOP - 4}" y2="${height - 20}" stroke="${stroke}"/>`);
    parts.push(`<text x="${at}" y="${height - 6}" text-anchor="middle">${label}x</text>`);
  }
  groups.forEach((row, g) => {
    const y = TOP + g * group;
    parts.push(
      `<text x="${LEFT - 8}" y="${y + (group - GAP) / 2 + 4}" text-anchor="end">${markup(row.workload)}</text>`,
    );
    series.forEach((name, s) => {
      const time = timeOf(row, name);
      if (time === undefined) return;
      const value = time / timeOf(row, REFERENCE)!;
      const [from, to] = [x(1), x(value)].sort((a, b) => a - b) as [number, number];
      const width = Math.max(to - from, 1).toFixed(1);
      const at = y + s * BAR;
      const title = `${row.workload}, ${name}: ${time.toFixed(1)} ns, ${value.toFixed(2)}x`;
      parts.push(
        `<rect x="${from.toFixed(1)}" y="${at}" width="${width}" height="${BAR - 1}" fill="${COLOURS[s]}">` +
          `<title>${markup(title)}</title></rect>`,
      );
    });
  });
  const legend = series.map(
    (name, s) =>
      `<rect x="${LEFT + s * 110}" y="26" width="10" height="10" fill="${COLOURS[s]}"/>` +
      `<text x="${LEFT + s * 110 + 15}" y="35">${markup(name)}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${LEFT + WIDTH + 30}" height="${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="${LEFT}" y="16" font-size="13">Time relative to dlmalloc (left is faster). ${markup(caption)}</text>`,
    ...legend,
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}
