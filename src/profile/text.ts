/**
 * Texts of frames that are not of the program's module: JavaScript, other wasm modules, functions of the engine.
 *
 * A text is four fields between tabs: function, file or URL, line, column. Line and column count from 1 and are empty
 * when unknown. A frame of another wasm module has no line; its column is the byte offset in its file, in hexadecimal
 * after 0x. A frame of the program itself is a text when the engine gives no offsets: without file and line, its column
 * is the function's index after #. Fields that are too long lose their middle: a data: URL holds a whole program.
 *
 * The number of a text is 2^31 plus a hash of 31 bits. Threads that share a heap therefore give a text the same number
 * without asking each other. Two texts of one number would be taken for each other: with 1,000 texts, which is more
 * than programs have, the chance of one such pair is 1 in 4,000.
 */
import type { SourceFrame } from "./types.js";

/** The first number of a text. */
export const FIRST_TEXT = 0x80000000;

export const isText = (frame: number): boolean => frame >= FIRST_TEXT;

/** Characters of the longest function and file. */
const MAX_FUNCTION = 256;
const MAX_FILE = 512;

/** A frame's text. Line and column: numbers from 1, or "" when unknown. */
export function frameText(name: string, file: string, line: number | "", column: number | string): string {
  return `${field(name, MAX_FUNCTION)}\t${field(file, MAX_FILE)}\t${line}\t${column}`;
}

function field(text: string, max: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to go: tabs separate fields
  const plain = text.replace(/[\x00-\x1f\x7f]/g, " ");
  if (plain.length <= max) return plain;
  const half = (max - 3) >> 1;
  return `${plain.slice(0, half)}...${plain.slice(-half)}`;
}

/** The number of a text: FNV-1a over its UTF-16 units. */
export function textNumber(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // The low bits of FNV are the weaker ones
  return (FIRST_TEXT | (hash ^ (hash >>> 15))) >>> 0;
}

/** The frame that a text describes. Any text gives one. */
export function parseFrameText(text: string): SourceFrame {
  const [name = "", file = "", line = "", column = ""] = text.split("\t");
  const place = { ...positive("line", line), ...positive("column", column) };
  return { function: name === "" ? "(anonymous)" : name, ...(file === "" ? {} : { file }), ...place };
}

/** Index of the program's function that a text is; undefined for all other texts. */
export function functionIndex(text: string): number | undefined {
  const index = /^[^\t]*\t\t\t#(\d+)$/.exec(text)?.[1];
  return index === undefined ? undefined : Number(index);
}

function positive<K extends string>(key: K, text: string): Partial<Record<K, number>> {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  return Number.isSafeInteger(value) && value > 0 ? ({ [key]: value } as Record<K, number>) : {};
}
