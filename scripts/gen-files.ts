/** What the generators share: writing their files, and saying which of them are not what the generator gives. */
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

/** A generated file: its path below the package root, and its text. */
export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
}

const root = new URL("../", import.meta.url);

/** Paths of the files whose text on disk is another, or that are missing. */
export function driftOf(files: readonly GeneratedFile[]): string[] {
  const onDisk = (path: string): string | undefined => {
    try {
      return readFileSync(new URL(path, root), "utf8");
    } catch {
      return undefined;
    }
  };
  return files.filter(({ path, text }) => onDisk(path) !== text).map(({ path }) => path);
}

/** Runs a generator if its script is what Node was started with: writes the files, or with --check names those that differ. */
export function runGenerator(script: string, generate: () => readonly GeneratedFile[]): void {
  if (process.argv[1] !== fileURLToPath(script)) return;
  if (!process.argv.includes("--check")) {
    for (const { path, text } of generate()) writeFileSync(new URL(path, root), text);
    return;
  }
  const name = basename(fileURLToPath(script));
  const stale = driftOf(generate());
  for (const path of stale) console.error(`${path} differs from scripts/${name}: npx tsx scripts/${name} writes it`);
  if (stale.length > 0) process.exitCode = 1;
}
