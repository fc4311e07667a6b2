/**
 * A user's project: an empty folder in which node_modules/gomalloc is this package. Recipes are the command lines of the
 * READMEs in native/examples, run as they stand there; thus what a reader copies is what was tested.
 *
 * Three commands are not taken from the system: clang and clang++ are @yowasp/clang's, and npx gomalloc is the CLI's
 * source. The rest goes to a shell.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { clang } from "./clang.ts";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const CLI = join(ROOT, "src", "cli", "main.ts");
/** The Rust of Debian, which brings the wasm targets; another one may come first in PATH. */
const DEBIAN_BIN = "/usr/bin";
/** Where Debian's emscripten looks for acorn, if node itself is not Debian's. */
const DEBIAN_NODE_MODULES = "/usr/share/nodejs";

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Project {
  private constructor(readonly folder: string) {}

  /** A fresh project, removed when the test has finished. */
  static async create(): Promise<Project> {
    const folder = await mkdtemp(join(tmpdir(), "gomalloc-native-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await mkdir(join(folder, "node_modules"));
    await symlink(ROOT, join(folder, "node_modules", "gomalloc"), "dir");
    return new Project(folder);
  }

  /** A file of the project. */
  path(name: string): string {
    return join(this.folder, name);
  }

  async write(name: string, contents: string): Promise<void> {
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
    let last = "";
    for (const line of lines) last = await this.command(line);
    return last;
  }

  /** Runs one command line and returns what it printed. Throws an Error with its messages when it fails. */
  async command(line: string): Promise<string> {
    const [program, ...args] = line.split(" ");
    if (program === "clang" || program === "clang++") return clang(line.split(" "), this.folder);
    const linked = program === "npx" && args[0] === "gomalloc";
    const ran = this.spawn(linked ? line.replace("npx gomalloc", cli()) : line);
    if (ran.status !== 0) throw new Error(`${line} gave ${ran.status}:\n${ran.stderr}${ran.stdout}`);
    return ran.stdout;
  }

  /** Runs one command line in a shell, whatever comes of it. */
  spawn(line: string, input = ""): Ran {
    const { PATH, NODE_PATH } = process.env;
    const { status, stdout, stderr } = spawnSync("sh", ["-c", line], {
      cwd: this.folder,
      encoding: "utf8",
      input,
      maxBuffer: 1 << 26,
      env: {
        ...process.env,
        PATH: `${DEBIAN_BIN}:${PATH}`,
        NODE_PATH: [NODE_PATH, DEBIAN_NODE_MODULES].filter(Boolean).join(":"),
        NODE_NO_WARNINGS: "1",
      },
    });
    return { status, stdout, stderr };
  }

  /** Runs a WASI command of the project with node:wasi. */
  run(program: string, args = "", input = ""): Ran {
    return this.spawn(`${node()} node_modules/gomalloc/native/examples/run.mjs ${program} ${args}`, input);
  }

  /** npx gomalloc link, over the CLI's source. */
  async link(program: string, output: string): Promise<void> {
    await this.command(`npx gomalloc link ${program} -o ${output}`);
  }
}

/** The node that runs the tests: /usr/bin comes first in PATH for the compilers' sake. */
function node(): string {
  return JSON.stringify(process.execPath);
}

function cli(): string {
  return `${node()} --import ${JSON.stringify(import.meta.resolve("tsx"))} ${JSON.stringify(CLI)}`;
}

/** The command lines of the first sh block of a README in native/examples. */
export async function recipeOf(language: string): Promise<string[]> {
  const text = await readFile(join(ROOT, "native", "examples", language, "README.md"), "utf8");
  const block = /```sh\n([\s\S]*?)```/.exec(text)?.[1];
  if (block === undefined) throw new Error(`the README of ${language} has no commands`);
  return block.trimEnd().split("\n");
}

/** Whether Debian's compiler is there. */
export const HAS_EMCC = existsSync(join(DEBIAN_BIN, "emcc"));
export const HAS_RUST =
  existsSync(join(DEBIAN_BIN, "rustc")) && existsSync("/usr/lib/rustlib/wasm32-wasi/lib/self-contained/libc.a");

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
