/**
 * Source maps of wasm files: one line, whose columns are byte offsets in the file. Only the first offset is absolute,
 * each other one counts from the one before; moving all code by n bytes is therefore adding n to the first.
 *
 * The number is read and written here, in 15 lines, rather than by a library: the package has no dependencies, which
 * every user of the heap would install for it, and the libraries decode all mappings to change one. Cost: one copy of
 * the text.
 */
import type { Move } from "../wasm/edit.js";
import { ToolError } from "../wasm/errors.js";

/** Of a number of 32 bits and its sign, five bits a digit. */
const MAX_DIGITS = 7;
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

interface SourceMap {
  mappings: string;
  sources: (string | null)[];
  sourcesContent?: (string | null)[];
}

/** The map moved by `shift` bytes. Throws ToolError "source-map" when it is not a source map of a wasm file. */
export function shiftSourceMap(map: string | Uint8Array, shift: number): string {
  const parsed = parseSourceMap(map);
  const first = /^([A-Za-z0-9+/]*?[A-Za-f])/.exec(parsed.mappings)?.[1];
  if (first === undefined || shift === 0) return JSON.stringify(parsed);
  if (first.length > MAX_DIGITS) throw unreadable("it begins with a number of more than 32 bits");
  const moved = decodeVlq(first) + shift;
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
    if (digits.length > MAX_DIGITS) throw unreadable("it has a number of more than 32 bits");
    const step = decodeVlq(digits);
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

/** Nothing of what the file holds goes into a message: it may be another file than was meant. */
function parseSourceMap(map: string | Uint8Array): SourceMap {
  const text = typeof map === "string" ? map : new TextDecoder().decode(map);
  let parsed: Partial<SourceMap> | null;
  try {
    parsed = JSON.parse(text) as Partial<SourceMap> | null;
  } catch {
    throw unreadable("it is not JSON");
  }
  if (typeof parsed?.mappings !== "string" || !isList(parsed.sources)) throw unreadable("it has no mappings");
  if (parsed.sourcesContent !== undefined && !isList(parsed.sourcesContent))
    throw unreadable("its sources are no texts");
  if (parsed.mappings.includes(";")) throw unreadable("it maps several lines, and wasm has one");
  if (!/^[A-Za-z0-9+/,]*$/.test(parsed.mappings)) throw unreadable("its mappings are not in base 64");
  return parsed as SourceMap;
}

function isList(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => one === null || typeof one === "string");
}

function unreadable(why: string): ToolError {
  return new ToolError(
    "source-map",
    `the source map cannot be read: ${why}`,
    "Give the map that the compiler wrote for this very .wasm, or none.",
  );
}

function decodeVlq(text: string): number {
  let value = 0;
  for (const [place, digit] of [...text].entries()) value += (DIGITS.indexOf(digit) & 31) * 32 ** place;
  return value % 2 === 1 ? -Math.floor(value / 2) : value / 2;
}

function encodeVlq(value: number): string {
  let left = value < 0 ? -value * 2 + 1 : value * 2;
  let text = "";
  do {
    const low = left % 32;
    left = Math.floor(left / 32);
    text += DIGITS[left > 0 ? low + 32 : low];
  } while (left > 0);
  return text;
}
