/**
 * Where wasm comes from: bytes, a compiled module, or a response to be streamed; for the heap itself by default the
 * inlined bytes.
 *
 * The inlined module is decoded and compiled at its first use and kept for every later heap; compiling is a few
 * milliseconds, an instance a fraction of one. Nothing happens at import.
 */
import { checkHostModule } from "./abi.js";
import { decodeBase64 } from "./base64.js";
import { ModuleLoadError } from "./errors.js";
import { HOST_WASM_BASE64 } from "./generated/wasm-host.js";

/** Wasm that can be compiled at once. */
export type WasmSource = WebAssembly.Module | ArrayBuffer | ArrayBufferView<ArrayBuffer>;

/** Wasm that may have to come over the network first. A string is a URL, relative to the page if there is one. */
export type AsyncWasmSource = WasmSource | URL | string | Response | PromiseLike<Response | WasmSource>;

let inlined: WebAssembly.Module | undefined;

/** The module of `source`, or the inlined one. Throws ModuleLoadError when it is not gomalloc's host flavour. */
export function loadModule(source?: WasmSource): WebAssembly.Module {
  if (source === undefined) {
    inlined ??= compile(decodeBase64(HOST_WASM_BASE64));
    return inlined;
  }
  if (source instanceof WebAssembly.Module) return checked(source);
  if (isBytes(source)) return compile(source);
  throw new TypeError("wasm must be a WebAssembly.Module or bytes; createHeapAsync also takes a URL or a Response");
}

/** The same without blocking: compiles on the engine's own threads, and while bytes still arrive. */
export async function loadModuleAsync(source?: AsyncWasmSource): Promise<WebAssembly.Module> {
  if (source === undefined) {
    if (inlined === undefined) {
      const module = checked(await compileAsync(decodeBase64(HOST_WASM_BASE64)));
      inlined ??= module;
    }
    return inlined;
  }
  return checked(await compileSource(await source));
}

/** Compiles any module, a program's too, without blocking. Throws ModuleLoadError, or TypeError for another value. */
export async function compileSource(source: AsyncWasmSource): Promise<WebAssembly.Module> {
  const given = await source;
  if (given instanceof WebAssembly.Module) return given;
  if (isBytes(given)) return compileAsync(given);
  return fromResponse(await responseOf(given));
}

/** The response itself, or what a URL answers. Throws ModuleLoadError when it is no file, TypeError for another value. */
async function responseOf(source: unknown): Promise<Response> {
  let response: Response;
  if (typeof Response === "function" && source instanceof Response) response = source;
  else if (typeof source === "string" || source instanceof URL) response = await get(source);
  else throw new TypeError("wasm must be a WebAssembly.Module, bytes, a URL or a Response");
  if (!response.ok) throw new ModuleLoadError(`${response.url || "the response"} has status ${response.status}`);
  return response;
}

export function isBytes(value: unknown): value is ArrayBuffer | ArrayBufferView<ArrayBuffer> {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

function checked(module: WebAssembly.Module): WebAssembly.Module {
  checkHostModule(module);
  return module;
}

function compile(bytes: ArrayBuffer | ArrayBufferView<ArrayBuffer>): WebAssembly.Module {
  try {
    return checked(new WebAssembly.Module(bytes));
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
  return (await responseOf(source)).arrayBuffer();
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
  return compileAsync(await response.arrayBuffer());
}

/** CompileError is what broken bytes give; callers get one kind of error whatever the reason. */
function asLoadError(cause: unknown): unknown {
  if (!(cause instanceof WebAssembly.CompileError)) return cause;
  return new ModuleLoadError(`not a WebAssembly module: ${cause.message}`, { cause });
}
