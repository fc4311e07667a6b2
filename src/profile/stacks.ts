/**
 * Stacks as engines write them into `error.stack`, for those that give nothing better. One line is one frame:
 *
 *   V8                  at name (URL:LINE:COLUMN)          at URL:LINE:COLUMN       wasm: URL:wasm-function[12]:0x1a2b
 *   SpiderMonkey        name@URL:LINE:COLUMN                                      wasm: name@URL:wasm-function[12]:0x1a2b
 *   JavaScriptCore      name@URL:LINE:COLUMN               name@[native code]       wasm, the older forms first:
 *                       wasm function: 12@[wasm code]      <?>.wasm-function[12]@[wasm code]
 *                       <?>.wasm-function[name]@[wasm code]                         name@<?>:wasm-function[12]
 *                       12@<?>:wasm-function[12]           name@wasm-function[12]   wasm-function[12]:0x1a2b
 *
 * What stands for <?> is the module's name or hash. JavaScriptCore gives no byte offsets, so its frames of wasm are
 * functions, without lines.
 */

/** One frame. */
export interface StackLine {
  /** "" when it has none. */
  readonly name: string;
  /** Of a script or a module; "" when unknown. */
  readonly url: string;
  /** From 1; undefined for functions of the engine and of wasm. */
  readonly line?: number;
  readonly column?: number;
  /** Of frames of wasm: what is known of index and byte offset. */
  readonly wasm?: { readonly index?: number; readonly offset?: number };
}

/** The frames of a stack, leaf first. Lines that are no frames, such as an error's message, are passed over. */
export function parseStack(stack: string): StackLine[] {
  const lines = stack.split("\n");
  // V8's frames are indented; a message in front may have any form
  const v8 = lines.some((line) => /^\s+at \S/.test(line));
  return lines
    .map((line) => (v8 ? parseV8(line) : parseOther(line)))
    .filter((frame) => frame !== undefined)
    .filter(({ name }) => name !== "wasm-stub" && name !== "wasm function");
}

function parseV8(text: string): StackLine | undefined {
  const frame = /^\s+at (.+?)\s*$/.exec(text)?.[1];
  if (frame === undefined) return undefined;
  const named = frame.endsWith(")") ? / \((.*)\)$/.exec(frame) : null;
  const name = named === null ? "" : frame.slice(0, named.index);
  return place(named === null ? frame : named[1]!, name);
}

function parseOther(text: string): StackLine | undefined {
  const line = text.trim();
  if (line === "") return undefined;
  const old = /^(?:(.*)\.)?wasm(?:-function\[(.*)\]| function: (\d+))@\[wasm code\]$/.exec(line);
  if (old !== null) {
    const [, url = "", which, number] = old;
    const index = number ?? (/^\d+$/.test(which!) ? which : undefined);
    return { name: index === undefined ? which! : "", url, wasm: index === undefined ? {} : { index: Number(index) } };
  }
  // A name or a URL may have an @: the place is behind the last one that a URL can begin after
  const at = lastSeparator(line);
  if (at < 0 && !/wasm-function\[\d+\]/.test(line)) return undefined;
  const name = at < 0 ? "" : line.slice(0, at).replace(/\/<$|\/$/, "");
  return place(line.slice(at + 1), name);
}

/** Where the name of a frame ends: the first @ that a URL, a path or what stands for one follows; else the last. */
function lastSeparator(line: string): number {
  const url = /@(?=[a-z][a-z0-9+.-]*:|\/|<|\[|wasm-function\[)/i.exec(line);
  return url === null ? line.lastIndexOf("@") : url.index;
}

/** A frame from what stands behind its name: URL with line and column, or with a function of wasm. */
function place(text: string, name: string): StackLine {
  const wasm = /^(?:(.*)[:.])?wasm-function\[(\d+)\](?::(0x[0-9a-f]+))?$/i.exec(text);
  if (wasm !== null) {
    const [, url = "", index, offset] = wasm;
    // What engines put in place of a name
    const own = name === index || /^(?:.*\.)?wasm-function\[\d+\]$/.test(name) ? "" : name;
    return {
      name: own,
      url,
      wasm: { index: Number(index), ...(offset === undefined ? {} : { offset: Number(offset) }) },
    };
  }
  const [, url, line, column] = /^(.*?)(?::(\d+))?(?::(\d+))?$/.exec(text)!;
  // Deno's own form for frames of wasm: line 1, and a column that is one more than the byte offset
  if (url!.startsWith("wasm://") && line === "1" && column !== undefined) {
    return { name: name === "<anonymous>" ? "" : name, url: url!, wasm: { offset: Number(column) - 1 } };
  }
  const native = /^(\[native code\]|native|<anonymous>)$/.test(url!);
  return {
    name,
    url: native ? "" : url!,
    ...(line === undefined ? {} : { line: Number(line) }),
    ...(column === undefined ? {} : { column: Number(column) }),
  };
}
