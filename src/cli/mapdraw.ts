/**
 * Draws a heap in a terminal: in colour two rows of pages in each line, by half blocks; without colour one, by characters.
 * Pure functions. Cost: O(pages).
 */

import { compareSnapshots } from "../snapshot/figures.js";
import { PAGE_BYTES, RUN_KINDS, SPAN_KINDS, type SpanKind } from "../snapshot/format.js";
import { type HeapSnapshot, PAGE_SPAN } from "../snapshot/snapshot.js";

export interface DrawOptions {
  /** Columns of the terminal. */
  readonly width: number;
  readonly color: boolean;
}

/** What one cell shows: index of a look, and how strong it is, 0 to 3. */
export interface Cell {
  readonly look: number;
  readonly shade: number;
}

/** How pages look. Colours are numbers of the palette of 256, from nearly empty to full. */
interface Look {
  readonly name: string;
  readonly colors: readonly number[];
  /** Without colour: nearly empty or less than half, and more. */
  readonly chars: readonly [few: string, many: string];
}

const SPAN_LOOKS: Readonly<Record<SpanKind, Look>> = {
  malloc: { name: "malloc", colors: [18, 25, 32, 39], chars: ["m", "M"] },
  fitted: { name: "fitted", colors: [23, 30, 37, 44], chars: ["f", "F"] },
  scan: { name: "scan", colors: [54, 91, 128, 171], chars: ["s", "S"] },
  noscan: { name: "noscan", colors: [22, 28, 34, 77], chars: ["n", "N"] },
  tiny: { name: "tiny", colors: [58, 100, 142, 185], chars: ["t", "T"] },
  raw: { name: "raw", colors: [94, 130, 172, 214], chars: ["r", "R"] },
  large: { name: "large", colors: [52, 88, 125, 168], chars: ["l", "L"] },
};
const RUN_LOOKS: readonly Look[] = [
  { name: "free", colors: [238], chars: [".", "."] },
  { name: "scavenged", colors: [235], chars: ["_", "_"] },
  { name: "page cache", colors: [243], chars: [",", ","] },
  { name: "run cache", colors: [246], chars: [";", ";"] },
  { name: "metadata", colors: [253], chars: ["#", "#"] },
  { name: "not the heap's", colors: [0], chars: [" ", " "] },
];
const LOOKS: readonly Look[] = [...RUN_LOOKS, ...SPAN_KINDS.map((kind) => SPAN_LOOKS[kind])];

const CHANGE_LOOKS: readonly Look[] = [
  { name: "no span", colors: [235], chars: [".", "."] },
  { name: "unchanged", colors: [240], chars: ["=", "="] },
  { name: "more live", colors: [88, 124, 160, 203], chars: ["+", "P"] },
  { name: "less live", colors: [22, 28, 34, 77], chars: ["-", "M"] },
];

/** Most rows of cells. A larger heap is drawn with several pages in a cell. */
const MAX_ROWS = 96;
/** Cells of a line are a multiple of this, so that addresses are even. */
const COLUMN_STEP = 8;
const ADDRESS_WIDTH = 11;
const CSI = "\u001b[";
const RESET = `${CSI}0m`;

/** The heap's pages, line by line, with a legend. */
export function drawMap(snapshot: HeapSnapshot, options: DrawOptions): string[] {
  const { kinds, rows, fill } = snapshot.pageMap();
  const lookOf = new Map<number, number>();
  for (const { row, kind } of snapshot.rows) lookOf.set(row, RUN_KINDS.length + SPAN_KINDS.indexOf(kind));
  const pages = Array.from(kinds, (kind, i): Cell => {
    if (kind !== PAGE_SPAN) return { look: kind, shade: 0 };
    return { look: lookOf.get(rows[i]!)!, shade: fill[i]! >> 6 };
  });
  return draw(snapshot.start, pages, LOOKS, options);
}

/** What is different in `after`, in the same form. */
export function drawDiff(before: HeapSnapshot, after: HeapSnapshot, options: DrawOptions): string[] {
  const start = Math.min(before.start, after.start);
  const weight = new Float64Array(Math.max(before.end, after.end) - start);
  const inSpan = new Uint8Array(weight.length);
  for (const { columns } of [before, after]) {
    for (let i = 0; i < columns.count; i++) {
      inSpan.fill(1, columns.page[i]! - start, columns.page[i]! - start + columns.pages[i]!);
    }
  }
  for (const { page, pages, size, appeared, gone } of compareSnapshots(before, after).spans) {
    const share = ((appeared - gone) * size) / (pages * PAGE_BYTES);
    for (let i = page - start; i < page - start + pages; i++) weight[i] = weight[i]! + share;
  }
  const cells = Array.from(weight, (value, i): Cell => {
    const shade = Math.min(3, Math.floor(Math.abs(value) * 4));
    return { look: value > 0 ? 2 : value < 0 ? 3 : inSpan[i]!, shade };
  });
  return draw(start, cells, CHANGE_LOOKS, options);
}

function draw(start: number, pages: readonly Cell[], looks: readonly Look[], { width, color }: DrawOptions): string[] {
  const room = Math.max(COLUMN_STEP, Math.floor((width - ADDRESS_WIDTH) / COLUMN_STEP) * COLUMN_STEP);
  let scale = 1;
  while (pages.length / scale > room * MAX_ROWS) scale *= 2;
  const cells = scale === 1 ? pages : merged(pages, scale);
  const columns = Math.min(room, Math.ceil(cells.length / COLUMN_STEP) * COLUMN_STEP);
  const rows: Cell[][] = [];
  for (let i = 0; i < cells.length; i += columns) rows.push(cells.slice(i, i + columns) as Cell[]);
  const lines: string[] = [];
  for (let row = 0; row < rows.length; row += color ? 2 : 1) {
    const address = (start + row * columns * scale) * PAGE_BYTES;
    const text = color
      ? halfBlocks(rows[row]!, rows[row + 1] ?? [], looks)
      : rows[row]!.map((cell) => charOf(cell, looks)).join("");
    lines.push(`${`0x${address.toString(16)}`.padEnd(ADDRESS_WIDTH)}${text}`);
  }
  const used = new Set(pages.map(({ look }) => look));
  const shown = looks.filter((_, i) => used.has(i));
  return [...lines, "", ...legend(shown, scale, color, width)];
}

/** `scale` pages in each cell: what most of them are, and how strong those are on average. */
export function merged(pages: readonly Cell[], scale: number): Cell[] {
  const cells: Cell[] = [];
  for (let i = 0; i < pages.length; i += scale) {
    const part = pages.slice(i, i + scale);
    const counts = new Map<number, number>();
    for (const { look } of part) counts.set(look, (counts.get(look) ?? 0) + 1);
    const [look] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
    const same = part.filter((cell) => cell.look === look);
    cells.push({ look, shade: Math.round(same.reduce((sum, { shade }) => sum + shade, 0) / same.length) });
  }
  return cells;
}

function colorOf({ look, shade }: Cell, looks: readonly Look[]): number {
  const { colors } = looks[look]!;
  return colors[Math.min(shade, colors.length - 1)]!;
}

function charOf({ look, shade }: Cell, looks: readonly Look[]): string {
  return looks[look]!.chars[shade < 2 ? 0 : 1];
}

/** A line of two rows: the upper half of a character has one colour, the lower the other. */
function halfBlocks(upper: readonly Cell[], lower: readonly Cell[], looks: readonly Look[]): string {
  let line = "";
  let [front, back] = [-1, -1];
  upper.forEach((cell, i) => {
    const below = lower[i];
    const f = colorOf(cell, looks);
    const b = below === undefined ? -1 : colorOf(below, looks);
    if (b !== back) line += b < 0 ? `${CSI}49m` : `${CSI}48;5;${b}m`;
    if (f !== front) line += `${CSI}38;5;${f}m`;
    line += "▀";
    [front, back] = [f, b];
  });
  return `${line}${RESET}`;
}

function legend(looks: readonly Look[], scale: number, color: boolean, width: number): string[] {
  const items = looks.map(({ name, colors, chars }) => {
    if (color)
      return {
        text: `${colors.map((one) => `${CSI}38;5;${one}m█`).join("")}${RESET} ${name}`,
        length: colors.length + 1 + name.length,
      };
    const signs = chars[0] === chars[1] ? `'${chars[0]}'` : `${chars[0]}${chars[1]}`;
    return { text: `${signs} ${name}`, length: signs.length + 1 + name.length };
  });
  const lines: string[] = [];
  let line = "";
  let length = 0;
  for (const item of items) {
    if (length > 0 && length + 3 + item.length > width) {
      lines.push(line);
      [line, length] = ["", 0];
    }
    line += (length > 0 ? "   " : "") + item.text;
    length += (length > 0 ? 3 : 0) + item.length;
  }
  const unit = scale === 1 ? "a page of 8 KiB" : `${scale} pages, ${scale * 8} KiB`;
  const shades = color ? "the brighter, the fuller" : "capital letters: more than half full";
  return [...lines, line, `each cell: ${unit}; ${shades}`];
}
