/**
 * Files of the command line. A file is written beside its place under another name and then renamed: it is there whole
 * or not at all, and the input stays what it was unless the user asked for --in-place.
 */
import { randomBytes } from "node:crypto";
import { chmod, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ToolError } from "../tools/errors.js";
import { inspect } from "../tools/module.js";
import { UsageError, type WriteValues } from "./command.js";

/** Throws ToolError "file". */
export async function readInput(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    throw new ToolError("file", `cannot read ${path}: ${reason(cause)}`, "Check the path.", { cause });
  }
}

/** What link and swap give, as far as the command line needs it. */
interface Outcome<Report> {
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly sourceMap?: string;
  readonly report: Report;
}

/** What of the files goes to link and swap. */
interface Maps {
  readonly sourceMap: Uint8Array | undefined;
  readonly sourceMapUrl: string | undefined;
}

/** Reads the input, has it rewritten, writes the result and prints the report as the command line asks. */
export async function rewriteFile<Report extends { readonly warnings: readonly string[] }>(
  input: string,
  values: WriteValues,
  rewrite: (program: Uint8Array<ArrayBuffer>, maps: Maps) => Promise<Outcome<Report>>,
  format: (report: Report) => string,
): Promise<void> {
  const output = await outputPath(input, values);
  const program = await readInput(input);
  const sourceMap = await readSourceMap(input, program, values);
  const { wasm, sourceMap: map, report } = await rewrite(program, { sourceMap, sourceMapUrl: sourceMapUrl(output) });
  await writeOutput(output, wasm, map);
  if (values.json) console.log(JSON.stringify(report, null, 2));
  else if (!values.quiet) console.log(format(report));
  else for (const warning of report.warnings) console.log(`warning: ${warning}`);
}

/** Where the result goes. Throws UsageError, for an output that is the input too. */
async function outputPath(input: string, values: WriteValues): Promise<string> {
  const { output, "in-place": inPlace } = values;
  if (inPlace && output !== undefined)
    throw new UsageError("-o and --in-place exclude each other", "Give one of them.");
  if (inPlace) return input;
  if (output === undefined) throw new UsageError("no output is given", "Add -o FILE, or --in-place.");
  if (await sameFile(input, output)) {
    throw new UsageError("the output is the input", "Give another file, or --in-place to replace the input.");
  }
  return output;
}

async function sameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([a, b].map((path) => stat(path).catch(() => undefined)));
  return first !== undefined && second !== undefined && first.dev === second.dev && first.ino === second.ino;
}

/** The input's source map: the file given, or the one beside the input that its sourceMappingURL names, or none. */
async function readSourceMap(input: string, bytes: Uint8Array, values: WriteValues): Promise<Uint8Array | undefined> {
  const given = values["source-map"];
  if (values["no-source-map"]) {
    if (given !== undefined) throw new UsageError("--source-map and --no-source-map exclude each other", "Give one.");
    return undefined;
  }
  if (given !== undefined) return readInput(given);
  const url = inspect(bytes).sourceMappingURL;
  if (url === undefined) return undefined;
  const place = URL.canParse(url, pathToFileURL(input)) ? new URL(url, pathToFileURL(input)) : undefined;
  if (place?.protocol !== "file:") return undefined;
  return readFile(fileURLToPath(place)).then(
    (map) => new Uint8Array(map),
    () => undefined,
  );
}

/** Writes the module, and its source map as FILE.map before it. Throws ToolError "file". */
async function writeOutput(path: string, wasm: Uint8Array, sourceMap: string | undefined): Promise<void> {
  if (sourceMap !== undefined) await writeWhole(`${path}.map`, sourceMap);
  await writeWhole(path, wasm);
}

/** What the section sourceMappingURL of the module written to `path` is to say. */
function sourceMapUrl(path: string): string {
  return encodeURIComponent(`${basename(path)}.map`);
}

/** A file that was there before keeps its rights; a symbolic link stays one. */
async function writeWhole(path: string, contents: Uint8Array | string): Promise<void> {
  const place = await realpath(path).catch(() => path);
  const before = await stat(place).catch(() => undefined);
  const temporary = join(dirname(place), `.${basename(place)}.${randomBytes(6).toString("hex")}.tmp`);
  try {
    await writeFile(temporary, contents, { flag: "wx" });
    if (before !== undefined) await chmod(temporary, before.mode & 0o7777);
    await rename(temporary, place);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new ToolError(
      "file",
      `cannot write ${path}: ${reason(cause)}`,
      "Check the folder, its rights and its room.",
      {
        cause,
      },
    );
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
