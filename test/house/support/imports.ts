/** The imports between the files of a folder, and what is wrong with them: imports that point up, and circles. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/** An import: who, whom, the line from 1, and the names. */
export interface Import {
  readonly from: string;
  readonly to: string;
  readonly line: number;
  readonly names: string;
}

/** The relative imports and re-exports of a source text; `file` and the targets are paths without an extension. */
export function importsOf(file: string, text: string): Import[] {
  const pattern = /^(?:import|export)\s(?:type\s)?(\{[^}]*\}|\*(?: as \w+)?|\w+)\s+from\s+"(\.[^"]+)";/gm;
  return [...text.matchAll(pattern)].map(({ 0: whole, 1: names = "", 2: spec = "", index }) => ({
    from: file,
    to: normalize(join(dirname(file), spec)).replace(/\.(js|ts)$/, ""),
    line: text.slice(0, index + whole.length).split("\n").length,
    names: names.replaceAll(/\s+/g, " "),
  }));
}

/** All imports between the .ts files below a folder. */
export function importsBelow(root: string): Import[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .sort()
    .flatMap((file) => importsOf(file.replace(/\.ts$/, ""), readFileSync(join(root, file), "utf8")));
}

/** Imports from a folder into one that stands later in `layers`. Folders of one entry may not import each other. */
export function upward(imports: readonly Import[], layers: readonly (readonly string[])[]): string[] {
  const rank = (path: string) => layers.findIndex((folders) => folders.includes(folder(path)));
  const folder = (path: string) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "");
  return imports
    .filter(({ from, to }) => folder(from) !== folder(to) && rank(to) >= rank(from))
    .map(({ from, to, line, names }) => `${from}.ts:${line} -> ${to}: ${names}`);
}

/** The circles: each a list of files that import each other, directly or not. */
export function circles(imports: readonly Import[]): string[][] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of imports) targets.set(from, [...(targets.get(from) ?? []), to]);
  const found: string[][] = [];
  const number = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const visit = (file: string): void => {
    number.set(file, number.size);
    low.set(file, number.get(file)!);
    stack.push(file);
    for (const to of targets.get(file) ?? []) {
      if (!number.has(to)) visit(to);
      if (stack.includes(to)) low.set(file, Math.min(low.get(file)!, low.get(to)!));
    }
    if (low.get(file) !== number.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1) found.push(circle.sort());
  };
  for (const file of targets.keys()) if (!number.has(file)) visit(file);
  return found;
}
