/**
 * Generates what assembly/ and src/ know of each other from the tables of abi.ts:
 *
 *   assembly/base/abinumbers.ts   the numbers, and the invariants' codes
 *   src/base/abinumbers.ts        the numbers, and the names of what is counted
 *   src/base/abifunctions.ts      the functions: types for TypeScript, names, types of wasm
 *   src/base/abiinvariants.ts     the invariants' sentences
 *
 * Run it after a change of a table. The build and a test fail when a file is not what it gives.
 */
import { FUNCTIONS, type Group, INVARIANTS, MEMSTATS_FIELDS, NUMBERS, P_COUNTERS } from "./abi.ts";
import { driftOf, type GeneratedFile, runGenerator } from "./gen-files.ts";

const WIDTH = 120;

/** A function of the ABI, with AssemblyScript's types. */
export interface AbiFunction {
  readonly name: string;
  readonly params: readonly { readonly name: string; readonly type: string }[];
  /** undefined: none. */
  readonly result: string | undefined;
}

/** The functions of a group. Throws an Error for a line that is no function. */
export function functionsOf(group: Group): AbiFunction[] {
  return FUNCTIONS[group].text
    .trim()
    .split("\n")
    .map((line) => {
      const match = /^\s*(\w+)\(([^)]*)\)(?:: (\w+))?$/.exec(line);
      if (match === null) throw new Error(`scripts/abi.ts: no function: ${line.trim()}`);
      const [, name = "", params = "", result] = match;
      const list = params === "" ? [] : params.split(", ").map((one) => one.split(": ") as [string, string]);
      return { name, params: list.map(([name, type]) => ({ name, type })), result };
    });
}

/** The names of the functions of some groups. */
export function namesOf(...groups: Group[]): string[] {
  return groups.flatMap((group) => functionsOf(group).map(({ name }) => name));
}

/** AssemblyScript's type in wasm. */
export function wasmType(type: string): string {
  const types: Record<string, string> = { u32: "i32", i32: "i32", bool: "i32", u64: "i64", f64: "f64" };
  const found = types[type];
  if (found === undefined) throw new Error(`scripts/abi.ts: no type ${type}`);
  return found;
}

/** The type of a function in wasm. */
export function signature({ params, result }: AbiFunction): { params: string[]; results: string[] } {
  return {
    params: params.map(({ type }) => wasmType(type)),
    results: result === undefined ? [] : [wasmType(result)],
  };
}

/** A comment of one line, or of as many as the width asks for. */
export function comment(text: string): string {
  const one = `/** ${text} */`;
  if (one.length <= WIDTH) return one;
  const lines: string[] = [" *"];
  for (const word of text.split(" ")) {
    if (`${lines.at(-1)} ${word}`.length > WIDTH) lines.push(" *");
    lines[lines.length - 1] += ` ${word}`;
  }
  return ["/**", ...lines, " */"].join("\n");
}

/** A list of strings, filled line by line. */
export function filled(values: readonly string[]): string {
  const lines: string[] = [];
  for (const value of values.map((one) => `"${one}",`)) {
    const last = lines.at(-1);
    if (last !== undefined && `${last} ${value}`.length <= WIDTH) lines[lines.length - 1] = `${last} ${value}`;
    else lines.push(`  ${value}`);
  }
  return lines.join("\n");
}

function written(value: number, hex: boolean | undefined): string {
  return hex === true ? `0x${value.toString(16)}` : `${value}`;
}

function numbersOfAssembly(): string {
  const numbers = NUMBERS.map(({ about, type, hex, values }) => {
    const lines = Object.entries(values).map(
      ([name, value]) => `@inline export const ${name}: ${type} = ${written(value, hex)};`,
    );
    return `${comment(about)}\n${lines.join("\n")}\n`;
  });
  const codes = INVARIANTS.map(
    ({ code, name, holds }) => `${comment(`${holds}.`)}\n@inline export const ${name}: u32 = ${code};`,
  );
  return `/**
 * The numbers of the ABI, the same as in src/base/abinumbers.ts. Generated from scripts/abi.ts by scripts/gen-abi.ts: do
 * not edit.
 */

${numbers.join("\n")}
// Results of validate: what does not hold.

${codes.join("\n")}
`;
}

function numbersOfHost(): string {
  const numbers = NUMBERS.map(({ about, hex, values }) => {
    const lines = Object.entries(values).map(([name, value]) => `export const ${name} = ${written(value, hex)};`);
    return `${comment(about)}\n${lines.join("\n")}\n`;
  });
  return `/**
 * The numbers of the ABI, the same as in assembly/base/abinumbers.ts. Generated from scripts/abi.ts by
 * scripts/gen-abi.ts: do not edit.
 */

${numbers.join("\n")}
/** The counters of a P by pStat's numbers, from 0 on. */
// biome-ignore format: filled lines
export const P_COUNTERS = [
${filled(P_COUNTERS)}
] as const;

/** The words of the statistics' record, from 1 on. */
// biome-ignore format: filled lines
export const MEMSTATS_FIELDS = [
${filled(MEMSTATS_FIELDS)}
] as const;
`;
}

/** collector: Collector; hostOnly: HostOnly */
function typeName(group: string): string {
  return `${group[0]!.toUpperCase()}${group.slice(1)}Functions`;
}

function constantName(group: string): string {
  return group.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/** How JavaScript sees a type. */
function hostType(type: string | undefined): string {
  return type === undefined ? "void" : type === "u64" ? "bigint" : "number";
}

/** Groups whose functions a program may import. */
const LINKED: readonly Group[] = ["family", "control", "host", "threadExit", "procs"];

function functionsOfHost(): string {
  const groups = (Object.keys(FUNCTIONS) as Group[]).map((group) => {
    const functions = functionsOf(group);
    const members = functions.map(({ name, params, result }) => {
      const list = params.map((one) => `${one.name}: ${hostType(one.type)}`).join(", ");
      return `  ${name}(${list}): ${hostType(result)};`;
    });
    return `${comment(FUNCTIONS[group].about)}
export interface ${typeName(group)} {
${members.join("\n")}
}

/** Their names. */
// biome-ignore format: filled lines
export const ${constantName(group)}_NAMES = [
${filled(functions.map(({ name }) => name))}
] as const satisfies readonly (keyof ${typeName(group)})[];
`;
  });
  const types = LINKED.map((group) => {
    const lines = functionsOf(group).map((one) => {
      const { params, results } = signature(one);
      const list = (values: string[]) => `[${values.map((value) => `"${value}"`).join(", ")}]`;
      return `  ${one.name}: { params: ${list(params)}, results: ${list(results)} },`;
    });
    return `export const ${constantName(group)}_TYPES: WasmTypes = {\n${lines.join("\n")}\n};\n`;
  });
  return `/**
 * The functions of the ABI. wasm hands every u32 to JavaScript as a signed number. Generated from scripts/abi.ts by
 * scripts/gen-abi.ts: do not edit.
 */

${groups.join("\n")}
/** Types in wasm, by name. */
export type WasmTypes = Readonly<
  Record<string, { readonly params: readonly string[]; readonly results: readonly string[] }>
>;

// What programs may import.

${types.join("\n")}`;
}

function invariantsOfHost(): string {
  const lines = INVARIANTS.map(({ code, holds }) => `  ${code}: "${holds}",`);
  return `/** What validate checks, by number. Generated from scripts/abi.ts by scripts/gen-abi.ts: do not edit. */
// biome-ignore format: one line each
export const INVARIANTS: Readonly<Record<number, string>> = {
${lines.join("\n")}
};
`;
}

/** The generated files. */
export function generate(): GeneratedFile[] {
  return [
    { path: "assembly/base/abinumbers.ts", text: numbersOfAssembly() },
    { path: "src/base/abinumbers.ts", text: numbersOfHost() },
    { path: "src/base/abifunctions.ts", text: functionsOfHost() },
    { path: "src/base/abiinvariants.ts", text: invariantsOfHost() },
  ];
}

/** Paths of the files on disk that are not what generate() gives. */
export function drift(): string[] {
  return driftOf(generate());
}

runGenerator(import.meta.url, generate);
