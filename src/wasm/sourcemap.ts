/**
 * The format of source maps of wasm files: JSON with one line of mappings, whose columns are byte offsets in the file.
 * A mapping is a list of numbers in base 64 (VLQ): the column, then source, line and column in it, each less the one
 * of the mapping before.
 *
 * The numbers are read and written here, in 30 lines, rather than by a library: the package has no dependencies, which
 * every user of the heap would install for it.
 */
import { ToolError } from "./errors.js";

/** Of a number of 32 bits and its sign, five bits a digit. */
export const MAX_DIGITS = 7;
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export interface SourceMap {
  mappings: string;
  sources: (string | null)[];
  sourcesContent?: (string | null)[];
  sourceRoot?: string;
}

/**
 * The map that a text or a file's bytes hold. Throws ToolError "source-map" when it is not one of a wasm file. Nothing
 * of what the file holds goes into a message: it may be another file than was meant.
 */
export function parseSourceMap(map: string | Uint8Array): SourceMap {
  const text = typeof map === "string" ? map : new TextDecoder().decode(map);
  let parsed: Partial<SourceMap> | null;
  try {
    parsed = JSON.parse(text) as Partial<SourceMap> | null;
  } catch {
    throw unreadableMap("it is not JSON");
  }
  if (typeof parsed?.mappings !== "string" || !isList(parsed.sources)) throw unreadableMap("it has no mappings");
  if (parsed.sourcesContent !== undefined && !isList(parsed.sourcesContent))
    throw unreadableMap("its sources are no texts");
  if (parsed.mappings.includes(";")) throw unreadableMap("it maps several lines, and wasm has one");
  if (!/^[A-Za-z0-9+/,]*$/.test(parsed.mappings)) throw unreadableMap("its mappings are not in base 64");
  return parsed as SourceMap;
}

function isList(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => one === null || typeof one === "string");
}

export function unreadableMap(why: string): ToolError {
  return new ToolError(
    "source-map",
    `the source map cannot be read: ${why}`,
    "Give the map that the compiler wrote for this very .wasm, or none.",
  );
}

/** The numbers that a text of digits holds, one after another. A number whose last digit is missing is left out. */
export function decodeVlq(text: string): number[] {
  const numbers: number[] = [];
  let value = 0;
  let factor = 1;
  for (let i = 0; i < text.length; i++) {
    const digit = DIGITS.indexOf(text[i]!);
    value += (digit & 31) * factor;
    factor *= 32;
    if (digit >= 32) continue;
    numbers.push(value % 2 === 1 ? -Math.floor(value / 2) : value / 2);
    value = 0;
    factor = 1;
  }
  return numbers;
}

export function encodeVlq(value: number): string {
  let left = value < 0 ? -value * 2 + 1 : value * 2;
  let text = "";
  do {
    const low = left % 32;
    left = Math.floor(left / 32);
    text += DIGITS[left > 0 ? low + 32 : low];
  } while (left > 0);
  return text;
}
