/**
 * Other Nodes than the one that runs this, as npm has them: the package `node` says which versions there are, and the
 * package of a version for the machine has the program. 200 MB each, fetched on request into build/sources.
 */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { byVersion, fetchedVersions, fetchSource } from "./sources.ts";

const run = promisify(execFile);

/** The package with the program for this machine. */
const PACKAGE = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;

const programOf = (folder: string) => join(folder, "bin", process.platform === "win32" ? "node.exe" : "node");

const source = (version: string) => ({ kind: "npm", name: PACKAGE, version }) as const;

/** The newest version of all, or of one major version. */
export type Wanted = "latest" | `${number}`;

/** The program of the newest Node `wanted`, fetched unless it is there. Throws Unavailable with the reason. */
export async function fetchNode(wanted: Wanted): Promise<string> {
  const { stdout } = await run("npm", ["view", `node@${wanted}`, "version", "--json"]);
  // One version, or all that there are of a major one.
  const versions = [JSON.parse(stdout) as string | string[]].flat();
  const version = versions.sort(byVersion).at(-1)!;
  return programOf(await fetchSource(source(version)));
}

/** The program of the newest Node `wanted` that has been fetched; undefined if none has been. */
export async function fetchedNode(wanted: Wanted): Promise<string | undefined> {
  const versions = await fetchedVersions(PACKAGE);
  const version = versions.filter((one) => wanted === "latest" || one.startsWith(`${wanted}.`)).at(-1);
  return version === undefined ? undefined : programOf(await fetchSource(source(version)));
}
