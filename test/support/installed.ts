/**
 * The package as npm would publish it, installed into an empty folder outside of this one: what every test here uses.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** As in a shell of the user's: npm and npx, which may have started the tests, put this package's own commands in PATH. */
const ENV = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("npm_"))),
  PATH: (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => !folder.endsWith(join("node_modules", ".bin")))
    .join(delimiter),
};

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code. */
  readonly code: number;
}

export class Installed {
  private constructor(
    /** The folder that holds the package's tarball and the consumer. */
    private readonly folder: string,
    readonly tarball: string,
    /** The consumer's folder, an ES module package with gomalloc in node_modules. */
    readonly app: string,
  ) {}

  /** Packs dist/ and build/ as they are now, and installs that alone, as `npm install gomalloc` does. Some seconds. */
  static async create(): Promise<Installed> {
    const folder = await mkdtemp(join(tmpdir(), "gomalloc-installed-"));
    const pack = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder];
    const { stdout } = await run("npm", pack, { cwd: ROOT });
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    const app = join(folder, "app");
    await mkdir(app);
    await writeFile(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
    const install = ["install", "--prefer-offline", "--no-audit", "--no-fund", join(folder, filename)];
    await run("npm", install, { cwd: app });
    return new Installed(folder, join(folder, filename), app);
  }

  /** Writes a file of the consumer's; folders are made. */
  async write(name: string, contents: string | Uint8Array): Promise<string> {
    const file = join(this.app, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, contents);
    return file;
  }

  /** Runs Node in the consumer's folder; a failure is an exit code, not an exception. */
  node(...argv: string[]): Promise<Output> {
    return this.#run(process.execPath, argv);
  }

  /** Adds what the package's commands need, in the version that the package asks for. npm fetches it unless cached. */
  async addPeers(...names: ("binaryen" | "koffi")[]): Promise<void> {
    const { peerDependencies } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
    const wanted = names.map((name) => `${name}@${peerDependencies[name]}`);
    await this.npm("install", "--prefer-offline", "--no-audit", "--no-fund", ...wanted);
  }

  /** Runs the package's command as `npx gomalloc` finds it. */
  command(...argv: string[]): Promise<Output> {
    return this.#run(join(this.app, "node_modules/.bin/gomalloc"), argv);
  }

  /** Runs npm in the consumer's folder. */
  npm(...argv: string[]): Promise<Output> {
    return this.#run("npm", argv);
  }

  /**
   * Runs `npx ARGV` in `cwd`, by default the consumer's folder. What npx installs goes into a cache that dies with this
   * object; tarballs come from npm's own cache.
   */
  async npx(argv: readonly string[], cwd = this.app): Promise<Output> {
    const cache = join(this.folder, "npm");
    if (!existsSync(cache)) {
      await mkdir(cache);
      const { stdout } = await run("npm", ["config", "get", "cache"]);
      await symlink(join(stdout.trim(), "_cacache"), join(cache, "_cacache"));
    }
    const env = { ...ENV, npm_config_cache: cache, npm_config_prefer_offline: "true" };
    return this.#run("npx", ["--yes", ...argv], { cwd, env });
  }

  /** Another empty folder, without the package. */
  async emptyFolder(): Promise<string> {
    return mkdtemp(join(this.folder, "empty-"));
  }

  async #run(file: string, argv: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Promise<Output> {
    return run(file, argv, { cwd: this.app, env: ENV, ...options }).then(
      ({ stdout, stderr }) => ({ stdout, stderr, code: 0 }),
      (error: Output) => ({ stdout: error.stdout, stderr: error.stderr, code: error.code }),
    );
  }

  dispose(): Promise<void> {
    return rm(this.folder, { recursive: true });
  }
}
