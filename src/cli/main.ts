#!/usr/bin/env node
/**
 * The command gomalloc: link, swap, inspect, map, profile and serve on files. docs/cli.md says what it prints and where. Exit codes: 0 done, 1
 * the file or a tool is at fault, 2 the command line is. A signal ends it as signals do, with nothing left behind.
 */
import { readFile } from "node:fs/promises";
import { internalError, ToolError } from "../wasm/errors.js";
import { closest } from "./closest.js";
import { type Asked, asked, COMMON_HELP, type Command, EXIT_HELP, UsageError } from "./command.js";
import { outputError } from "./files.js";
import { inspectCommand } from "./inspect.js";
import { linkCommand } from "./link.js";
import { mapCommand } from "./map.js";
import { profileCommand } from "./profile.js";
import { serveCommand } from "./serve.js";
import { swapCommand } from "./swap.js";
import { jsonText, printable } from "./text.js";

const COMMANDS: Readonly<Record<string, Command>> = {
  link: linkCommand,
  swap: swapCommand,
  inspect: inspectCommand,
  map: mapCommand,
  profile: profileCommand,
  serve: serveCommand,
};
const LIST = "gomalloc --help lists them.";

const HELP = `gomalloc: Go's memory allocator in WebAssembly programs

Usage: gomalloc <command> [options] <file>

Commands:
${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`)
  .join("\n")}
  help      print a command's options, with examples: gomalloc help link
  version   print the version of gomalloc

Options of all commands:
      --json             print the report, or the error, as JSON
  -q, --quiet            print no report
${COMMON_HELP}

A file is a path, or - for standard input or output.

${EXIT_HELP}`;

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 0) {
    console.error(HELP);
    return 2;
  }
  const words = asked(argv);
  try {
    await carryOut(argv, words);
    return 0;
  } catch (error) {
    return fail(error, words);
  }
}

/** Throws UsageError, ToolError, and what a fault of the tools throws. */
async function carryOut(argv: readonly string[], words: Asked): Promise<void> {
  const [first = "", ...rest] = argv;
  if (words.version || first === "version") {
    const found = await version();
    console.log(words.json ? jsonText({ version: found }) : found);
  } else if (words.help || first === "help") {
    const about = argv.find((word) => word !== "help" && !word.startsWith("-"));
    console.log(about === undefined ? HELP : commandOf([about]).help);
  } else {
    await commandOf(argv).run(rest);
  }
}

/** The command that the first word names. Throws UsageError. */
function commandOf(argv: readonly string[]): Command {
  const [first = ""] = argv;
  const isCommand = (word: string) => Object.hasOwn(COMMANDS, word);
  if (isCommand(first)) return COMMANDS[first]!;
  const later = argv.find(isCommand);
  const isFile = first === "-" || /\.wasm$|[\\/]/.test(first);
  if (later !== undefined && (isFile || first.startsWith("-"))) {
    throw new UsageError(`${first} stands before the command`, `Put the command first: gomalloc ${later} ${first} ...`);
  }
  if (isFile) {
    const names = Object.keys(COMMANDS).join(", ");
    throw new UsageError(`no command stands before ${first}`, `Say what to do with the file: ${names}. ${LIST}`);
  }
  if (first.startsWith("-")) throw new UsageError(`no command is given, only ${first}`, LIST);
  const meant = closest(first.toLowerCase(), [...Object.keys(COMMANDS), "help", "version"]);
  throw new UsageError(`there is no command ${first}`, meant === undefined ? LIST : `Was ${meant} meant? ${LIST}`);
}

/** Prints the error, as JSON to where the report would have gone, and returns the exit code. */
function fail(error: unknown, { json, quiet, moduleToStdout }: Asked): number {
  const known = error instanceof UsageError || error instanceof ToolError;
  const { code, message, fix } = known ? error : internalError("the command", error);
  if (json) (moduleToStdout ? console.error : console.log)(jsonText({ error: { code, message, fix } }));
  if (!json || !(quiet || moduleToStdout)) {
    console.error(printable(`gomalloc: ${message}\n  ${fix}`));
    if (code === "internal") console.error(printable(stackOf(error)));
  }
  return code === "usage" || code === "option" ? 2 : 1;
}

/** Where in the code an error comes from, for a report of a fault. */
function stackOf(error: unknown): string {
  const cause = error instanceof ToolError ? error.cause : error;
  return cause instanceof Error ? String(cause.stack) : "";
}

async function version(): Promise<string> {
  const text = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

process.stdout.on("error", (cause: NodeJS.ErrnoException) => {
  // A reader that has seen enough, `head` for instance, is no fault; who writes a module learns of it from the write.
  if (cause.code === "EPIPE" || asked(process.argv).moduleToStdout) return;
  const { message, fix } = outputError(cause);
  console.error(`gomalloc: ${message}\n  ${fix}`);
  process.exitCode = 1;
});
// Nobody is left who could be told.
process.stderr.on("error", () => {});

const code = await main(process.argv.slice(2));
if (code !== 0) process.exitCode = code;
