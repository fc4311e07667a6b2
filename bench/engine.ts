/**
 * Fetches the newest Node that npm has, for `npm start -- --engine newest`: 200 MB, once for each version, into
 * build/sources. Exit code 1 if it could not be had, with the reason.
 */

import { execFileSync } from "node:child_process";
import { fetchNode } from "./lib/build/nodes.ts";

const program = await fetchNode("latest");
const versions = 'process.versions.node + ", V8 " + process.versions.v8';
console.log(`node ${execFileSync(program, ["-p", versions]).toString().trim()}`);
