/**
 * gomalloc inspect: what a module is made of, as far as link and swap look at it.
 */
import { typeText } from "../base/family.js";
import { type ExportInfo, type ImportInfo, inspect, type MemoryInfo, type ModuleInfo } from "../wasm/parse.js";
import { type Command, onlyFile, parse } from "./command.js";
import { inFile, printable, readInput } from "./files.js";

export const inspectCommand: Command = {
  summary: "print a module's imports, exports, memory and sections",
  help: `gomalloc inspect: print a module's imports, exports, memory and sections

Usage: gomalloc inspect [options] <file>

      --json             print it as JSON, with function names and data segments

- as a file is standard input.

Examples:
  gomalloc inspect app.wasm
  gomalloc inspect app.wasm --json | jq .exports`,

  async run(args) {
    const options = { json: { type: "boolean", default: false } } as const;
    const { values, positionals } = parse("inspect", args, options);
    const file = onlyFile(positionals);
    const bytes = await readInput(file);
    const info = await inFile(file, () => inspect(bytes));
    console.log(values.json ? JSON.stringify(plain(info), null, 2) : printable(format(info)));
  },
};

/** The module's maps as objects, and without what is only offsets. */
function plain({ functionNames, globalNames, bodies, functions, types, ...info }: ModuleInfo): unknown {
  return {
    ...info,
    functions: functions.length,
    types: types.length,
    code: bodies.reduce((sum, { start, end }) => sum + end - start, 0),
    functionNames: Object.fromEntries(functionNames),
    globalNames: Object.fromEntries(globalNames),
  };
}

function format(info: ModuleInfo): string {
  const code = info.bodies.reduce((sum, { start, end }) => sum + end - start, 0);
  const data = info.data.reduce((sum, { size }) => sum + size, 0);
  const lines: [string, string[]][] = [
    ["size", [`${info.size} bytes: ${info.bodies.length} functions of ${code}, ${info.data.length} data of ${data}`]],
    ["memory", info.memories.length > 0 ? info.memories.map(memoryText) : ["none"]],
    ["start", [info.start === undefined ? "none" : functionText(info, info.start)]],
    ["imports", info.imports.map((entry) => importText(entry))],
    ["exports", info.exports.map((entry) => exportText(info, entry))],
    ["sections", info.sections.flatMap(({ name, body, end }) => (name ? [`${name}, ${end - body} bytes`] : []))],
    ["names", [info.named ? `${info.functionNames.size} functions` : "none"]],
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
