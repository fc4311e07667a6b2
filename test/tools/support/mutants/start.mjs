/**
 * Starts worker.ts with tsx, which is switched off again once the worker's own modules are there: tsx would read
 * binaryen's 15 MB, which the worker imports later, as a source to transform. That takes 8 s of CPU and 500 MB instead
 * of 0.4 s and 100 MB.
 */
import { register } from "tsx/esm/api";

const unregister = register();
await import("./worker.ts");
await unregister();
process.send("ready");
