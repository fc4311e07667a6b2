/**
 * Programs' sources: Debian source packages through apt, and npm packages that carry C in them.
 *
 * Fetched once into build/programs/sources, never committed. apt runs as whoever runs this, on a folder of its own:
 * the machine's package lists and sources are read for the addresses and the keys, and left as they are. apt checks
 * signatures and checksums, npm checks integrity.
 */

import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { BUILD } from "../../lib/paths.ts";

const run = promisify(execFile);

/** Everything fetched or generated for the programs; may be deleted at any time. */
export const PROGRAMS = join(BUILD, "programs");

const SOURCES = join(PROGRAMS, "sources");
const APT = join(PROGRAMS, "apt");
const SYSTEM_APT = "/etc/apt";

/** Milliseconds for one download. */
const PATIENCE = 180_000;

/** Where a program's source comes from. */
export type Source =
  /** A Debian source package; `members` picks what to unpack (patterns of tar), everything if left out. */
  | { readonly kind: "debian"; readonly name: string; readonly members?: readonly string[] }
  /** A package of the npm registry at one version. */
  | { readonly kind: "npm"; readonly name: string; readonly version: string };

/** A source cannot be had here, and why: not an error of the benchmark. */
export class Unavailable extends Error {
  /** The source's name. */
  readonly what: string;
  constructor(source: Source, reason: string) {
    super(reason);
    this.what = `${source.kind} source ${source.name}`;
  }
}

/** The folder with a source's files, fetched unless it is there. Throws Unavailable with the reason. */
export async function fetchSource(source: Source): Promise<string> {
  const name = source.name.replaceAll(/[@/]+/g, "-").replace(/^-/, "");
  const folder = join(SOURCES, source.kind === "npm" ? `npm-${name}-${source.version}` : `debian-${name}`);
  if (await exists(folder)) return folder;
  await mkdir(SOURCES, { recursive: true });
  // Unpacked aside and renamed: a folder that is there is whole.
  const aside = await mkdtemp(join(SOURCES, "new-"));
  try {
    await (source.kind === "npm"
      ? fetchNpm(`${source.name}@${source.version}`, aside)
      : fetchDebian(source.name, source.members ?? [], aside));
    await rename(aside, folder).catch(async (error) => {
      // Another process was faster.
      if (!(await exists(folder))) throw error;
    });
  } catch (error) {
    throw new Unavailable(source, complaint(error));
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return folder;
}

async function fetchNpm(wanted: string, folder: string): Promise<void> {
  const packed = await run("npm", ["pack", "--loglevel=error", "--ignore-scripts", wanted], {
    cwd: folder,
    timeout: PATIENCE,
  });
  const archive = packed.stdout.trim().split("\n").at(-1)!;
  await unpack(join(folder, archive), folder, []);
  await rm(join(folder, archive));
}

let index: Promise<string[]> | undefined;

async function fetchDebian(name: string, members: readonly string[], folder: string): Promise<void> {
  index ??= sourceIndex();
  const options = await index;
  const known = await run("apt-cache", [...options, "showsrc", name]).catch(() => ({ stdout: "" }));
  const versions = [...known.stdout.matchAll(/^Version: (.*)$/gm)].map((match) => match[1]!);
  if (!versions.length) throw new Error("apt knows no source package of that name");
  // An archive may name a version that it no longer has: then one of the others.
  let failure: unknown;
  for (const wanted of [name, ...versions.map((version) => `${name}=${version}`)]) {
    failure = await run("apt-get", [...options, "source", "--download-only", wanted], {
      cwd: folder,
      timeout: PATIENCE,
    }).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (!failure) break;
  }
  if (failure) throw failure;
  const fetched = await readdir(folder);
  for (const file of fetched) if (/\.orig\.tar\.\w+$/.test(file)) await unpack(join(folder, file), folder, members);
  for (const file of fetched) await rm(join(folder, file), { force: true });
}

/** Unpacks without the archive's top folder. */
async function unpack(archive: string, folder: string, members: readonly string[]): Promise<void> {
  const wildcards = members.length ? ["--wildcards", ...members] : [];
  await run("tar", ["-xf", archive, "-C", folder, "--strip-components=1", "--no-same-owner", ...wildcards]);
}

/** Reads the source index of the machine's archives into a folder of our own; gives the options that use it. */
async function sourceIndex(): Promise<string[]> {
  const parts = join(APT, "sources.list.d");
  const lists = join(APT, "lists");
  await mkdir(parts, { recursive: true });
  await mkdir(join(lists, "partial"), { recursive: true });
  const found = await sourceEntries();
  if (!found.size) throw new Error(`no archive in ${SYSTEM_APT}`);
  for (const [file, text] of found) await writeFile(join(parts, file), text);
  const options = Object.entries({
    "Dir::Etc::sourcelist": "/dev/null",
    "Dir::Etc::sourceparts": parts,
    "Dir::State::lists": lists,
    "Dir::Cache::pkgcache": "",
    "Dir::Cache::srcpkgcache": "",
    "APT::Sandbox::User": "",
  }).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  await run("apt-get", [...options, "update", "--error-on=any"], { timeout: PATIENCE });
  return options;
}

/** The machine's archives, asked for sources instead of binaries. */
async function sourceEntries(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const files = ["sources.list"];
  const below = await readdir(join(SYSTEM_APT, "sources.list.d")).catch(() => []);
  files.push(...below.map((name) => join("sources.list.d", name)));
  for (const file of files) {
    const text = await readFile(join(SYSTEM_APT, file), "utf8").catch(() => undefined);
    const name = file.replaceAll("/", "-");
    if (text === undefined) continue;
    if (file.endsWith(".sources")) found.set(name, text.replaceAll(/^Types:.*$/gm, "Types: deb-src"));
    if (file.endsWith(".list")) {
      const lines = text.split("\n").filter((line) => /^\s*deb\s/.test(line));
      if (lines.length) found.set(name, `${lines.join("\n").replaceAll(/^\s*deb\s/gm, "deb-src ")}\n`);
    }
  }
  return found;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** What a tool complained of: apt's last error, npm's first after the code; or why it could not be started. */
function complaint(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  const said = (stderr || message).trim().split("\n");
  const apt = said.filter((line) => line.startsWith("E:")).at(-1);
  const npm = said.find((line) => /^npm error (?!code |syscall |errno )/.test(line));
  return (apt ?? npm ?? said.at(-1)!).slice(0, 300);
}
