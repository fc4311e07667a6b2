/**
 * Runs docs/inside.md: writes its files, runs its commands in their order, and puts what they print into the page and
 * what they draw into docs/pictures/.
 *
 *   npm run pictures                       the page and its pictures; needs `npm run build`, clang-19 and wasi-libc
 *   npx tsx scripts/pictures.ts --check    changes nothing: fails when a table has other functions at its top
 *
 * The working folder is build/pictures, with links to the sources that bench/programs fetches. Cost: minutes of compilers.
 */
import { execFile } from "node:child_process";
import { chmod, cp, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { fetchSource } from "../bench/lib/build/sources.ts";
import { BUILD_DIR, ROOT, replaceFile } from "./build-tools.ts";

const run = promisify(execFile);

const PAGE = join(ROOT, "docs", "inside.md");
const PICTURES = join(ROOT, "docs", "pictures");
const FOLDER = join(BUILD_DIR, "pictures");

/** A file, a command or a table of the page. */
const BLOCK = /(?:^`([\w.-]+)`:\n\n)?^```(\w+)\n(.*?)^```$/gms;

/** The sources that the page takes for given, and the package that it installs. */
async function prepare(): Promise<void> {
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(join(FOLDER, "node_modules", ".bin"), { recursive: true });
  const lua = await fetchSource({ kind: "debian", name: "lua5.4" });
  const sqlite = await fetchSource({ kind: "npm", name: "better-sqlite3", version: "13.2.0" });
  const jq = await fetchSource({ kind: "npm", name: "jq-web", version: "0.6.2" });
  await cp(join(lua, "src"), join(FOLDER, "lua"), { recursive: true });
  await cp(join(sqlite, "deps", "sqlite3"), join(FOLDER, "sqlite"), { recursive: true });
  await cp(jq, join(FOLDER, "node_modules", "jq-web"), { recursive: true });
  await symlink(ROOT, join(FOLDER, "node_modules", "gomalloc"));
  const { bin } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { bin: { gomalloc: string } };
  const command = join(FOLDER, "node_modules", ".bin", "gomalloc");
  await writeFile(command, `#!/bin/sh\nexec node "${join(ROOT, bin.gomalloc)}" "$@"\n`);
  await chmod(command, 0o755);
}

/** Runs lines of the shell; what they print, with paths counted from the folder. */
async function shell(code: string): Promise<string> {
  const lines = code.split("\n").filter((line) => !line.startsWith("npm install "));
  const { stdout } = await run("bash", ["-ec", lines.join("\n")], { cwd: FOLDER, maxBuffer: 1 << 26 });
  return stdout.replaceAll(`file://${FOLDER}/`, "").replaceAll(`${FOLDER}/`, "");
}

/** The page with the output of each command in the block of text behind it. */
async function regenerate(page: string): Promise<string> {
  let printed = "";
  let made = "";
  let from = 0;
  for (const match of page.matchAll(BLOCK)) {
    const [whole, file, language, code] = match as unknown as [string, string | undefined, string, string];
    made += page.slice(from, match.index);
    from = match.index + whole.length;
    if (file !== undefined) await writeFile(join(FOLDER, file), code);
    if (language === "sh") {
      process.stderr.write(`${code}`);
      printed = await shell(code);
    }
    made += language === "text" ? `\`\`\`text\n${printed.trimEnd()}\n\`\`\`` : whole;
  }
  return made + page.slice(from);
}

/** The functions that hold most, of each table: what does not change with an engine. */
export function topFunctions(page: string): string[][] {
  return [...page.matchAll(BLOCK)]
    .filter(([, , language]) => language === "text")
    .map(([, , , code]) =>
      [...code!.matchAll(/^ *\S+ +([\d.]+)% +\S+% +\S+ +\S+% {2}(\S+)/gm)]
        .filter(([, flat]) => Number(flat) >= 5)
        .map(([, , name]) => name!),
    );
}

async function main(check: boolean): Promise<void> {
  const page = await readFile(PAGE, "utf8");
  await prepare();
  const made = await regenerate(page);
  if (check) {
    const [is, said] = [topFunctions(made), topFunctions(page)].map((list) => JSON.stringify(list));
    if (is !== said) throw new Error(`the tables differ\n  page: ${said}\n  now:  ${is}`);
    return;
  }
  await replaceFile(PAGE, made);
  await mkdir(PICTURES, { recursive: true });
  for (const name of await readdir(FOLDER)) {
    if (name.endsWith(".svg")) await cp(join(FOLDER, name), join(PICTURES, name));
  }
}

if (process.argv[1]?.endsWith("pictures.ts")) {
  const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
  await main(values.check);
}
