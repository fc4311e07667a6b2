/**
 * The shared host flavour: inlined, or from elsewhere. Decoded and compiled at its first use and kept, like the unshared
 * one (src/module.ts); nothing happens at import.
 */
import { decodeBase64 } from "../base64.js";
import { HOST_SHARED_WASM_BASE64 } from "../generated/wasm-host-shared.js";
import { type AsyncWasmSource, loadModule, loadModuleAsync, type WasmSource } from "../module.js";
import { checkSharedModule } from "./abi.js";

let inlined: WebAssembly.Module | undefined;

/** The module of `source`, or the inlined one. Throws ModuleLoadError when it is not the shared host flavour. */
export function loadSharedModule(source?: WasmSource): WebAssembly.Module {
  if (source !== undefined) return checked(loadModule(source));
  inlined ??= checked(loadModule(decodeBase64(HOST_SHARED_WASM_BASE64)));
  return inlined;
}

/** The same without blocking. */
export async function loadSharedModuleAsync(source?: AsyncWasmSource): Promise<WebAssembly.Module> {
  if (source !== undefined) return checked(await loadModuleAsync(source));
  if (inlined === undefined) {
    const module = checked(await loadModuleAsync(decodeBase64(HOST_SHARED_WASM_BASE64)));
    inlined ??= module;
  }
  return inlined;
}

function checked(module: WebAssembly.Module): WebAssembly.Module {
  checkSharedModule(module);
  return module;
}
