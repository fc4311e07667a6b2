/**
 * gomalloc inspect: what a module is made of, as far as link and swap look at it.
 */

import { typeText } from "../base/family.js";
import { many } from "../base/plural.js";
import { type ExportInfo, type ImportInfo, inspect, type MemoryInfo, type ModuleInfo } from "../wasm/parse.js";
import { COMMON_HELP, type Command, EXIT_HELP, JSON_HELP, onlyFile, parse, REPORT_OPTIONS } from "./command.js";
import { inFile, readInput } from "./files.js";
import { jsonText, printable } from "./text.js";

export const inspectCommand: Command = {
  summary: "print a module's imports, exports, memory and sections",
  help: `gomalloc inspect: print a module's imports, exports, memory and sections

Usage: gomalloc inspect [options] <file>

${JSON_HELP}
  -q, --quiet            print nothing: the exit code tells whether the file is
                         a module. With --json: the JSON alone
${COMMON_HELP}

- as a file is standard input.

Examples:
  gomalloc inspect app.wasm
  gomalloc inspect app.wasm --json | jq .exports
  gomalloc inspect -q app.wasm && echo a module

${EXIT_HELP}`,

  async run(args) {
    const { values, positionals } = parse("inspect", args, REPORT_OPTIONS);
    const file = onlyFile(positionals);
    const bytes = await readInput(file);
    const info = await inFile(file, () => inspect(bytes));
    if (values.json) console.log(jsonText(plain(info)));
    else if (!values.quiet) console.log(printable(format(info)));
  },
};

/**
 * What --json prints, field by field as docs/cli.md lists it: a field that ModuleInfo gets for the tools' own use does not
 * become a promise by itself.
 */
function plain(info: ModuleInfo): unknown {
  return {
    size: info.size,
    types: info.types.length,
    functions: info.functions.length,
    importedFunctions: info.importedFunctions,
    code: codeSize(info),
    imports: info.imports.map(({ module, name, kind, index, type }) => ({ module, name, kind, index, type })),
    exports: info.exports,
    memories: info.memories.map(({ initial, maximum, shared, is64, pageSize, imported }) => {
      return { initial, maximum, shared, is64, pageSize, imported };
    }),
    globals: info.globals,
    start: info.start,
    data: info.data,
    elements: info.elements,
    sections: info.sections.map(({ id, name, start, body, end }) => ({ id, name, start, body, end })),
    functionNames: Object.fromEntries(info.functionNames),
    globalNames: Object.fromEntries(info.globalNames),
    named: info.named,
    dylink: info.dylink,
    object: info.object,
    gc: info.gc,
    extendedConst: info.extendedConst,
    damaged: info.damaged,
    targetFeatures: info.targetFeatures,
    sourceMappingURL: info.sourceMappingURL,
    producers: info.producers,
  };
}

function codeSize({ bodies }: ModuleInfo): number {
  return bodies.reduce((sum, { start, end }) => sum + end - start, 0);
}

function format(info: ModuleInfo): string {
  const code = codeSize(info);
  const data = info.data.reduce((sum, { size }) => sum + size, 0);
  const lines: [string, string[]][] = [
    [
      "size",
      [`${info.size} bytes: ${many(info.bodies.length, "function")} of ${code}, ${info.data.length} data of ${data}`],
    ],
    ["memory", info.memories.length > 0 ? info.memories.map(memoryText) : ["none"]],
    ["start", [info.start === undefined ? "none" : functionText(info, info.start)]],
    ["imports", info.imports.map((entry) => importText(entry))],
    ["exports", info.exports.map((entry) => exportText(info, entry))],
    ["sections", info.sections.flatMap(({ name, body, end }) => (name ? [`${name}, ${end - body} bytes`] : []))],
    ["names", [info.named ? many(info.functionNames.size, "function") : "none"]],
    ["features", [info.targetFeatures?.join(", ") ?? "not stated"]],
  ];
  return lines
    .flatMap(([label, values]) => values.map((value, i) => `${(i === 0 ? label : "").padEnd(10)}${value}`))
    .join("\n");
}

function memoryText({ initial, maximum, imported, shared, is64, pageSize }: MemoryInfo): string {
  const kind = [shared ? "shared" : "", is64 ? "64-bit" : "", pageSize === 65536 ? "" : `pages of ${pageSize} bytes`];
  const from = imported ? `imported as ${imported.module}.${imported.name}` : "defined";
  return [from, `${initial} to ${maximum ?? "any number of"} pages`, ...kind.filter(Boolean)].join(", ");
}

function importText({ module, name, kind, type }: ImportInfo): string {
  return `${module}.${name}: ${type ? typeText(type) : kind}`;
}

function exportText(info: ModuleInfo, { name, kind, index }: ExportInfo): string {
  if (kind === "function") return `${name}: ${functionText(info, index)}`;
  const value = kind === "global" ? info.globals[index]?.value : undefined;
  return `${name}: ${kind}${value === undefined ? "" : ` ${value}`}`;
}

function functionText(info: ModuleInfo, index: number): string {
  const type = info.functions[index];
  return `function ${index} ${type ? typeText(type) : ""}`.trimEnd();
}
