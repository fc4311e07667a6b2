/**
 * gomalloc link: the allocator merged into a program that imports it.
 */
import { link } from "../tools/link.js";
import { formatReport } from "../tools/report.js";
import {
  COMMON_HELP,
  type Command,
  EXIT_HELP,
  linkOptions,
  onlyFile,
  parse,
  WRITE_HELP,
  WRITE_OPTIONS,
} from "./command.js";
import { rewriteFile } from "./files.js";

export const linkCommand: Command = {
  summary: "merge the allocator into a program that imports malloc and free",
  help: `gomalloc link: merge the allocator into a program that imports the malloc family

Usage: gomalloc link [options] <file> -o <file>

${WRITE_HELP}
${COMMON_HELP}

The imports are those of module gomalloc, and the family (malloc, free, calloc,
realloc, aligned_alloc, memalign, posix_memalign, malloc_usable_size,
free_sized, malloc_trim) also from module env. - as a file is standard input.

Examples:
  gomalloc link app.wasm -o app.linked.wasm
  gomalloc link app.wasm --in-place -Os
                         the smallest result, in the place of the input
  gomalloc link app.wasm -o out.wasm --export-family
                         JavaScript is to call malloc and free too
  gomalloc link app.wasm -o out.wasm --json | jq .size.after
  cat app.wasm | gomalloc link - -o - > out.wasm

${EXIT_HELP}`,

  async run(args) {
    const { values, positionals } = parse("link", args, WRITE_OPTIONS);
    const input = onlyFile(positionals);
    const options = linkOptions(values);
    await rewriteFile(input, values, (program, given) => link(program, { ...options, ...given }), formatReport);
  },
};
