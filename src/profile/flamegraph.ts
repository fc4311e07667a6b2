/**
 * A profile as a picture: a flame graph, as SVG that needs no script. Each box is a function below the one that called
 * it, the outermost at the top, as wide as what was allocated in it and in all that it called. Functions of one name
 * under one caller are one box, whatever their lines. Pure functions. Cost: O(frames).
 *
 * The form is Brendan Gregg's; speedscope and pprof draw the same from the file of pprofFile, and let one zoom.
 */
import { xmlText } from "../base/xml.js";
import type { SampleType } from "./pprof.js";
import { formatOf, valueIn } from "./table.js";
import { isText } from "./text.js";
import type { Profile, Sample } from "./types.js";

export interface FlameGraphOptions {
  /** Default: "inuse_space". */
  readonly sampleType?: SampleType | undefined;
  /** Pixels. Default: 1200. */
  readonly width?: number | undefined;
  /** Default: the program's name. */
  readonly title?: string | undefined;
}

/** A box: a function, and those that it called. */
interface Node {
  readonly name: string;
  /** A frame of the host: JavaScript or another module. */
  readonly host: boolean;
  value: number;
  readonly children: Map<string, Node>;
}

const DEFAULT_WIDTH = 1200;
const ROW = 18;
const MARGIN = 12;
const HEAD = 48;
/** Narrower boxes are left out, and those below them. Pixels. */
const NARROWEST = 1.5;
/** Mean width of a character, and the room beside a name. */
const CHARACTER = 6.3;
const PADDING = 4;

/** The picture, an SVG document. What is smaller than the picture can show is left out; negative values, too. */
export function flameGraph(profile: Profile, options: FlameGraphOptions = {}): string {
  const { sampleType = "inuse_space", width = DEFAULT_WIDTH, title = profile.program.name ?? "heap" } = options;
  const unit = formatOf(sampleType);
  const root = treeOf(profile.samples, valueIn(sampleType));
  const scale = (width - 2 * MARGIN) / Math.max(1, root.value);
  const boxes: string[] = [];
  let depth = 0;
  const draw = (node: Node, x: number, level: number) => {
    depth = Math.max(depth, level);
    boxes.push(boxOf(node, { x, y: HEAD + level * ROW, width: node.value * scale }, unit, root.value));
    let at = x;
    for (const child of [...node.children.values()].sort((a, b) => b.value - a.value)) {
      if (child.value * scale >= NARROWEST) draw(child, at, level + 1);
      at += child.value * scale;
    }
  };
  draw(root, MARGIN, 0);
  const height = HEAD + (depth + 1) * ROW + MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">
<title>${xmlText(title)}: flame graph</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="${MARGIN}" y="20" font-size="14" font-weight="bold">${xmlText(title)}: ${sampleType}, ${unit(root.value)}</text>
<text x="${MARGIN}" y="38" fill="#666">a box: a function under its caller, as wide as what it and all that it called allocated; grey-blue: outside the program</text>
${boxes.join("\n")}
</svg>
`;
}

/** All stacks as one tree, from the outermost function. */
function treeOf(samples: readonly Sample[], value: (sample: Sample) => number): Node {
  const root = nodeOf("all", true);
  for (const sample of samples) {
    const weight = value(sample);
    if (weight <= 0) continue;
    root.value += weight;
    let node = root;
    for (const { number, frames } of [...sample.stack].reverse()) {
      for (const frame of [...frames].reverse()) {
        let child = node.children.get(frame.function);
        if (child === undefined) {
          child = nodeOf(frame.function, isText(number));
          node.children.set(frame.function, child);
        }
        child.value += weight;
        node = child;
      }
    }
  }
  return root;
}

function nodeOf(name: string, host: boolean): Node {
  return { name, host, value: 0, children: new Map() };
}

function boxOf(
  { name, host, value }: Node,
  { x, y, width }: { readonly x: number; readonly y: number; readonly width: number },
  unit: (value: number) => string,
  total: number,
): string {
  const share = total === 0 ? 0 : (100 * value) / total;
  const room = Math.floor((width - 2 * PADDING) / CHARACTER);
  const shown = name.length <= room ? name : room < 3 ? "" : `${name.slice(0, room - 1)}…`;
  const text = shown === "" ? "" : `<text x="${fixed(x + PADDING)}" y="${y + 12.5}">${xmlText(shown)}</text>`;
  return (
    `<g><title>${xmlText(name)}: ${unit(value)}, ${share.toFixed(1)} %</title>` +
    `<rect x="${fixed(x)}" y="${y}" width="${fixed(Math.max(0, width - 0.5))}" height="${ROW - 1}" fill="${colorOf(name, host)}"/>${text}</g>`
  );
}

/** Warm for the program's functions, grey-blue for others; a function has the same colour everywhere. */
function colorOf(name: string, host: boolean): string {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193) >>> 0;
  const share = (hash >>> 8) / 0xffffff;
  return host
    ? `hsl(${Math.round(205 + share * 20)},30%,82%)`
    : `hsl(${Math.round(18 + share * 34)},${Math.round(80 + share * 10)}%,${Math.round(68 + share * 8)}%)`;
}

function fixed(value: number): string {
  return String(Number(value.toFixed(1)));
}
