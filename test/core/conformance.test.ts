/**
 * Every flavour passes the one suite of the malloc family; the shared ones on one thread here, those that sample with each
 * block sampled and guarded.
 */

import { FILES, type Flavour, isShared, open } from "../support/wasm.ts";
import { conformance } from "./support/conformance.ts";

for (const flavour of Object.keys(FILES) as Flavour[])
  conformance(flavour, (options) => open(flavour, options), isShared(flavour));
