/**
 * Sources of programs and allocators: Debian source packages through apt, and npm packages that carry C in them.
 *
 * Fetched once into build/sources, never committed. apt runs as whoever runs this, on a folder of its own: the
 * machine's package lists and sources are read for the addresses and the keys, and left as they are. apt checks
 * signatures and checksums, npm checks integrity.
 */

import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { BUILD } from "../paths.ts";

const run = promisify(execFile);

/** What was fetched; may be deleted at any time. */
const SOURCES = join(BUILD, "sources");
const APT = join(SOURCES, "apt");
const SYSTEM_APT = "/etc/apt";
const OS_RELEASE = "/etc/os-release";
const APT_HELPER = "/usr/lib/apt/apt-helper";

/** Milliseconds for one download. */
const PATIENCE = 180_000;

/** Where a source comes from. */
export type Source =
  /**
   * A Debian source package, of another `suite` than the machine's if that is given; `members` picks what to unpack
   * (patterns of tar), everything if left out.
   */
  | {
      readonly kind: "debian";
      readonly name: string;
      readonly suite?: string;
      readonly members?: readonly string[];
    }
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

function folderOf(source: Source): string {
  const which = source.kind === "npm" ? source.version : source.suite;
  return join(SOURCES, [baseOf(source), which].filter((part) => part !== undefined).join("-"));
}

/** What the folders of all versions of a source begin with. */
function baseOf({ kind, name }: Pick<Source, "kind" | "name">): string {
  return `${kind}-${name.replaceAll(/[@/]+/g, "-").replace(/^-/, "")}`;
}

/** Orders versions from the oldest to the newest. */
export const byVersion = new Intl.Collator("en", { numeric: true }).compare;

/** The versions of an npm package that have been fetched, from the oldest to the newest. */
export async function fetchedVersions(name: string): Promise<string[]> {
  const base = `${baseOf({ kind: "npm", name })}-`;
  const folders = await readdir(SOURCES).catch(() => []);
  const versions = folders.filter((folder) => folder.startsWith(base)).map((folder) => folder.slice(base.length));
  return versions.filter((version) => /^\d/.test(version)).sort(byVersion);
}

/** The folder with a source's files if they have been fetched. */
export async function fetchedSource(source: Source): Promise<string | undefined> {
  const folder = folderOf(source);
  return (await exists(folder)) ? folder : undefined;
}

/** The folder with a source's files, fetched unless it is there. Throws Unavailable with the reason. */
export async function fetchSource(source: Source): Promise<string> {
  const folder = folderOf(source);
  if (await exists(folder)) return folder;
  await mkdir(SOURCES, { recursive: true });
  // Unpacked aside and renamed: a folder that is there is whole.
  const aside = await mkdtemp(join(SOURCES, "new-"));
  try {
    await (source.kind === "npm"
      ? fetchNpm(`${source.name}@${source.version}`, aside)
      : fetchDebian(source.name, source.suite, source.members ?? [], aside));
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

const indexes = new Map<string | undefined, Promise<string[]>>();

async function fetchDebian(
  name: string,
  suite: string | undefined,
  members: readonly string[],
  folder: string,
): Promise<void> {
  const index = indexes.get(suite) ?? sourceIndex(suite);
  indexes.set(suite, index);
  const options = await index;
  const known = await run("apt-cache", [...options, "showsrc", name]).catch(() => ({ stdout: "" }));
  const versions = [...known.stdout.matchAll(/^Version: (.*)$/gm)].map((match) => match[1]!);
  if (!versions.length) throw new Error("apt knows no source package of that name");
  // An archive may name a version that it no longer has: then one of the others.
  let failure: unknown;
  for (const wanted of [name, ...versions.map((version) => `${name}=${version}`)]) {
    try {
      const archive = await fetchArchive(wanted, options, folder);
      await unpack(archive, folder, members);
      await rm(archive);
      return;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** The upstream's archive of a source package, and nothing else of it; apt compares its checksum. */
async function fetchArchive(wanted: string, options: readonly string[], folder: string): Promise<string> {
  const listed = await run("apt-get", [...options, "source", "--print-uris", wanted], { cwd: folder });
  const [, uri, file, sum] = /^'(.*)' (\S+\.orig\.tar\.\w+) \d+ (\S+)$/m.exec(listed.stdout) ?? [];
  if (uri === undefined || file === undefined || sum === undefined) throw new Error("apt names no archive for it");
  await run(APT_HELPER, [...options, "download-file", uri, file, sum], { cwd: folder, timeout: PATIENCE });
  return join(folder, file);
}

/** Unpacks without the archive's top folder. */
async function unpack(archive: string, folder: string, members: readonly string[]): Promise<void> {
  const wildcards = members.length ? ["--wildcards", ...members] : [];
  await run("tar", ["-xf", archive, "-C", folder, "--strip-components=1", "--no-same-owner", ...wildcards]);
}

/** Reads the source index of the machine's archives into a folder of our own; gives the options that use it. */
async function sourceIndex(suite: string | undefined): Promise<string[]> {
  const own = suite === undefined ? APT : join(APT, suite);
  const parts = join(own, "sources.list.d");
  const lists = join(own, "lists");
  await mkdir(parts, { recursive: true });
  await mkdir(join(lists, "partial"), { recursive: true });
  const found = await sourceEntries(suite);
  if (!found.size) throw new Error(`no archive in ${SYSTEM_APT}${suite === undefined ? "" : ` to have ${suite}`}`);
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

/**
 * The machine's archives, asked for sources instead of binaries; if a suite is given, only the archive that has the
 * machine's own suite, asked for that one instead.
 */
async function sourceEntries(suite: string | undefined): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const files = ["sources.list"];
  const below = await readdir(join(SYSTEM_APT, "sources.list.d")).catch(() => []);
  files.push(...below.map((name) => join("sources.list.d", name)));
  const swap = suite === undefined ? undefined : { from: await machineSuite(), to: suite };
  for (const file of files) {
    const text = await readFile(join(SYSTEM_APT, file), "utf8").catch(() => undefined);
    if (text === undefined) continue;
    const asked = file.endsWith(".sources") ? asStanzas(text, swap) : file.endsWith(".list") ? asLines(text, swap) : "";
    if (asked) found.set(file.replaceAll("/", "-"), asked);
  }
  return found;
}

/** One suite in place of another. */
export interface Swap {
  readonly from: string;
  readonly to: string;
}

/** A file of archives in the deb822 form, asking for sources; only of the archive that has `swap.from` if given. */
export function asStanzas(text: string, swap: Swap | undefined): string {
  const stanzas = text.replaceAll(/^Types:.*$/gm, "Types: deb-src").split(/\n{2,}/);
  if (!swap) return stanzas.join("\n\n");
  const suites = (stanza: string) => /^Suites:(.*)$/m.exec(stanza)?.[1]?.trim().split(/\s+/) ?? [];
  const chosen = stanzas.filter((stanza) => suites(stanza).includes(swap.from));
  return chosen.map((stanza) => stanza.replace(/^Suites:.*$/m, `Suites: ${swap.to}`)).join("\n\n");
}

/** The same for the form of one line for each archive. */
export function asLines(text: string, swap: Swap | undefined): string {
  const lines = text.split("\n").filter((line) => /^\s*deb\s/.test(line));
  const sources = lines.map((line) => line.replace(/^\s*deb\s/, "deb-src "));
  if (!swap) return sources.length ? `${sources.join("\n")}\n` : "";
  const whole = new RegExp(`\\s${swap.from}(?=\\s)`);
  return sources
    .filter((line) => whole.test(line))
    .map((line) => `${line.replace(whole, ` ${swap.to}`)}\n`)
    .join("");
}

/** The name of the suite that the machine runs. */
async function machineSuite(): Promise<string> {
  const text = await readFile(OS_RELEASE, "utf8");
  const suite = /^VERSION_CODENAME=["']?(\w+)/m.exec(text)?.[1];
  if (suite === undefined) throw new Error(`${OS_RELEASE} names no suite`);
  return suite;
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
