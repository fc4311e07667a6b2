#!/usr/bin/env node
/**
 * The command gomalloc: link, swap and inspect on files. Exit codes: 0 done, 1 the file or a tool is at fault, 2 the
 * command line is.
 */
import { readFile } from "node:fs/promises";
import { ToolError } from "../tools/errors.js";
import { type Command, UsageError } from "./command.js";
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

  gomalloc <command> --help    the command's options
  gomalloc --version           the version

Exit codes: 0 done, 1 the file or a tool is at fault, 2 the command line is.`;

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    console.log(HELP);
    return name === undefined ? 2 : 0;
  }
  if (name === "--version" || name === "-v") {
    console.log(await version());
    return 0;
  }
  const json = rest.includes("--json");
  try {
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (command === undefined) throw new UsageError(`there is no command ${name}`, "gomalloc --help lists them.");
    if (rest.includes("--help") || rest.includes("-h")) console.log(command.help);
    else await command.run(rest);
    return 0;
  } catch (error) {
    return fail(error, name, json);
  }
}

function fail(error: unknown, command: string, json: boolean): number {
  const usage = asUsageError(error, command);
  if (usage !== undefined) {
    print("usage", usage.message, usage.fix, json);
    return 2;
  }
  if (!(error instanceof ToolError)) throw error;
  print(error.code, error.message, error.fix, json);
  return 1;
}

function print(code: string, message: string, fix: string, json: boolean): void {
  if (json) console.log(JSON.stringify({ error: { code, message, fix } }, null, 2));
  console.error(`gomalloc: ${message}\n  ${fix}`);
}

/** parseArgs throws TypeErrors with a code of its own. */
function asUsageError(error: unknown, command: string): UsageError | undefined {
  if (error instanceof UsageError) return error;
  const code = (error as { code?: unknown }).code;
  if (!(error instanceof TypeError) || typeof code !== "string" || !code.startsWith("ERR_PARSE_ARGS")) return undefined;
  return new UsageError(error.message.split(". ")[0]!, `gomalloc ${command} --help lists the options.`);
}

async function version(): Promise<string> {
  const text = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

process.exitCode = await main(process.argv.slice(2));
