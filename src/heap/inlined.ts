/**
 * The host flavour as base64 inside the package, for the entry gomalloc and for heaps of one thread of gomalloc/shared.
 */
import { HOST_WASM_BASE64 } from "../generated/wasm-host.js";
import { inlinedModule } from "./module.js";

export const INLINED_HOST = /* @__PURE__ */ inlinedModule(HOST_WASM_BASE64);
