/**
 * gomalloc swap: the allocator inside a compiled program replaced by gomalloc.
 */
import { parseArgs } from "node:util";
import { formatSwapReport, type SwapOptions, swap } from "../tools/swap/swap.js";
import { type Command, linkOptions, onlyFile, UsageError, WRITE_HELP, WRITE_OPTIONS } from "./command.js";
import { rewriteFile } from "./files.js";

export const swapCommand: Command = {
  summary: "replace the allocator inside a compiled program",
  help: `gomalloc swap: replace the allocator inside a compiled program

Usage: gomalloc swap [options] <file> -o <file>

${WRITE_HELP}
      --family ROLE=F    function F, an export's or function's name or a function's number, is malloc, free, ...

The malloc family is found by export, by name (name section) or by what its code does. Refused when it is not whole.`,

  async run(args) {
    const given = { ...WRITE_OPTIONS, family: { type: "string", multiple: true } } as const;
    const { values, positionals } = parseArgs({ args, options: given, allowPositionals: true });
    const input = onlyFile(positionals);
    const options = { ...linkOptions(values), family: members(values.family ?? []) };
    await rewriteFile(input, values, (program, maps) => swap(program, { ...options, ...maps }), formatSwapReport);
  },
};

/** "malloc=12", "free=my_free": a function's number where it is one, else a name. Throws UsageError. */
function members(given: readonly string[]): SwapOptions["family"] {
  const entries = given.map((text) => {
    const [, role, name] = /^([^=]+)=(.+)$/.exec(text) ?? [];
    if (role === undefined || name === undefined) {
      throw new UsageError(`--family ${text} names no role and function`, "Give it as malloc=NAME, free=NUMBER.");
    }
    return [role, /^[0-9]+$/.test(name) ? Number(name) : name] as const;
  });
  return Object.fromEntries(entries);
}
