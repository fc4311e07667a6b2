/** The code in the pages of documentation: blocks with their language, the file that they are, and what they are to print. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../../scripts/build-tools.ts";

export interface Block {
  readonly page: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  readonly language: string;
  /** What stands behind the language: the bundler that a block is for. */
  readonly info: string;
  /** The file that the page says the block is, by "`name`:" before it. */
  readonly file: string | undefined;
  readonly code: string;
}

/** The fenced blocks of a page, in order. */
export function blocksOf(page: string): Block[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  return [...text.matchAll(/(?:^`([\w.-]+)`:\n\n)?^```(\w+)(?: (\w+))?\n(.*?)^```$/gms)].map((match) => ({
    page,
    line: text.slice(0, match.index).split("\n").length,
    language: match[2]!,
    info: match[3] ?? "",
    file: match[1],
    code: match[4]!,
  }));
}

/** A block that begins with an import begins a script; those behind it without one go on with it. */
export function scriptsOf(blocks: readonly Block[]): { readonly line: number; readonly code: string }[] {
  const scripts: { line: number; code: string }[] = [];
  for (const { line, code } of blocks) {
    const last = scripts.at(-1);
    if (last === undefined || /^import /.test(code)) scripts.push({ line, code });
    else last.code += `\n${code}`;
  }
  return scripts;
}

/** What the comments behind console.log and collect (which prints by its trace) say that is printed. */
export function promised(code: string): string[] {
  return [...code.matchAll(/(?:console\.log\(.*\)|\bcollect\(\)|^\s*\)); \/\/ (.*)$/gm)].map(([, text]) => text!);
}

/** Fails unless `printed` is what was promised; a promise may go on with ": " and an explanation. */
export function differences(printed: readonly string[], promises: readonly string[]): string[] {
  const wrong: string[] = [];
  for (let i = 0; i < Math.max(printed.length, promises.length); i++) {
    const [is, said] = [printed[i], promises[i]];
    if (is !== said && !(is !== undefined && said?.startsWith(`${is}: `)))
      wrong.push(`printed ${is}, promised ${said}`);
  }
  return wrong;
}
