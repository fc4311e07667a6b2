/**
 * Where the wasm comes from: the inlined bytes by default, else bytes, a compiled module, or a response to be streamed.
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
      const module = await compileAsync(decodeBase64(HOST_WASM_BASE64));
      inlined ??= module;
    }
    return inlined;
  }
  const given = await source;
  if (given instanceof WebAssembly.Module) return checked(given);
  if (isBytes(given)) return compileAsync(given);
  if (typeof Response === "function" && given instanceof Response) return fromResponse(given);
  if (typeof given === "string" || given instanceof URL) return fromResponse(await get(given));
  throw new TypeError("wasm must be a WebAssembly.Module, bytes, a URL or a Response");
}

function isBytes(value: unknown): value is ArrayBuffer | ArrayBufferView<ArrayBuffer> {
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
    return checked(await WebAssembly.compile(bytes));
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

/** Streams where the engine can, which it does for this content type alone; otherwise takes the bytes whole. */
async function fromResponse(response: Response): Promise<WebAssembly.Module> {
  if (!response.ok) throw new ModuleLoadError(`${response.url || "the response"} has status ${response.status}`);
  if (
    response.headers.get("content-type") === "application/wasm" &&
    typeof WebAssembly.compileStreaming === "function"
  ) {
    try {
      return checked(await WebAssembly.compileStreaming(response));
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
