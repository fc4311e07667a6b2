/**
 * Files of the command line.
 *
 * A regular file is written beside its place under another name and then renamed: it is there whole or not at all,
 * under its old rights, and what a symbolic link names is what is replaced. Devices and pipes are written to. "-" is
 * standard input or output. What a module says of other files is not trusted: of those only a source map is read, and
 * only a regular file in the module's own folder.
 */
import { randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import {
  access,
  chmod,
  chown,
  lstat,
  open,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { sourceMapOf } from "../profile/linemap.js";
import { removeAtEnd } from "../tools/leftovers.js";
import { ToolError } from "../wasm/errors.js";
import { inspect } from "../wasm/parse.js";
import { UsageError, type WriteValues } from "./command.js";
import { Progress } from "./progress.js";
import { jsonText, printable } from "./text.js";

/** Standard input, as a file to read; standard output, as one to write. */
const STANDARD = "-";
/** Symbolic links that are followed one after the other. */
const MAX_LINKS = 40;
/** The remedy for pipes, and for standard output. */
const READ_WHOLE = "Check where it goes: a command that reads it must read to the end, and a file needs room.";
/** Characters of an address from a module that a message shows. */
const SHOWN = 100;

/** What messages call a file. */
export function nameOf(path: string): string {
  return path === STANDARD ? "standard input" : path;
}

/** Throws ToolError "file". */
export async function readInput(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    if (path !== STANDARD) return new Uint8Array(await readFile(path));
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return new Uint8Array(Buffer.concat(chunks));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const [what, fix] =
      code === "EISDIR"
        ? ["it is a directory", "Name the .wasm file in it."]
        : code === "ENOENT"
          ? ["there is no such file", "Check the path: it counts from the current directory."]
          : [reason(cause), "Check the path and the file's rights."];
    throw new ToolError("file", `cannot read ${nameOf(path)}: ${what}`, fix, { cause });
  }
}

/** Runs what works on the module in the file `path`: a ToolError's message then begins with the file's name. */
export async function inFile<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ToolError) || ABOUT_OTHERS.has(error.code)) throw error;
    throw new ToolError(error.code, `${nameOf(path)}: ${error.message}`, error.fix, { cause: error });
  }
}

/** Codes of errors that do not come from the module. */
const ABOUT_OTHERS = new Set(["file", "option", "binaryen-missing", "allocator-missing", "source-map"]);

/** What link and swap give, as far as the command line needs it. */
interface Outcome<Report> {
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly sourceMap?: string;
  readonly report: Report;
}

/** What of the files goes to link and swap, and what they tell meanwhile. */
export interface Given {
  readonly sourceMap: string | Uint8Array | undefined;
  readonly sourceMapUrl: string | undefined;
  readonly onProgress: (step: string) => void;
}

/** Reads the input, has it rewritten, writes the result and prints the report as the command line asks. */
export async function rewriteFile<Report extends { readonly warnings: readonly string[] }>(
  input: string,
  values: WriteValues,
  rewrite: (program: Uint8Array<ArrayBuffer>, given: Given) => Promise<Outcome<Report>>,
  format: (report: Report) => string,
): Promise<void> {
  const place = await outputPlace(input, values);
  const jsonAlone = values.json && place.kind === "stdout";
  if (jsonAlone && values.progress) {
    throw new UsageError(
      "--progress, --json and -o - exclude each other: steps and JSON would both go to standard error",
      "Write the module to a file: -o FILE.",
    );
  }
  const program = await readInput(input);
  const warnings: string[] = [];
  const sourceMap = await inFile(input, () => readSourceMap(input, program, values, warnings));
  const progress = new Progress({ progress: values.progress, quiet: values.quiet || jsonAlone });
  try {
    // DWARF is carried over by nothing: where the result can have a map, one is made of it.
    const lines = () => (place.kind === "file" && !values["no-source-map"] ? sourceMapOf(program) : undefined);
    const given = {
      sourceMap: sourceMap ?? lines(),
      sourceMapUrl: place.kind === "file" ? encodeURIComponent(`${basename(place.name)}.map`) : undefined,
      onProgress: (step: string) => progress.step(step),
    };
    const { wasm, sourceMap: map, report } = await inFile(input, () => rewrite(program, given));
    if (map !== undefined && place.kind !== "file") {
      warnings.push("the source map was not written: the output is no file that it could lie beside");
    }
    progress.step("writing");
    await write(place, wasm, map);
    progress.end();
    print({ ...report, warnings: [...warnings, ...report.warnings] }, place, values, format);
  } finally {
    progress.end();
  }
}

/** The report goes to standard output, unless the module does; warnings without a report go to standard error. */
function print<Report extends { readonly warnings: readonly string[] }>(
  report: Report,
  { kind }: Place,
  values: WriteValues,
  format: (report: Report) => string,
): void {
  const say = kind === "stdout" ? console.error : console.log;
  if (values.json) say(jsonText(report));
  else if (!values.quiet) say(printable(format(report)));
  else for (const warning of report.warnings) console.error(printable(`gomalloc: warning: ${warning}`));
}

/** Writes text to the file `name`, whole or not at all; - is standard output. Throws UsageError, ToolError "file". */
export async function writeOutput(name: string, text: string): Promise<void> {
  await write(await outputPlace("", { output: name, "in-place": false }), new TextEncoder().encode(text), undefined);
}

/** Where the result goes. */
interface Place {
  readonly kind: "file" | "stream" | "stdout";
  /** As the command line has it. */
  readonly name: string;
  /** With symbolic links followed. */
  readonly path: string;
  /** What is there already. */
  readonly before: Stats | undefined;
}

/** Throws UsageError, and ToolError "file" for a place that cannot be written to. */
async function outputPlace(input: string, values: Pick<WriteValues, "output" | "in-place">): Promise<Place> {
  const { output, "in-place": inPlace } = values;
  if (inPlace && output !== undefined)
    throw new UsageError("-o and --in-place exclude each other", "Give one of them.");
  if (inPlace && input === STANDARD) {
    throw new UsageError("--in-place needs a file, and the input is -", "Name a file, or write to one: -o FILE.");
  }
  const name = inPlace ? input : output;
  if (name === undefined) throw new UsageError("no output is given", "Add -o FILE, -o - or --in-place.");
  if (name === STANDARD) {
    if (!process.stdout.isTTY) return { kind: "stdout", name, path: name, before: undefined };
    throw new UsageError("the output would go to the terminal", "Redirect it: -o - > app.wasm, or give -o FILE.");
  }
  const before = await stat(name).catch(() => undefined);
  if (before === undefined || before.isFile()) {
    const path = await followLinks(name);
    await checkFolder(name, path);
    return { kind: "file", name, path, before };
  }
  if (before.isCharacterDevice() || before.isFIFO()) return { kind: "stream", name, path: name, before };
  const what = before.isDirectory() ? "a directory" : before.isBlockDevice() ? "a disk" : "a socket";
  throw new ToolError("file", `cannot write ${name}: it is ${what}`, "Give the path of a file.");
}

/** Throws ToolError "file" if no file can be made there: it says so before the work and not after it. */
async function checkFolder(name: string, path: string): Promise<void> {
  const folder = /[\\/]$/.test(path) ? path : dirname(path);
  try {
    await access(`${folder}/.`, constants.W_OK); // what is no folder has nothing in it
  } catch (cause) {
    throw writeError(name, cause);
  }
}

function writeError(
  name: string,
  cause: unknown,
  fix = "Check that the folder is there, its rights and its room.",
): ToolError {
  return new ToolError("file", `cannot write ${name}: ${reason(cause)}`, fix, { cause });
}

/** The path behind symbolic links, of a file that may not be there yet. Throws ToolError "file". */
async function followLinks(name: string): Promise<string> {
  let path = name;
  for (let links = 0; links < MAX_LINKS; links++) {
    const known = await realpath(path).catch(() => undefined);
    if (known !== undefined) return known;
    const target = await readlink(path).catch(() => undefined);
    if (target === undefined) return path;
    path = resolve(dirname(path), target);
  }
  throw new ToolError("file", `cannot write ${name}: its symbolic links go in a circle`, "Give the path of a file.");
}

/**
 * The input's source map: the file given, or the one beside the input that its sourceMappingURL names, or none. An
 * address that names no regular file in the input's folder is not followed: a warning says so.
 */
async function readSourceMap(
  input: string,
  bytes: Uint8Array,
  values: WriteValues,
  warnings: string[],
): Promise<Uint8Array | undefined> {
  const given = values["source-map"];
  if (values["no-source-map"]) {
    if (given !== undefined) throw new UsageError("--source-map and --no-source-map exclude each other", "Give one.");
    return undefined;
  }
  if (given !== undefined) return readInput(given);
  return mapBeside(input, bytes, warnings);
}

/** The source map beside `input`, whose bytes name it, or none: a warning says why one that is named is left out. */
export async function mapBeside(input: string, bytes: Uint8Array, warnings: string[]): Promise<Uint8Array | undefined> {
  const url = inspect(bytes).sourceMappingURL;
  if (url === undefined) return undefined;
  const found = input === STANDARD ? "the module comes from standard input" : await readBeside(input, url);
  if (typeof found !== "string") return found;
  const shown = url.length > SHOWN ? `${url.slice(0, SHOWN)}...` : url;
  warnings.push(
    `the source map ${shown} was left out: ${found}. Give it with --source-map FILE, or say --no-source-map`,
  );
  return undefined;
}

/** The contents of the file that `url` names, or why it is not read. */
async function readBeside(input: string, url: string): Promise<Uint8Array | string> {
  if (/^[a-z][a-z0-9+.-]*:/i.test(url)) return "its address is no relative path";
  let path: string;
  try {
    path = decodeURIComponent(url.replace(/[?#].*$/s, ""));
  } catch {
    return "its address cannot be decoded";
  }
  if (path === "" || path.includes("\0")) return "its address names no file";
  const folder = await realpath(dirname(input)).catch(() => undefined);
  const place = folder && (await realpath(resolve(folder, path)).catch(() => undefined));
  if (isAbsolute(path) || /^[\\/]/.test(path)) return "its address is no relative path";
  if (folder === undefined || place === undefined) return "there is no such file";
  const way = relative(folder, place);
  if (way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way)) return "it is outside the module's folder";
  // A pipe without a writer would hold up an open that waits.
  const file = await open(place, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(() => undefined);
  if (file === undefined) return "it cannot be read";
  try {
    if (!(await file.stat()).isFile()) return "it is no regular file";
    return new Uint8Array(await file.readFile());
  } catch {
    return "it cannot be read";
  } finally {
    await file.close();
  }
}

/** Writes the module, and its source map as FILE.map, both or none. Throws ToolError "file". */
async function write(place: Place, wasm: Uint8Array, sourceMap: string | undefined): Promise<void> {
  try {
    if (place.kind === "stdout") await writeStandardOutput(wasm);
    else if (place.kind === "stream") await writeFile(place.path, wasm);
    else await writeWhole(place, wasm, sourceMap);
  } catch (cause) {
    if (cause instanceof ToolError) throw cause;
    if (place.kind === "stdout") throw outputError(cause);
    throw writeError(place.name, cause, place.kind === "stream" ? READ_WHOLE : undefined);
  }
}

/** The error for standard output that took not all of what was written to it. */
export function outputError(cause: unknown): ToolError {
  return new ToolError("file", `cannot write to standard output: ${reason(cause)}`, READ_WHOLE, { cause });
}

function writeStandardOutput(bytes: Uint8Array): Promise<void> {
  return new Promise((done, failed) => {
    process.stdout.write(bytes, (error) => (error ? failed(error) : done()));
  });
}

async function writeWhole(place: Place, wasm: Uint8Array, sourceMap: string | undefined): Promise<void> {
  const staged: Staged[] = [];
  try {
    if (sourceMap !== undefined) {
      const path = await followLinks(`${place.path}.map`);
      const before = await lstat(path).catch(() => undefined);
      if (before !== undefined && !before.isFile()) {
        throw new ToolError(
          "file",
          `cannot write ${path}: it is no regular file`,
          "Remove it, or give another output.",
        );
      }
      staged.push(await stage(path, sourceMap, before));
    }
    staged.push(await stage(place.path, wasm, place.before));
    for (const one of staged) await rename(one.temporary, one.path);
  } finally {
    for (const { temporary, stays } of staged) {
      await rm(temporary, { force: true });
      stays();
    }
  }
}

interface Staged {
  readonly path: string;
  readonly temporary: string;
  readonly stays: () => void;
}

/** The contents in a new file beside `path`, with the rights and the owner of the one that it is to replace. */
async function stage(path: string, contents: Uint8Array | string, before: Stats | undefined): Promise<Staged> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  const stays = removeAtEnd(temporary);
  try {
    await writeFile(temporary, contents, { flag: "wx" });
    if (before !== undefined) {
      // Only the superuser may give a file away; for others it is their own now.
      await chown(temporary, before.uid, before.gid).catch(() => {});
      await chmod(temporary, before.mode & 0o7777);
    }
    return { path, temporary, stays };
  } catch (cause) {
    await rm(temporary, { force: true });
    stays();
    throw cause;
  }
}

function reason(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return (code !== undefined && REASONS[code]) || message;
}

/** What the codes of the operating system mean that are met most. */
const REASONS: Readonly<Partial<Record<string, string>>> = {
  EACCES: "no right to",
  EPERM: "no right to",
  EROFS: "the disk is read-only",
  ENOSPC: "no room is left on the disk",
  ENOENT: "there is no such folder",
  ENOTDIR: "a part of the path is no folder",
  ELOOP: "its symbolic links go in a circle",
  ENAMETOOLONG: "the name is too long",
  EISDIR: "it is a directory",
  EPIPE: "the command that reads it has ended",
};
