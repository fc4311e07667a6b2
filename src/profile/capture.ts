/**
 * The stack at the moment that wasm calls an import of the host, as numbers (types.ts): called once for a sampled
 * block, on the thread that allocates.
 *
 * V8 hands call sites to Error.prepareStackTrace, which is set for that moment only. A frame of wasm then costs two
 * calls that make nothing new, a frame of JavaScript three, because it is remembered by its script and position; no
 * text is built for what was seen before. Other engines, and a page that has frozen Error, give the text of
 * error.stack, which is taken apart (stacks.ts).
 *
 * What is left out: everything in front of the first frame of wasm, which is the host's function that wasm called; the
 * frames of this package that called that wasm, such as Heap.malloc; and those of Node itself (node:internal/...). They
 * are told by their script's URL, so in a bundle the package's stay. The first frame of wasm is of the module with the allocator: that is the program's module.
 *
 * Cost, in us at 8, 16 and 32 frames of wasm: 11, 15 and 24 in Node 20, 9, 11 and 16 in Node 24. All but 2 of it are
 * V8's own: taking the frames and making the call sites. The text of error.stack takes half as much again.
 */
import { parseStack, type StackLine } from "./stacks.js";
import { FIRST_TEXT, frameText, textNumber } from "./text.js";

/** A frame number and its text. */
export type NumberedText = readonly [number: number, text: string];

/** Frames in front of the program's: the host's import and the functions of this package. */
const LEADING_FRAMES = 8;

/** Texts that one capturer tells apart. A program that makes its scripts as it runs could make any number. */
const MAX_TEXTS = 65536;
const OTHER = frameText("(more than 65536 places)", "", "", "");

/** What V8 hands to Error.prepareStackTrace, as far as it is used. */
interface CallSite {
  getFileName(): string | null | undefined;
  getScriptNameOrSourceURL(): string | null | undefined;
  getFunctionName(): string | null;
  getPosition(): number;
  getLineNumber(): number | null;
  getColumnNumber(): number | null;
  toString(): string;
}

interface V8Error {
  captureStackTrace?: (target: object) => void;
  prepareStackTrace?: unknown;
  stackTraceLimit?: number;
}

/** A script or a module that frames are of. */
interface Script {
  readonly wasm: boolean;
  /** Of this package. */
  readonly own: boolean;
  /** Of the engine's host, under the program: Node's loader, its timers. */
  readonly host: boolean;
  /** Numbers of its frames by their position. */
  readonly numbers: Map<number, number>;
}

/** Takes stacks for one heap on one thread. */
export class Capturer {
  readonly #scripts = new Map<string, Script>();
  /** Every text that has been seen, by its number. */
  readonly #texts = new Map<number, string>();
  readonly #isOwn: (url: string) => boolean;
  #fresh: NumberedText[] = [];

  /** `isOwn` tells scripts of this package by their URL. */
  constructor(isOwn: (url: string) => boolean = ownScripts()) {
    this.#isOwn = isOwn;
  }

  /**
   * Writes the stack of the caller into `out`, leaf first, at most `max` frames; how many. Of a deeper stack the leaf's
   * side is kept. 0 when there is none to be had; never throws.
   */
  capture(out: Uint32Array, max: number): number {
    const limit = Math.min(max, out.length);
    try {
      const stack = takeStack(limit + LEADING_FRAMES);
      return typeof stack === "string" ? this.#parse(stack, out, limit) : this.#walk(stack, out, limit);
    } catch {
      // The program has used up its stack: the allocation goes on without
      return 0;
    }
  }

  /** The texts that were new since the last call. The list is the caller's. */
  takeTexts(): NumberedText[] {
    const fresh = this.#fresh;
    if (fresh.length > 0) this.#fresh = [];
    return fresh;
  }

  #walk(sites: readonly CallSite[], out: Uint32Array, limit: number): number {
    let program: Script | undefined;
    let leading = true;
    let count = 0;
    let url: string | null | undefined;
    let script: Script | undefined;
    for (let i = 0; i < sites.length && count < limit; i++) {
      const site = sites[i]!;
      const name = site.getFileName();
      if (i === 0 || name !== url) {
        url = name;
        script = this.#scriptOf(name, site);
      }
      if (program === undefined) {
        if (script?.wasm !== true) continue;
        program = script;
      }
      if (script === program) out[count++] = site.getPosition();
      else if (script?.host !== true && !(leading && script?.own === true)) {
        leading = false;
        out[count++] = this.#numberOf(site, script);
      }
    }
    return count;
  }

  /** undefined for what has no URL: functions of the engine, code from eval. */
  #scriptOf(name: string | null | undefined, site: CallSite): Script | undefined {
    if (typeof name !== "string" || name === "") return undefined;
    let script = this.#scripts.get(name);
    if (script === undefined) {
      const wasm = /:wasm-function\[\d+\]:0x[0-9a-f]+\)?$/.test(site.toString());
      script = { wasm, own: !wasm && this.#isOwn(name), host: isHost(name), numbers: new Map() };
      this.#scripts.set(name, script);
    }
    return script;
  }

  #numberOf(site: CallSite, script: Script | undefined): number {
    // Positions of code without a URL say nothing
    if (script === undefined) return this.#number(textOf(site, false));
    const position = site.getPosition();
    let number = script.numbers.get(position);
    if (number === undefined) {
      number = this.#number(textOf(site, script.wasm));
      script.numbers.set(position, number);
    }
    return number;
  }

  #parse(stack: string, out: Uint32Array, limit: number): number {
    let program: string | undefined;
    let leading = true;
    let count = 0;
    for (const frame of parseStack(stack)) {
      if (count === limit) break;
      if (program === undefined) {
        if (frame.wasm === undefined) continue;
        program = frame.url;
      }
      const own = frame.wasm !== undefined && frame.url === program;
      if (own && frame.wasm?.offset !== undefined) out[count++] = frame.wasm.offset;
      else if (!isHost(frame.url) && !(leading && frame.wasm === undefined && this.#isOwn(frame.url))) {
        leading &&= own;
        out[count++] = this.#number(lineText(frame, own));
      }
    }
    return count;
  }

  /** The number of a text, which is told as new when it is. */
  #number(text: string): number {
    let number = textNumber(text);
    for (;;) {
      const known = this.#texts.get(number);
      if (known === text) return number;
      if (known === undefined) break;
      number = (FIRST_TEXT | (number + 1)) >>> 0;
    }
    if (this.#texts.size >= MAX_TEXTS && text !== OTHER) return this.#number(OTHER);
    this.#texts.set(number, text);
    this.#fresh.push([number, text]);
    return number;
  }
}

/** What the hook below was given last. */
let given: readonly CallSite[] | undefined;
const hook = (_error: unknown, sites: readonly CallSite[]): string => {
  given = sites;
  return "";
};

/** The stack of at most `limit` frames: call sites, or a text. What the page has set of Error is put back. */
function takeStack(limit: number): readonly CallSite[] | string {
  const error = Error as V8Error;
  const { prepareStackTrace, stackTraceLimit } = error;
  given = undefined;
  try {
    put(error, "stackTraceLimit", limit);
    put(error, "prepareStackTrace", hook);
    const target: { stack?: unknown } = {};
    error.captureStackTrace?.(target);
    // The hook is called when the property is read
    if (target.stack !== undefined && given !== undefined) return given;
    put(error, "prepareStackTrace", prepareStackTrace);
    const { stack } = new Error() as { stack?: unknown };
    // A hook of the page's own may hand on what it is given
    if (Array.isArray(stack) && typeof stack[0]?.getPosition === "function") return stack as CallSite[];
    return typeof stack === "string" ? stack : "";
  } finally {
    put(error, "prepareStackTrace", prepareStackTrace);
    put(error, "stackTraceLimit", stackTraceLimit);
    given = undefined;
  }
}

function put<K extends keyof V8Error>(error: V8Error, key: K, value: V8Error[K]): void {
  try {
    if (error[key] !== value) error[key] = value;
  } catch {
    // Frozen, read only, or a property of the page's that throws
  }
}

const isHost = (url: string): boolean => url.startsWith("node:internal/");

/** A frame of V8's. What toString puts in front of the place has the function's type and "new", "async". */
function textOf(site: CallSite, wasm: boolean): string {
  const url = site.getScriptNameOrSourceURL() ?? "";
  if (wasm) {
    const whole = site.toString();
    const index = /wasm-function\[\d+\]/.exec(whole)?.[0];
    return frameText(site.getFunctionName() ?? index ?? "", url, "", `0x${site.getPosition().toString(16)}`);
  }
  const line = site.getLineNumber() ?? "";
  const column = site.getColumnNumber() ?? "";
  return frameText(nameOf(site), url, line, column);
}

function nameOf(site: CallSite): string {
  const whole = site.toString();
  // Behind the name: " (PLACE)"
  const end = whole.endsWith(")") ? whole.lastIndexOf(" (") : -1;
  const name = end > 0 ? whole.slice(0, end) : "";
  const plain = site.getFunctionName() ?? "";
  // A URL with " (" in it
  return name.includes(plain) && !name.includes("://") ? name : plain;
}

/** A frame of a text. */
function lineText({ name, url, line, column, wasm }: StackLine, program: boolean): string {
  if (wasm === undefined) return frameText(name, url, line ?? "", column ?? "");
  const { index, offset } = wasm;
  const shown = name === "" && index !== undefined ? `wasm-function[${index}]` : name;
  if (offset !== undefined) return frameText(shown, url, "", `0x${offset.toString(16)}`);
  return program ? frameText(shown, "", "", index === undefined ? "" : `#${index}`) : frameText(shown, url, "", "");
}

/** Tells scripts of this package by the folder that this one is in; none when it is in a bundle. */
function ownScripts(): (url: string) => boolean {
  let stack: ReturnType<typeof takeStack>;
  try {
    stack = takeStack(LEADING_FRAMES);
  } catch {
    return () => false;
  }
  const url = typeof stack === "string" ? parseStack(stack)[0]?.url : stack[0]?.getFileName();
  const folder = /^(.*[\\/])profile[\\/]capture\.[jt]s$/.exec(url ?? "")?.[1];
  return folder === undefined ? () => false : (script) => script.startsWith(folder);
}
