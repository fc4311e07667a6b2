/** Records of heaps for the tests, and names for them. */
import { frameText, textNumber } from "../../../src/profile/text.ts";
import type { Bucket, HeapRecord, SourceFrame, SymbolSource } from "../../../src/profile/types.ts";

/** A text's number and itself. */
export function text(name: string, file = "", line: number | "" = "", column: number | "" = ""): [number, string] {
  const shown = frameText(name, file, line, column);
  return [textNumber(shown), shown];
}

export const JS_MAIN = text("main", "/app/main.js", 7, 3);
export const JS_MAP = text("Array.map");

export function record(rate: number, buckets: readonly Bucket[], more: Partial<HeapRecord> = {}): HeapRecord {
  return { rate, buckets, texts: new Map([JS_MAIN, JS_MAP]), ...more };
}

export function bucket(stack: readonly number[], size: number, allocs: number, frees = 0): Bucket {
  return { stack, size, allocs, frees };
}

/** Names by offset, innermost first. */
export function symbolsOf(frames: Readonly<Record<number, readonly SourceFrame[]>>): SymbolSource {
  return { frames: (offset) => frames[offset] ?? [], functionFrames: (index) => frames[-index] ?? [] };
}

const C = "/src/app.c";
/** 100: malloc; 200: parse; 300: node, inlined into tree; 400: main; 500: operator new inlined into list. */
export const SYMBOLS = symbolsOf({
  100: [{ function: "malloc" }],
  101: [{ function: "assembly/alloc/malloc/mallocSlow" }],
  200: [{ function: "parse", file: C, line: 20, column: 5, startLine: 18 }],
  300: [
    { function: "node", file: C, line: 31, inlined: true, startLine: 30 },
    { function: "tree", systemName: "_Z4treev", file: C, line: 42, startLine: 40 },
  ],
  400: [{ function: "main", file: C, line: 50, startLine: 48 }],
  500: [
    { function: "operator new(unsigned long)", file: "new.cpp", line: 9, inlined: true },
    { function: "list", file: C, line: 61, startLine: 60 },
  ],
  [-12]: [{ function: "render", file: C, startLine: 70 }],
});
