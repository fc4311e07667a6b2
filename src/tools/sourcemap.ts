/**
 * Source maps through a link. Only the first offset of a map is absolute, each other one counts from the one before;
 * moving all code by n bytes is therefore adding n to the first. Cost: one copy of the text; a library would decode
 * all mappings to change one. src/wasm/sourcemap.ts has the format.
 */
import type { Move } from "../wasm/edit.js";
import { decodeVlq, encodeVlq, MAX_DIGITS, parseSourceMap, unreadableMap } from "../wasm/sourcemap.js";

/** The map moved by `shift` bytes. Throws ToolError "source-map" when it is not a source map of a wasm file. */
export function shiftSourceMap(map: string | Uint8Array, shift: number): string {
  const parsed = parseSourceMap(map);
  const first = /^([A-Za-z0-9+/]*?[A-Za-f])/.exec(parsed.mappings)?.[1];
  if (first === undefined || shift === 0) return JSON.stringify(parsed);
  if (first.length > MAX_DIGITS) throw unreadableMap("it begins with a number of more than 32 bits");
  const moved = decodeVlq(first)[0]! + shift;
  return JSON.stringify({ ...parsed, mappings: encodeVlq(moved) + parsed.mappings.slice(first.length) });
}

/**
 * The map after code has moved by different numbers of bytes; see patchBodies. Throws ToolError "source-map" as
 * shiftSourceMap. O(the map).
 */
export function moveSourceMap(map: string | Uint8Array, moves: readonly Move[]): string {
  const parsed = parseSourceMap(map);
  let column = 0;
  let by = 0;
  let next = 0;
  const segments = parsed.mappings.split(",").map((segment) => {
    const digits = /^[A-Za-z0-9+/]*?[A-Za-f]/.exec(segment)?.[0];
    if (digits === undefined) return segment;
    if (digits.length > MAX_DIGITS) throw unreadableMap("it has a number of more than 32 bits");
    const step = decodeVlq(digits)[0]!;
    column += step;
    const before = by;
    for (; next < moves.length && moves[next]!.at <= column; next++) by = moves[next]!.by;
    return by === before ? segment : encodeVlq(step + by - before) + segment.slice(digits.length);
  });
  return JSON.stringify({ ...parsed, mappings: segments.join(",") });
}

/** Puts the text of the sources, which binaryen drops, back in from the map that came in. */
export function restoreSources(map: string | Uint8Array, from: string | Uint8Array): string {
  const to = parseSourceMap(map);
  const given = parseSourceMap(from);
  const contents = given.sourcesContent;
  if (contents === undefined || to.sourcesContent?.some((text) => text !== null)) return JSON.stringify(to);
  const texts = new Map(given.sources.map((source, i) => [source, contents[i] ?? null]));
  return JSON.stringify({ ...to, sourcesContent: to.sources.map((source) => texts.get(source) ?? null) });
}
