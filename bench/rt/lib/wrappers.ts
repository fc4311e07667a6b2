/**
 * To be imported before anything else: from now on V8 compiles the wrapper through which JavaScript calls a wasm function
 * when the module is instantiated. By default it does so in the middle of the thousandth call, in every instance anew,
 * which would be most programs' longest pause. The setting does not reach what is there already, hence first.
 */

import v8 from "node:v8";

v8.setFlagsFromString("--no-wasm-generic-wrapper");
