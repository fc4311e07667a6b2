#!/usr/bin/env node
/**
 * The command gomalloc: link, swap and inspect on files. Exit codes: 0 done, 1 the file or a tool is at fault, 2 the
 * command line is. A signal ends it as signals do, with nothing left behind.
 */
import { readFile } from "node:fs/promises";
import { ToolError } from "../wasm/errors.js";
import { closest } from "./closest.js";
import { type Command, UsageError } from "./command.js";
import { printable } from "./files.js";
import { inspectCommand } from "./inspect.js";
import { linkCommand } from "./link.js";
import { swapCommand } from "./swap.js";

const COMMANDS: Readonly<Record<string, Command>> = { link: linkCommand, swap: swapCommand, inspect: inspectCommand };

const HELP = `gomalloc: Go's memory allocator in WebAssembly programs

Usage: gomalloc <command> [options] <file>

Commands:
${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`)
  .join("\n")}

  gomalloc help <command>      the command's options, with examples
  gomalloc --version           the version

A file is a path, or - for standard input or output.

Exit codes: 0 done, 1 the file or a tool is at fault, 2 the command line is.`;

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  const asksHelp = name === "--help" || name === "-h" || name === "help";
  if (name === undefined || (asksHelp && rest[0] === undefined)) {
    console.log(HELP);
    return name === undefined ? 2 : 0;
  }
  if (name === "--version" || name === "-v") {
    console.log(await version());
    return 0;
  }
  const json = rest.includes("--json");
  try {
    const command = commandOf(asksHelp ? rest[0]! : name);
    if (asksHelp || rest.includes("--help") || rest.includes("-h")) console.log(command.help);
    else await command.run(rest);
    return 0;
  } catch (error) {
    return fail(error, json);
  }
}

/** Throws UsageError. */
function commandOf(name: string): Command {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command !== undefined) return command;
  const meant = closest(name, Object.keys(COMMANDS));
  const list = "gomalloc --help lists them.";
  throw new UsageError(`there is no command ${name}`, meant === undefined ? list : `Was ${meant} meant? ${list}`);
}

function fail(error: unknown, json: boolean): number {
  if (error instanceof UsageError) {
    print("usage", error.message, error.fix, json);
    return 2;
  }
  if (!(error instanceof ToolError)) throw error;
  print(error.code, error.message, error.fix, json);
  return 1;
}

function print(code: string, message: string, fix: string, json: boolean): void {
  if (json) console.log(JSON.stringify({ error: { code, message, fix } }, null, 2));
  console.error(printable(`gomalloc: ${message}\n  ${fix}`));
}

async function version(): Promise<string> {
  const text = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

// A reader that has seen enough, `head` for instance, is no fault.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});
process.exitCode = await main(process.argv.slice(2));
