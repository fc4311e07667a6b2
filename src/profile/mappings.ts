/**
 * Places in the source by byte offset, from a source map: what asc, emscripten and binaryen write, and `gomalloc link`
 * carries through. The map is decoded once, at 20 bytes a mapping; a look-up is a binary search.
 */
import { decodeVlq, parseSourceMap } from "../wasm/sourcemap.js";
import { lastBefore } from "./search.js";

export interface Place {
  /** As the map has it, behind its sourceRoot: a path or URL, often relative. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

export class Mappings {
  readonly #sources: readonly string[];
  /** Offsets, rising. */
  readonly #offsets: Float64Array;
  /** Source, line and column of each, from 0; source -1: no place. */
  readonly #places: Int32Array;

  /** Throws ToolError "source-map" when it is not a source map of a wasm file. */
  constructor(map: string | Uint8Array) {
    const { mappings, sources, sourceRoot = "" } = parseSourceMap(map);
    const root = sourceRoot === "" || sourceRoot.endsWith("/") ? sourceRoot : `${sourceRoot}/`;
    this.#sources = sources.map((source) => (source === null ? "" : `${root}${source}`));
    const entries: [offset: number, source: number, line: number, column: number][] = [];
    let [offset, source, line, column] = [0, 0, 0, 0];
    for (const segment of mappings.split(",")) {
      const numbers = decodeVlq(segment);
      if (numbers.length === 0) continue;
      offset += numbers[0]!;
      // One number: from here on the code has no place
      const known = numbers.length >= 4;
      if (known) {
        source += numbers[1]!;
        line += numbers[2]!;
        column += numbers[3]!;
      }
      entries.push([offset, known ? source : -1, line, column]);
    }
    entries.sort((a, b) => a[0] - b[0]);
    this.#offsets = Float64Array.from(entries, ([at]) => at);
    this.#places = Int32Array.from(entries.flatMap(([, ...place]) => place));
  }

  /**
   * The place of the instruction at `offset`. A mapping holds up to the next one, but not across functions: `from` is
   * where the function begins. undefined when the map says nothing.
   */
  at(offset: number, from: number): Place | undefined {
    const offsets = this.#offsets;
    const found = lastBefore(offsets.length, (i) => offsets[i]! <= offset);
    if (found < 0 || offsets[found]! < from) return undefined;
    const [source, line, column] = this.#places.subarray(3 * found, 3 * found + 3);
    const file = this.#sources[source!];
    return file === undefined ? undefined : { file, line: line! + 1, column: column! + 1 };
  }
}
