/** Every flavour passes the one suite of the malloc family. */
import { conformance } from "./support/conformance.ts";
import { type Flavour, open } from "./support/wasm.ts";

const FLAVOURS: Flavour[] = ["malloc", "host", "test"];

for (const flavour of FLAVOURS) conformance(flavour, (options) => open(flavour, options));
