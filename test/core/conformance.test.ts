/** Every flavour passes the one suite of the malloc family; the shared ones on one thread here. */

import { type Flavour, isShared, open } from "../support/wasm.ts";
import { conformance } from "./support/conformance.ts";

const FLAVOURS: Flavour[] = ["malloc", "host", "test", "shared", "host-shared", "test-shared"];

for (const flavour of FLAVOURS) conformance(flavour, (options) => open(flavour, options), isShared(flavour));
