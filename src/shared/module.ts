/** The shared host flavour from where the caller says, or the entry's default. See src/heap/module.ts. */

import type { HooksOver } from "../base/abi.js";
import {
  type AsyncWasmSource,
  type DefaultModule,
  loadModule,
  loadModuleAsync,
  type WasmSource,
} from "../heap/module.js";
import { checkSharedModule } from "./abi.js";

/** The modules to take when the caller gives none. */
export interface DefaultModules {
  /** For several threads. */
  readonly shared: DefaultModule;
  /** For a heap of one thread, where memory cannot be shared. */
  readonly solo: DefaultModule;
  /** What the modules import besides memory; the modules of an entry without samples import nothing. */
  readonly hooks?: HooksOver;
}

/** The module of `source`, or the default. Throws ModuleLoadError when it is not the shared host flavour. */
export function loadSharedModule(source: WasmSource | undefined, otherwise: DefaultModule): WebAssembly.Module {
  return checked(loadModule(source, otherwise));
}

/** The same without blocking. */
export async function loadSharedModuleAsync(
  source: AsyncWasmSource | undefined,
  otherwise: DefaultModule,
): Promise<WebAssembly.Module> {
  return checked(await loadModuleAsync(source, otherwise));
}

function checked(module: WebAssembly.Module): WebAssembly.Module {
  checkSharedModule(module);
  return module;
}
