/**
 * Draws a heap as a picture: SVG that needs no script. Above the pages in the order of their addresses, each coloured by
 * the size of the slots in it, the paler the emptier; below the classes with most pages, what of them is live. Pure
 * functions. Cost: O(pages).
 */
import { xmlText } from "../base/xml.js";
import { type ClassFigures, classFigures } from "../snapshot/figures.js";
import { PAGE_BYTES, RUN_KINDS, type RunKind } from "../snapshot/format.js";
import { type HeapSnapshot, PAGE_SPAN } from "../snapshot/snapshot.js";
import { bytesText, percentText } from "../snapshot/words.js";
import { type Cell, merged } from "./mapdraw.js";
import { headline } from "./maptext.js";

/** Pixels. */
const MARGIN = 12;
const WIDTH = 960;
const LINE = 16;
const MAP_LEFT = MARGIN + 84;
const MAP_WIDTH = 768;
/** Sides of a cell, the gap beside it included: the larger for a heap that then has no more rows than that. */
const CELLS = [
  [12, 32],
  [6, 64],
] as const;
/** Classes that are listed. */
const CLASSES = 12;

/** Colours from the smallest slots to the largest, each up to that many bytes. */
const SIZES: readonly (readonly [most: number, color: string])[] = [
  [16, "#fde725"],
  [32, "#b5de2b"],
  [64, "#6ece58"],
  [128, "#35b779"],
  [256, "#1f9e89"],
  [512, "#26828e"],
  [1024, "#31688e"],
  [4096, "#3e4989"],
  [32768, "#482878"],
];
const LARGE = "#d1495b";
const RUN_COLORS: Readonly<Record<RunKind, string>> = {
  free: "#e4e4e4",
  scavenged: "#f2f2f2",
  "page-cache": "#d4d4d4",
  "run-cache": "#d4d4d4",
  metadata: "#222222",
  foreign: "#ffffff",
};
/** Shades of a colour: up to a quarter of the slots are live, half, three quarters, more. */
const SHADES = [0.3, 0.5, 0.75, 1] as const;

/** The picture, an SVG document. */
export function mapSvg(snapshot: HeapSnapshot): string {
  const { totals } = snapshot;
  const parts = [
    text(MARGIN, 22, headline(snapshot), 'font-size="14" font-weight="bold"'),
    text(
      MARGIN,
      40,
      `${bytesText(totals.heapAlloc)} live in ${totals.heapObjects} blocks; ${bytesText(totals.heapInuse)} of spans, ` +
        `${bytesText(totals.heapIdle)} free, ${bytesText(totals.overhead)} overhead`,
      MUTED,
    ),
  ];
  let y = 54;
  const pages = drawPages(snapshot, y);
  y += pages.height + 10;
  const legend = drawLegend(snapshot, pages.scale, y);
  y += legend.height + 14;
  const classes = drawClasses(snapshot, y);
  const height = y + classes.height + MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11">
<title>${xmlText(`map of a ${snapshot.flavour} heap`)}</title>
<rect width="100%" height="100%" fill="#fff"/>
${[...parts, ...pages.parts, ...legend.parts, ...classes.parts].join("\n")}
</svg>
`;
}

interface Drawn {
  readonly parts: readonly string[];
  readonly height: number;
}

const MUTED = 'fill="#666"';

function text(x: number, y: number, words: string, attributes = ""): string {
  return `<text x="${x}" y="${y}"${attributes === "" ? "" : ` ${attributes}`}>${xmlText(words)}</text>`;
}

function sizeColor(size: number): string {
  return SIZES.find(([most]) => size <= most)?.[1] ?? LARGE;
}

/** The map: cells of one look and shade are one path. */
function drawPages(snapshot: HeapSnapshot, top: number): Drawn & { readonly scale: number } {
  const colors = [...RUN_KINDS.map((kind) => RUN_COLORS[kind]), ...SIZES.map(([, color]) => color), LARGE];
  const cells = cellsOf(snapshot);
  const fits = ([side, rows]: (typeof CELLS)[number]) => cells.length <= (MAP_WIDTH / side) * rows;
  const [side, mostRows] = CELLS.find(fits) ?? CELLS[1];
  const columns = MAP_WIDTH / side;
  // A larger heap has several pages in a cell.
  let scale = 1;
  while (cells.length / scale > columns * mostRows) scale *= 2;
  const shown = scale === 1 ? cells : merged(cells, scale);
  const paths = new Map<string, string>();
  const rows = Math.ceil(shown.length / columns);
  const parts: string[] = [];
  for (let row = 0; row < rows; row++) {
    const y = top + row * side;
    if (row % (48 / side) === 0) {
      const address = (snapshot.start + row * columns * scale) * PAGE_BYTES;
      parts.push(text(MARGIN, y + 8, `0x${address.toString(16)}`, MUTED));
    }
    const line = shown.slice(row * columns, (row + 1) * columns);
    for (let from = 0; from < line.length; ) {
      const { look, shade } = line[from]!;
      let to = from + 1;
      while (to < line.length && line[to]!.look === look && line[to]!.shade === shade) to++;
      const width = (to - from) * side - 1;
      const path = `M${MAP_LEFT + from * side} ${y}h${width}v${side - 1}h-${width}z`;
      const opacity = look < PAGE_SPAN ? 1 : SHADES[shade]!;
      const key = `fill="${colors[look]}"${opacity === 1 ? "" : ` fill-opacity="${opacity}"`}`;
      paths.set(key, (paths.get(key) ?? "") + path);
      from = to;
    }
  }
  for (const [key, path] of paths) parts.push(`<path ${key} d="${path}"/>`);
  return { parts, height: rows * side, scale };
}

/** Each page: index of its colour in the list of drawPages, and how full its span is. */
function cellsOf(snapshot: HeapSnapshot): Cell[] {
  const { kinds, rows, fill } = snapshot.pageMap();
  const lookOf = new Map<number, number>();
  for (const { row, size } of snapshot.rows) {
    const step = row === 0 ? -1 : SIZES.findIndex(([most]) => size <= most);
    lookOf.set(row, PAGE_SPAN + (step < 0 ? SIZES.length : step));
  }
  return Array.from(kinds, (kind, i): Cell => {
    if (kind !== PAGE_SPAN) return { look: kind, shade: 0 };
    return { look: lookOf.get(rows[i]!)!, shade: fill[i]! >> 6 };
  });
}

function drawLegend(snapshot: HeapSnapshot, scale: number, top: number): Drawn {
  const items: (readonly [string, string])[] = [
    ...SIZES.map(([most, color]) => [color, most < 1024 ? `${most} B` : `${most / 1024} KiB`] as const),
    [LARGE, "large"],
  ];
  const kinds = new Set(snapshot.runs.map(({ kind }) => kind));
  for (const [i, kind] of RUN_KINDS.entries()) {
    if (kinds.has(i) && kind !== "foreign") items.push([RUN_COLORS[kind], kind.replace("-", " ")]);
  }
  const parts = [text(MARGIN, top + 9, "slots up to", MUTED)];
  let x = MAP_LEFT;
  for (const [color, name] of items) {
    parts.push(
      `<rect x="${x}" y="${top}" width="10" height="10" fill="${color}" stroke="#bbb" stroke-width=".5"/>`,
      text(x + 14, top + 9, name),
    );
    x += 24 + Math.ceil(name.length * 6.2);
  }
  const unit = scale === 1 ? "a page of 8 KiB" : `${scale} pages, ${scale * 8} KiB`;
  parts.push(text(MAP_LEFT, top + 9 + LINE, `a cell is ${unit}; the paler, the fewer of its slots are live`, MUTED));
  return { parts, height: 10 + LINE };
}

/** The classes with most pages: a bar as long as these, the live part of it in full colour. */
function drawClasses(snapshot: HeapSnapshot, top: number): Drawn {
  const sorted = classFigures(snapshot).sort((a, b) => b.bytes - a.bytes);
  const shown = sorted.slice(0, CLASSES);
  const most = Math.max(1, ...shown.map(({ bytes }) => bytes));
  const room = WIDTH - MAP_LEFT - 330;
  const parts = shown.flatMap((one, i) => {
    const y = top + i * LINE;
    const color = one.row === 0 ? LARGE : sizeColor(one.size);
    const bar = (bytes: number, opacity: string) =>
      `<rect x="${MAP_LEFT}" y="${y}" width="${((bytes / most) * room).toFixed(1)}" height="${LINE - 4}" fill="${color}"${opacity}/>`;
    return [
      text(MARGIN, y + 10, nameOf(one)),
      bar(one.bytes, ' fill-opacity="0.3"'),
      bar(one.liveBytes, ""),
      text(MAP_LEFT + Math.round((one.bytes / most) * room) + 8, y + 10, wordsOf(one), MUTED),
    ];
  });
  const left = sorted.length - shown.length;
  if (left === 0) return { parts, height: shown.length * LINE };
  const rest = sorted.slice(CLASSES).reduce((sum, { bytes }) => sum + bytes, 0);
  const y = top + shown.length * LINE + 10;
  return {
    parts: [...parts, text(MAP_LEFT, y, `${left} more classes: ${bytesText(rest)}`, MUTED)],
    height: (shown.length + 1) * LINE,
  };
}

function nameOf({ row, kind, size }: ClassFigures): string {
  if (row === 0) return "large";
  return kind === "malloc" || kind === "fitted" ? `${size} B` : `${kind} ${size} B`;
}

function wordsOf({ live, liveBytes, bytes, used }: ClassFigures): string {
  const blocks = `${live} ${live === 1 ? "block" : "blocks"}`;
  return `${blocks}, ${bytesText(liveBytes)} live of ${bytesText(bytes)}, ${percentText(used)}`;
}
