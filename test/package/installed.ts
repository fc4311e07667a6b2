/**
 * The package as npm would publish it, installed into an empty folder outside of this one: what every test here uses.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

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

  /** Packs dist/ and build/ as they are now, and installs. Some seconds: npm fetches binaryen unless it is cached. */
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

  /** Runs the package's command as `npx gomalloc` finds it. */
  command(...argv: string[]): Promise<Output> {
    return this.#run(join(this.app, "node_modules/.bin/gomalloc"), argv);
  }

  /** Runs npm in the consumer's folder. */
  npm(...argv: string[]): Promise<Output> {
    return this.#run("npm", argv);
  }

  async #run(file: string, argv: string[]): Promise<Output> {
    return run(file, argv, { cwd: this.app }).then(
      ({ stdout, stderr }) => ({ stdout, stderr, code: 0 }),
      (error: Output) => ({ stdout: error.stdout, stderr: error.stderr, code: error.code }),
    );
  }

  dispose(): Promise<void> {
    return rm(this.folder, { recursive: true });
  }
}
