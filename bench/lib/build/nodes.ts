/**
 * The newest Node, as npm has it: the package `node` says which version that is, and the package of that version for the
 * machine has the program. 200 MB, fetched on request into build/sources.
 */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { fetchedVersions, fetchSource } from "./sources.ts";

const run = promisify(execFile);

/** The package with the program for this machine. */
const PACKAGE = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;

const programOf = (folder: string) => join(folder, "bin", process.platform === "win32" ? "node.exe" : "node");

const source = (version: string) => ({ kind: "npm", name: PACKAGE, version }) as const;

/** The program of the newest Node, fetched unless it is there. Throws Unavailable with the reason. */
export async function fetchNewestNode(): Promise<string> {
  const { stdout } = await run("npm", ["view", "node", "version"]);
  return programOf(await fetchSource(source(stdout.trim())));
}

/** The program of the newest Node that has been fetched; undefined if none has been. */
export async function fetchedNewestNode(): Promise<string | undefined> {
  const version = (await fetchedVersions(PACKAGE)).at(-1);
  return version === undefined ? undefined : programOf(await fetchSource(source(version)));
}
