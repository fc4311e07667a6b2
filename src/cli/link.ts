/**
 * gomalloc link: the allocator merged into a program that imports it.
 */
import { parseArgs } from "node:util";
import { link } from "../tools/link.js";
import { formatReport } from "../tools/report.js";
import { type Command, linkOptions, onlyFile, WRITE_HELP, WRITE_OPTIONS } from "./command.js";
import { rewriteFile } from "./files.js";

export const linkCommand: Command = {
  summary: "merge the allocator into a program that imports malloc and free",
  help: `gomalloc link: merge the allocator into a program that imports the malloc family

Usage: gomalloc link [options] <file> -o <file>

${WRITE_HELP}

The imports are those of module gomalloc, and the family (malloc, free, calloc, realloc, aligned_alloc, memalign,
posix_memalign, malloc_usable_size, free_sized, malloc_trim) also from module env.`,

  async run(args) {
    const { values, positionals } = parseArgs({ args, options: WRITE_OPTIONS, allowPositionals: true });
    const input = onlyFile(positionals);
    const options = linkOptions(values);
    await rewriteFile(input, values, (program, maps) => link(program, { ...options, ...maps }), formatReport);
  },
};
