/**
 * What `gomalloc map` reads: snapshots as JSON, one or several in a file, a core dump, or the bytes of a memory; any of
 * them packed by gzip. The first bytes of the file say which it is.
 */
import { gunzipSync } from "node:zlib";
import { SnapshotError } from "../base/errors.js";
import { isWasm, readCoredump } from "../snapshot/coredump.js";
import { findHeaps } from "../snapshot/find.js";
import { parseSnapshot } from "../snapshot/parse.js";
import { readSnapshot, readSnapshots } from "../snapshot/read.js";
import type { HeapSnapshot } from "../snapshot/snapshot.js";
import { ToolError } from "../wasm/errors.js";
import { inFile, readInput } from "./files.js";

/** The snapshots in a file. `heap`: address of the one to read in a memory. Throws ToolError. */
export async function loadSnapshots(path: string, heap: number | undefined): Promise<HeapSnapshot[]> {
  const packed = await readInput(path);
  return inFile(path, () => {
    try {
      return fromBytes(unpacked(packed), heap);
    } catch (cause) {
      if (!(cause instanceof SnapshotError)) throw cause;
      throw new ToolError("snapshot", cause.problem, sentence(cause.remedy), { cause });
    }
  });
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

function unpacked(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return new Uint8Array(gunzipSync(bytes));
  } catch (cause) {
    throw new ToolError("snapshot", "its gzip data is damaged", "Pack the file again, or give it unpacked.", { cause });
  }
}

function fromBytes(bytes: Uint8Array<ArrayBuffer>, heap: number | undefined): HeapSnapshot[] {
  if (bytes.length === 0) throw new ToolError("empty", "the file is empty", "Give a snapshot or the dump of a memory.");
  if (isWasm(bytes)) return fromMemories(readCoredump(bytes).memories, heap);
  if (looksLikeJson(bytes)) return fromJson(new TextDecoder().decode(bytes));
  return fromMemories([bytes], heap);
}

/** Whether the first character that is no space begins an object or a list. A memory's first bytes are seldom text. */
function looksLikeJson(bytes: Uint8Array): boolean {
  const start = new TextDecoder().decode(bytes.subarray(0, 256)).trimStart();
  return /^(\{\s*"|\{\s*$|\[\s*[{\]]|\[\s*$)/.test(start);
}

function fromMemories(memories: readonly Uint8Array[], heap: number | undefined): HeapSnapshot[] {
  if (heap !== undefined) return memories.slice(0, 1).map((memory) => readSnapshot(memory, { heap }));
  const [first, ...others] = memories.filter((memory, i) => i === 0 || findHeaps(memory).length > 0);
  const full = findHeaps(first!).length > 0 || others.length === 0 ? [first!, ...others] : others;
  return full.flatMap((memory) => readSnapshots(memory));
}

/** One snapshot, a list of them, or one on each line. */
function fromJson(text: string): HeapSnapshot[] {
  const values =
    parsed(text) ?? text.split("\n").flatMap((line, i) => (line.trim() === "" ? [] : [parsedLine(line, i)]));
  const list = Array.isArray(values) ? values : [values];
  if (list.length === 0) throw new ToolError("snapshot", "it has no snapshot", "Write at least one into the file.");
  return list.map((value) => parseSnapshot(value));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parsedLine(line: string, i: number): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new ToolError(
      "snapshot",
      `line ${i + 1} is no JSON: ${(cause as Error).message}`,
      "Give what JSON.stringify(heap.snapshot()) makes: one, a list of them, or one on each line.",
      { cause },
    );
  }
}
