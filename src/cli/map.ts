/**
 * gomalloc map: a heap's pages and slots, drawn in the terminal, as JSON, or as a page that needs no network.
 */
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { compareSnapshots } from "../snapshot/figures.js";
import type { HeapSnapshot } from "../snapshot/snapshot.js";
import { ToolError } from "../wasm/errors.js";
import {
  address,
  COMMON_HELP,
  type Command,
  count,
  EXIT_HELP,
  oneOf,
  parse,
  REPORT_OPTIONS,
  UsageError,
} from "./command.js";
import { writeOutput } from "./files.js";
import { drawDiff, drawMap } from "./mapdraw.js";
import { loadSnapshots } from "./mapinput.js";
import { mapSvg } from "./mapsvg.js";
import { classTable, diffText, headline, seriesTable, totalsText } from "./maptext.js";
import { jsonLine, printable } from "./text.js";

const OPTIONS = {
  ...REPORT_OPTIONS,
  html: { type: "string" },
  svg: { type: "string" },
  diff: { type: "boolean", default: false },
  heap: { type: "string" },
  color: { type: "string" },
  width: { type: "string" },
} as const;

/** Columns where nobody says how many there are. */
const DEFAULT_WIDTH = 80;
const WIDTHS = [20, 1000] as const;

export const mapCommand: Command = {
  summary: "draw a heap: its pages and slots, from a snapshot or a dump",
  help: `gomalloc map: draw a heap, from a snapshot, a core dump or the bytes of a memory

Usage: gomalloc map [options] <file> [more files]

A file has snapshots as heap.snapshot() makes them (JSON: one, a list, or one on
each line), is a WebAssembly core dump, or holds the bytes of a whole memory.
Each may be packed by gzip. Several snapshots are a series: the last is drawn.

      --html FILE        write a page that shows all snapshots, with zoom,
                         filters and differences: it opens without a network
      --svg FILE         write a picture of the last snapshot: pages by the size of
                         their slots, and the classes with most pages
      --diff             draw what is different between the first snapshot and
                         the last
      --heap ADDRESS     of a memory with several heaps, the one whose record is
                         there; default: all of them
      --color WHEN       auto, always or never (default auto: on a terminal,
                         unless NO_COLOR is set)
      --width N          columns to draw in (default: those of the terminal)
      --json             print the snapshots as JSON, or the difference, and
                         errors too; the package's docs/map.md lists the fields
  -q, --quiet            print nothing: for --html and --svg, and to check a file. With
                         --json: the JSON alone
${COMMON_HELP}

- as a file is standard input, and as FILE standard output.

Examples:
  gomalloc map heap.json
  gomalloc map --html heap.html before.json after.json
  gomalloc map --svg heap.svg heap.json
  gomalloc map --diff before.json after.json
  gomalloc map core.wasm --json | jq .totals

${EXIT_HELP}`,

  async run(args) {
    const { values, positionals } = parse("map", args, OPTIONS);
    if (positionals.length === 0) {
      throw new UsageError("no file is given", "Name a snapshot, a core dump or a memory, or - for standard input.");
    }
    const color = oneOf("color", values.color, ["auto", "always", "never"]) ?? "auto";
    const wide = ["width", `a number of columns, ${WIDTHS[0]} to ${WIDTHS[1]}`] as const;
    const width = values.width === undefined ? undefined : count("width", values.width, WIDTHS, wide);
    const heap = address("heap", values.heap);
    const written = (["html", "svg"] as const).filter((name) => values[name] === "-");
    if (written.length + Number(values.json) > 1) {
      const names = [...written.map((name) => `--${name} -`), ...(values.json ? ["--json"] : [])];
      throw new UsageError(`${names.join(" and ")} exclude each other`, `Write to a file: --${written[0]} FILE.`);
    }
    if (values.svg !== undefined && values.diff) {
      throw new UsageError("--svg and --diff exclude each other", "A page shows differences: --html FILE --diff.");
    }
    const snapshots: HeapSnapshot[] = [];
    for (const file of positionals) snapshots.push(...(await loadSnapshots(file, heap)));
    const [first, last] = [snapshots[0]!, snapshots.at(-1)!];
    if (values.diff && snapshots.length < 2) {
      throw new UsageError("--diff needs two snapshots, and one is given", "Name a second file.");
    }
    if (values.html !== undefined) await writeOutput(values.html, await pageOf(snapshots, values.diff));
    if (values.svg !== undefined) await writeOutput(values.svg, mapSvg(last));
    if (values.json) {
      console.log(jsonLine(values.diff ? compareSnapshots(first, last) : snapshots.length === 1 ? last : snapshots));
      return;
    }
    if (values.quiet || values.html !== undefined || values.svg !== undefined) return;
    const isTerminal = process.stdout.isTTY === true;
    const options = {
      width: width ?? ((isTerminal && process.stdout.columns) || DEFAULT_WIDTH),
      color: color === "auto" ? isTerminal && !process.env["NO_COLOR"] : color === "always",
    };
    const lines = values.diff
      ? [
          printable(headline(last)),
          "",
          ...drawDiff(first, last, options),
          "",
          ...diffText(compareSnapshots(first, last)),
        ]
      : reportOf(snapshots, options);
    console.log(lines.join("\n"));
  },
};

/** What is printed of heaps side by side in one memory, or of a series: each heap, or its last snapshot. */
function reportOf(snapshots: readonly HeapSnapshot[], options: Parameters<typeof drawMap>[1]): string[] {
  const series = new Map<number, HeapSnapshot[]>();
  for (const one of snapshots) series.set(one.address, [...(series.get(one.address) ?? []), one]);
  return [...series.values()].flatMap((list, i) => {
    const last = list.at(-1)!;
    return [
      ...(i > 0 ? [""] : []),
      printable(headline(last)),
      "",
      ...drawMap(last, options),
      "",
      ...totalsText(last),
      "",
      ...classTable(last),
      ...(list.length > 1 ? ["", ...seriesTable(list).map(printable)] : []),
    ];
  });
}

/** The page with the snapshots inside. Throws ToolError "internal" when the package has no page. */
async function pageOf(snapshots: readonly HeapSnapshot[], diff: boolean): Promise<string> {
  const page = await readFile(new URL("../map/page.html", import.meta.url), "utf8");
  const data = gzipSync(JSON.stringify({ snapshots, diff })).toString("base64");
  const place = "<!--data-->";
  if (!page.includes(place))
    throw new ToolError("internal", "the package's page has no place for data", "Install it again.");
  // As a function: the data could hold what replace takes for a pattern.
  return page.replace(place, () => data);
}
