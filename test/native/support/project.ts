/**
 * A user's project: an empty folder in which node_modules/gomalloc is this package. Recipes are the command lines of the
 * READMEs in native/examples, run as they stand there; thus what a reader copies is what was tested.
 *
 * Two commands are not taken from the system: npx gomalloc is the package's own, of dist/, which globalsetup.ts keeps up
 * to date, and npx jco is that of build/jco. The rest goes to a shell.
 */
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished } from "vitest";
import { describeWith } from "../../support/describewith.ts";
import { CLANG, DEBIAN_BIN, JCO_FOLDER, ZIG_FOLDER } from "../../support/needs.ts";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
/** What npx runs in recipes. */
const COMMANDS: Readonly<Record<string, string>> = {
  gomalloc: join("node_modules", "gomalloc", "dist", "cli", "main.js"),
  jco: join(JCO_FOLDER, "@bytecodealliance", "jco", "src", "jco.js"),
};
const EMCC_ENV = { NODE_PATH: "/usr/share/nodejs" };

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Project {
  /** What the lines of a recipe have exported; outside of one, what Debian's emcc needs to find acorn. */
  #exported: Record<string, string> = EMCC_ENV;

  private constructor(readonly folder: string) {}

  /** A fresh project, removed when the test has finished; over this package, or the one in another folder. */
  static async create(gomalloc = ROOT): Promise<Project> {
    const folder = await mkdtemp(join(tmpdir(), "gomalloc-native-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await mkdir(join(folder, "node_modules"));
    await symlink(gomalloc, join(folder, "node_modules", "gomalloc"), "dir");
    return new Project(folder);
  }

  /** As if these packages, or all of a scope, were installed here: those of a node_modules elsewhere. */
  async add(from: string, ...names: string[]): Promise<void> {
    for (const name of names) await symlink(join(from, name), this.path(join("node_modules", name)), "dir");
  }

  /** A file of the project. */
  path(name: string): string {
    return join(this.folder, name);
  }

  async write(name: string, contents: string | Uint8Array): Promise<void> {
    await writeFile(this.path(name), contents);
  }

  async read(name: string): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await readFile(this.path(name)));
  }

  async module(name: string): Promise<WebAssembly.Module> {
    return new WebAssembly.Module(await this.read(name));
  }

  /** Runs the lines one after the other; the standard output of the last. Throws an Error with stderr if one fails. */
  async recipe(lines: readonly string[]): Promise<string> {
    this.#exported = {};
    let last = "";
    for (const line of lines) last = await this.command(line);
    this.#exported = EMCC_ENV;
    return last;
  }

  /** Runs one command line, npx included, which may fail. */
  attempt(line: string): Ran {
    return this.spawn(
      line.replace(/^npx (gomalloc|jco)(?= )/, (_, name) => `${node()} ${JSON.stringify(COMMANDS[name])}`),
    );
  }

  /** Runs one command line and returns what it printed. Throws an Error with its messages when it fails. */
  async command(line: string): Promise<string> {
    const exported = /^export (\w+)=(\S+)$/.exec(line);
    if (exported !== null) {
      this.#exported[exported[1]!] = exported[2]!;
      return "";
    }
    const ran = this.attempt(line);
    if (ran.status !== 0) throw new Error(`${line} gave ${ran.status}:\n${ran.stderr}${ran.stdout}`);
    return ran.stdout;
  }

  /** Runs one command line in a shell, whatever comes of it. */
  spawn(line: string, input = ""): Ran {
    const { PATH } = process.env;
    const { status, stdout, stderr } = spawnSync("sh", ["-c", line], {
      cwd: this.folder,
      encoding: "utf8",
      input,
      maxBuffer: 1 << 26,
      env: {
        ...process.env,
        PATH: [DEBIAN_BIN, ZIG_FOLDER, PATH].filter(Boolean).join(":"),
        ZIG_GLOBAL_CACHE_DIR: join(ROOT, "build", "zig", "cache"),
        NODE_NO_WARNINGS: "1",
        ...this.#exported,
      },
    });
    return { status, stdout, stderr };
  }

  /** Runs a WASI command of the project with node:wasi. */
  run(program: string, args = "", input = ""): Ran {
    return this.spawn(`${node()} node_modules/gomalloc/native/examples/run.mjs ${program} ${args}`, input);
  }

  /** npx gomalloc link, by the CLI of dist/. */
  async link(program: string, output: string): Promise<void> {
    await this.command(`npx gomalloc link ${program} -o ${output}`);
  }
}

/** The node that runs the tests: /usr/bin comes first in PATH for the compilers' sake. */
function node(): string {
  return JSON.stringify(process.execPath);
}

/**
 * The command lines of an sh block of a README in native/examples. The first is for Debian's compilers; the second, of C
 * and its like, for npm's clang, in place of the first's compilation; the third, of C, C++ and threads, is that of `gomalloc link`.
 */
export async function recipeOf(language: string, index = 0): Promise<string[]> {
  const text = await readFile(join(ROOT, "native", "examples", language, "README.md"), "utf8");
  const block = [...text.matchAll(/```sh\n([\s\S]*?)```/g)][index]?.[1];
  if (block === undefined) throw new Error(`the README of ${language} has no commands`);
  return block.trimEnd().split("\n");
}

/** The recipe of C, C++ or threads with npm's clang in place of Debian's. */
export async function npmRecipeOf(language: string): Promise<string[]> {
  const isCompilation = (line: string) => line.startsWith("clang");
  const [first, second] = await Promise.all([recipeOf(language), recipeOf(language, 1)]);
  const compile = second.filter((line) => !line.startsWith("npm install "));
  const at = first.findIndex(isCompilation);
  return [...first.slice(0, at), ...compile, ...first.slice(at).filter((line) => !isCompilation(line))];
}

/** How the READMEs say that npm's clang takes the place of Debian's. */
const NPM_CLANG = "node node_modules/gomalloc/native/examples/clang.mjs --target=wasm32-wasip1";

/** The recipe of C, C++ or threads with `gomalloc link`, by the compiler that describeRecipe names. */
export async function linkRecipeOf(language: string, compiler: string): Promise<string[]> {
  const lines = await recipeOf(language, 2);
  if (compiler !== "npm's clang") return lines;
  return lines.map((line) =>
    line.replace(/^clang(?:\+\+)?-19 --target=wasm32-wasi((?:-threads)?) /, `${NPM_CLANG}$1 `),
  );
}

/** A recipe by each compiler that has one: what it needs, and the commands. */
const COMPILERS = [
  { name: "Debian's clang", need: CLANG, recipe: recipeOf },
  { name: "npm's clang", need: { missing: null }, recipe: npmRecipeOf },
];

/** Tests of the recipe of one language in native/examples, by each compiler. */
export function describeRecipe(
  language: string,
  body: (commands: () => Promise<string[]>, compiler: string) => void,
): void {
  for (const { name, need, recipe } of COMPILERS) {
    describeWith(need, `the recipe of native/examples/${language}, by ${name}`, () => {
      body(() => recipe(language), name);
    });
  }
}

/**
 * A project in which a recipe of this language has run, that of the program which counts the words of its input; and the
 * program's source, a file of this extension. `index` is the block of the README.
 */
export async function projectOfWords(
  language: string,
  extension: string,
  index = 0,
): Promise<{ project: Project; source: string }> {
  const project = await Project.create();
  const output = await project.recipe(await recipeOf(language, index));
  expect(output).toMatch(/^\d+ words, \d+ different\n/);
  return { project, source: Buffer.from(await project.read(`words.${extension}`)).toString() };
}

/** Compares a program with stock.wasm, which is the same over another allocator: both count the words of `text`. */
export function expectSameWords(project: Project, program: string, text: string): void {
  const stock = project.run("stock.wasm", "", text);
  expect(stock.status).toBe(0);
  expect(project.run(program, "", text)).toEqual(stock);
}

/**
 * The program of this command line has gomalloc's functions from libgomalloc.a, and no other allocator. `archive` is what
 * names the library there. Without it the line makes stock.wasm, in which dlmalloc is found, so that its absence says
 * something: in the link map by Debian's clang, which has a wasm-opt that it finds in PATH take the names away, and in the
 * name section by npm's, which writes no map.
 */
export async function expectArchived(
  project: Project,
  line: string,
  archive: string,
  functions = ["malloc", "realloc", "free"],
): Promise<void> {
  expect(line).toContain(` ${archive} `);
  const program = / -o (\S+)$/.exec(line)![1]!;
  const stock = line.replace(` ${archive}`, "").replace(/\S+$/, "stock.wasm");
  if (line.startsWith(NPM_CLANG)) {
    await project.command(stock);
    await expectReplaced(project, program, ["dlmalloc", "sbrk"]);
    return;
  }
  const mapOf = async (command: string) => {
    await project.command(command.replace(" -o ", " -Wl,-Map=map.txt -o "));
    return Buffer.from(await project.read("map.txt")).toString();
  };
  expect((await mapOf(stock)).includes("libc.a(dlmalloc.o)")).toBe(true);
  const map = await mapOf(line);
  expect(map.match(/dlmalloc|sbrk/)).toBeNull();
  expect(functions.filter((name) => !map.includes(`libgomalloc.a(gomalloc.o):(${name})`))).toEqual([]);
}

/**
 * The program imports nothing of gomalloc's and has no allocator beside it: its name section is without `names`,
 * which the stock program has, so that their absence says something.
 */
export async function expectReplaced(project: Project, program: string, names: readonly string[]): Promise<void> {
  const [ours, stock] = await Promise.all([project.module(program), project.module("stock.wasm")]);
  expect(importsOf(ours, "gomalloc")).toEqual([]);
  for (const name of names) {
    expect(hasName(stock, name), name).toBe(true);
    expect(hasName(ours, name), name).toBe(false);
  }
}

/** Names of imported functions, as module.name. */
export function importsOf(module: WebAssembly.Module, from?: string): string[] {
  return WebAssembly.Module.imports(module)
    .filter((entry) => from === undefined || entry.module === from)
    .map((entry) => entry.name)
    .sort();
}

/** Whether the name section has `text` in it: @yowasp/clang, rustc and emcc -g2 leave function names there. */
export function hasName(module: WebAssembly.Module, text: string): boolean {
  return WebAssembly.Module.customSections(module, "name").some((section) =>
    Buffer.from(section).toString("latin1").includes(text),
  );
}
