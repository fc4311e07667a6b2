/**
 * Where wasm comes from: bytes, a compiled module, or a response to be streamed; for the heap itself, when nothing is
 * given, what the entry has: inlined bytes (inlined.ts) or nothing (slim.ts).
 *
 * An inlined module is decoded and compiled at its first use and kept for every later heap; compiling is a few
 * milliseconds, an instance a fraction of one. Nothing happens at import.
 */
import { checkHostModule } from "../base/abi.js";
import { decodeBase64 } from "../base/base64.js";
import { isBytes, isModule, show } from "../base/check.js";
import { ModuleLoadError } from "../base/errors.js";

/** Wasm that can be compiled at once. */
export type WasmSource = WebAssembly.Module | ArrayBuffer | ArrayBufferView<ArrayBuffer>;

/** Wasm that may have to come over the network first. A string is a URL, relative to the page if there is one. */
export type AsyncWasmSource = WasmSource | URL | string | Response | PromiseLike<Response | WasmSource>;

/** The module to take when the caller gives none. */
export interface DefaultModule {
  load(): WebAssembly.Module;
  loadAsync(): Promise<WebAssembly.Module>;
}

/** A module inlined as base64: compiled at its first use, and kept. */
export function inlinedModule(base64: string): DefaultModule {
  let module: WebAssembly.Module | undefined;
  return {
    load() {
      module ??= compile(decodeBase64(base64));
      return module;
    },
    async loadAsync() {
      if (module === undefined) {
        const compiled = await compileAsync(decodeBase64(base64));
        module ??= compiled;
      }
      return module;
    },
  };
}

/** No module: both ways throw a TypeError that says which option to pass. */
export function noModule(entry: string, option: string, file: string): DefaultModule {
  const why =
    `${entry} has no wasm inside: pass the option ${option} (a URL, bytes or a WebAssembly.Module) for gomalloc/${file}, ` +
    `or import from "${entry.replace("/slim", "")}"`;
  return {
    load() {
      throw new TypeError(why);
    },
    async loadAsync() {
      throw new TypeError(why);
    },
  };
}

/** The module of `source`, or the default. Throws ModuleLoadError when it is not gomalloc's host flavour. */
export function loadModule(source: WasmSource | undefined, otherwise: DefaultModule): WebAssembly.Module {
  if (source === undefined) return otherwise.load();
  if (isModule(source)) return checked(source);
  if (isBytes(source)) return checked(compile(source));
  throw new TypeError(
    `wasm must be a WebAssembly.Module or bytes; the async functions also take a URL or a Response: ${show(source)}`,
  );
}

/** The same without blocking: compiles on the engine's own threads, and while bytes still arrive. */
export async function loadModuleAsync(
  source: AsyncWasmSource | undefined,
  otherwise: DefaultModule,
): Promise<WebAssembly.Module> {
  return source === undefined ? otherwise.loadAsync() : checked(await compileSource(source));
}

/** Compiles any module, a program's too, without blocking. Throws ModuleLoadError, or TypeError for another value. */
export async function compileSource(source: AsyncWasmSource): Promise<WebAssembly.Module> {
  const given = await arrived(source);
  if (isModule(given)) return given;
  if (isBytes(given)) return compileAsync(given);
  return fromResponse(await responseOf(given));
}

/**
 * What a source is once it is there. Throws ModuleLoadError when its promise is rejected, as that of a failed fetch.
 */
export async function arrived(source: AsyncWasmSource): Promise<Awaited<AsyncWasmSource>> {
  try {
    return await source;
  } catch (cause) {
    throw asLoadError(cause);
  }
}

/**
 * The response itself, or what a URL answers. Throws ModuleLoadError when it is no file, TypeError for another value.
 */
async function responseOf(source: unknown): Promise<Response> {
  let response: Response;
  if (typeof Response === "function" && source instanceof Response) response = source;
  else if (typeof source === "string" || source instanceof URL) response = await get(source);
  else throw new TypeError(`wasm must be a WebAssembly.Module, bytes, a URL or a Response: ${show(source)}`);
  if (!response.ok) throw new ModuleLoadError(`${response.url || "the response"} has status ${response.status}`);
  return response;
}

function checked(module: WebAssembly.Module): WebAssembly.Module {
  checkHostModule(module);
  return module;
}

function compile(bytes: ArrayBuffer | ArrayBufferView<ArrayBuffer>): WebAssembly.Module {
  try {
    return new WebAssembly.Module(bytes);
  } catch (cause) {
    throw asLoadError(cause);
  }
}

async function compileAsync(bytes: ArrayBuffer | ArrayBufferView<ArrayBuffer>): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw asLoadError(cause);
  }
}

async function get(url: URL | string): Promise<Response> {
  try {
    return await fetch(url);
  } catch (cause) {
    const hint = String(url).startsWith("file:") ? "; fetch cannot read files here, pass the file's bytes" : "";
    throw new ModuleLoadError(`cannot fetch ${String(url)}${hint}`, { cause });
  }
}

/** The bytes behind a URL, or of a response. Throws ModuleLoadError when there are none. */
export async function fetchBytes(source: Response | URL | string): Promise<ArrayBuffer> {
  return bytesOf(await responseOf(source));
}

/** The body of a response. Throws ModuleLoadError when it breaks off, or was read before. */
async function bytesOf(response: Response): Promise<ArrayBuffer> {
  try {
    return await response.arrayBuffer();
  } catch (cause) {
    throw asLoadError(cause);
  }
}

/** Streams where the engine can, which it does for this content type alone; otherwise takes the bytes whole. */
async function fromResponse(response: Response): Promise<WebAssembly.Module> {
  if (
    response.headers.get("content-type") === "application/wasm" &&
    typeof WebAssembly.compileStreaming === "function"
  ) {
    try {
      return await WebAssembly.compileStreaming(response);
    } catch (cause) {
      throw asLoadError(cause);
    }
  }
  return compileAsync(await bytesOf(response));
}

/**
 * One kind of error whatever the reason: a CompileError for broken bytes, a RangeError where a browser's main thread
 * may not compile, a TypeError for a body that cannot be read. A Content-Security-Policy gives a CompileError or an
 * EvalError, in words that differ from engine to engine.
 */
function asLoadError(cause: unknown): ModuleLoadError {
  if (cause instanceof ModuleLoadError) return cause;
  const why = cause instanceof Error ? cause.message : show(cause);
  const compiling = cause instanceof WebAssembly.CompileError || cause instanceof EvalError;
  if (compiling && !mayCompile()) return new ModuleLoadError(`${FORBIDDEN} (${why})`, { cause });
  return new ModuleLoadError(`${compiling ? "not a WebAssembly module" : "the module cannot be loaded"}: ${why}`, {
    cause,
  });
}

const FORBIDDEN =
  "WebAssembly may not be compiled here: in a page, add 'wasm-unsafe-eval' to the script-src of its " +
  "Content-Security-Policy; elsewhere, pass a compiled WebAssembly.Module as the option wasm";

/** Whether this realm may compile at all: tried with the empty module, since no engine has a question for it. */
function mayCompile(): boolean {
  try {
    new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    return true;
  } catch {
    return false;
  }
}
