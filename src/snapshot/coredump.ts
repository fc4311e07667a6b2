/**
 * WebAssembly core dumps, as the tool-conventions of WebAssembly have them: a module whose custom section `core` names the
 * program, whose data segments are the contents of its memories, and whose other sections describe the stack.
 *
 * Cost: the memories' size, of which only what the dump has is touched.
 */
import { SnapshotError } from "../base/errors.js";
import { ToolError } from "../wasm/errors.js";
import { Reader } from "../wasm/reader.js";

export interface Coredump {
  /** The program's name; empty if the dump has none. */
  readonly executable: string;
  /** The memories by number, each from address 0 on. */
  readonly memories: readonly Uint8Array<ArrayBuffer>[];
}

const MAGIC = [0, 0x61, 0x73, 0x6d];
const HEADER = 8;
const CUSTOM = 0;
const MEMORY = 5;
const DATA = 11;
const WASM_PAGE = 65536;
/** Pages of the largest memory of 32 bits. */
const MAX_PAGES = 65536;
/** Bits of a memory's limits, and instructions of an offset. */
const [HAS_MAXIMUM, IS_64] = [1, 4] as const;
const [I32_CONST, I64_CONST, END] = [0x41, 0x42, 0x0b] as const;

/** Whether the bytes begin as a wasm file, which a core dump is. */
export function isWasm(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, i) => bytes[i] === byte);
}

/** The memories in a core dump. Throws SnapshotError "coredump". */
export function readCoredump(bytes: Uint8Array): Coredump {
  if (!isWasm(bytes)) throw bad("the file is no core dump: it does not begin as a WebAssembly file");
  try {
    return read(bytes);
  } catch (cause) {
    if (cause instanceof ToolError) throw bad(cause.message.replace("the module", "the core dump"), cause);
    throw cause;
  }
}

function bad(problem: string, cause?: unknown): SnapshotError {
  const remedy = "give the file that the engine wrote when the program trapped, whole";
  return new SnapshotError("coredump", problem, remedy, cause === undefined ? {} : { cause });
}

function read(bytes: Uint8Array): Coredump {
  let executable: string | undefined;
  const memories: Uint8Array<ArrayBuffer>[] = [];
  for (const whole = new Reader(bytes, HEADER); !whole.done; ) {
    const id = whole.byte();
    const section = whole.sub(whole.u32());
    if (id === CUSTOM && section.name() === "core") {
      section.byte();
      executable = section.name();
    } else if (id === MEMORY) {
      for (let left = section.count(); left > 0; left--) memories.push(new Uint8Array(readPages(section) * WASM_PAGE));
    } else if (id === DATA) {
      for (let left = section.count(); left > 0; left--) readSegment(section, memories);
    }
  }
  if (executable === undefined) {
    throw bad("the file is a WebAssembly module and no core dump: it has no section `core`");
  }
  if (memories.length === 0) throw bad("the core dump has no memory");
  return { executable, memories };
}

/** Pages of a memory at the time of the dump. */
function readPages(section: Reader): number {
  const flags = section.byte();
  if ((flags & IS_64) !== 0)
    throw bad("the core dump's memory has 64-bit addresses, and heaps are in memories of 32 bits");
  const pages = section.u32();
  if ((flags & HAS_MAXIMUM) !== 0) section.u32();
  if (pages > MAX_PAGES) throw bad(`the core dump's memory has ${pages} pages, more than there can be`);
  return pages;
}

/** Puts a data segment where it was. */
function readSegment(section: Reader, memories: readonly Uint8Array[]): void {
  const kind = section.u32();
  const index = kind === 2 ? section.u32() : 0;
  // Passive segments are no memory's.
  const offset = kind === 1 ? undefined : readOffset(section);
  const contents = section.take(section.u32());
  if (offset === undefined) return;
  const memory = memories[index];
  if (memory === undefined || offset + contents.length > memory.length) {
    throw bad(`the core dump has data beyond the end of memory ${index}`);
  }
  memory.set(contents, offset);
}

function readOffset(section: Reader): number {
  const at = section.at;
  const instruction = section.byte();
  if (instruction !== I32_CONST && instruction !== I64_CONST) {
    throw bad(`the core dump has an offset of data that is no constant, at byte ${at}`);
  }
  const offset = section.s32() >>> 0;
  if (section.byte() !== END) throw bad(`the core dump has an offset of data that does not end, at byte ${at}`);
  return offset;
}
