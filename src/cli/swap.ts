/**
 * gomalloc swap: the allocator inside a compiled program replaced by gomalloc.
 */
import { formatSwapReport, type SwapOptions, swap } from "../tools/swap/swap.js";
import {
  COMMON_HELP,
  type Command,
  EXIT_HELP,
  linkOptions,
  onlyFile,
  parse,
  UsageError,
  WRITE_HELP,
  WRITE_OPTIONS,
} from "./command.js";
import { rewriteFile } from "./files.js";

export const swapCommand: Command = {
  summary: "replace the allocator inside a compiled program",
  help: `gomalloc swap: replace the allocator inside a compiled program

Usage: gomalloc swap [options] <file> -o <file>

${WRITE_HELP}
      --family ROLE=F    function F is malloc, free, ...: the name of an export
                         or a function, or a function's number; once for each
${COMMON_HELP}

The malloc family is found by export, by name (name section) or by what its code
does. Refused when it is not whole. - as a file is standard input.

Examples:
  gomalloc swap app.wasm -o app.swapped.wasm
  gomalloc swap app.wasm -o out.wasm --family malloc=P --family free=Q
                         minified exports
  gomalloc swap app.wasm -o out.wasm --family malloc=12 --family free=14
                         functions by their numbers
  gomalloc swap app.wasm -o out.wasm --json | jq .members

${EXIT_HELP}`,

  async run(args) {
    const given = { ...WRITE_OPTIONS, family: { type: "string", multiple: true } } as const;
    const { values, positionals } = parse("swap", args, given);
    const input = onlyFile(positionals);
    const options = { ...linkOptions(values), family: members(values.family ?? []) };
    await rewriteFile(input, values, (program, given) => swap(program, { ...options, ...given }), formatSwapReport);
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
