/**
 * A fresh instance of a program, and the one place that knows its exports.
 */

/** Written memory is counted in pages of so many bytes: what an operating system hands out. */
const OS_PAGE = 4096;

/** What every program exports (see catalog.ts), what --exportRuntime adds, and what the program of pairs has beside. */
export interface ProgramExports {
  readonly memory: WebAssembly.Memory;
  setup(size: number): void;
  operations(): number;
  interval(): number;
  operation(): void;
  finish(): void;
  checksum(): number;
  __collect(): void;
  reserve?(count: number): void;
  fill?(): void;
  sum?(): number;
}

/** Starts a program. What it says when it aborts becomes the message of the Error that is thrown. */
export function start(module: WebAssembly.Module): ProgramExports {
  let memory: WebAssembly.Memory | undefined;
  const abort = (message: number, file: number, line: number, column: number) => {
    const text = memory ? `${stringAt(memory, message)} (${stringAt(memory, file)}:${line}:${column})` : "at its start";
    throw new Error(`the program aborted: ${text}`);
  };
  const exports = new WebAssembly.Instance(module, { env: { abort } }).exports as unknown as ProgramExports;
  memory = exports.memory;
  return exports;
}

/** An AssemblyScript string: UTF-16, its bytes counted in the word before it. */
function stringAt({ buffer }: WebAssembly.Memory, at: number): string {
  if (!at) return "";
  const pointer = at >>> 0;
  const bytes = new DataView(buffer).getUint32(pointer - 4, true);
  return String.fromCharCode(...new Uint16Array(buffer.slice(pointer, pointer + bytes)));
}

/** Bytes of all pages that hold anything but zeros. Exact to a page at each end for memory that was filled. */
export function writtenBytes({ buffer }: WebAssembly.Memory): number {
  const words = new BigUint64Array(buffer);
  const step = OS_PAGE / 8;
  let pages = 0;
  for (let page = 0; page < words.length; page += step) {
    for (let i = page; i < page + step; i++) {
      if (words[i] === 0n) continue;
      pages++;
      break;
    }
  }
  return pages * OS_PAGE;
}
