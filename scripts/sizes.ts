/**
 * Sizes of the package's entries as a bundler makes them, for docs/install.md: `npm run sizes` prints the table,
 * `npm run sizes -- --write` puts it into the page. test/package/sizes.test.ts fails when the page is out by more than 5 %.
 * Cost: a second.
 */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { ROOT, replaceFile } from "./build-tools.ts";

export const SIZES_PAGE = join(ROOT, "docs", "install.md");
const BEGIN = "<!-- sizes:begin -->\n";
const END = "<!-- sizes:end -->";

export interface Size {
  /** What is imported, or the file's name in the package. */
  readonly name: string;
  readonly bytes: number;
  readonly gzip: number;
}

/** Entry of the package, its file, and what of it is used. */
const ENTRIES = [
  ["gomalloc", "dist/index.js", ["createHeap"]],
  ["gomalloc", "dist/index.js", ["*"]],
  ["gomalloc/slim", "dist/slim.js", ["createHeapAsync"]],
  ["gomalloc/slim", "dist/slim.js", ["*"]],
  ["gomalloc/shared", "dist/shared/index.js", ["*"]],
  ["gomalloc/shared/slim", "dist/shared/slim.js", ["*"]],
  ["gomalloc/profile", "dist/profile/index.js", ["*"]],
  ["gomalloc/snapshot", "dist/snapshot/index.js", ["*"]],
  ["gomalloc/metrics", "dist/metrics/index.js", ["*"]],
  ["gomalloc/scavenge", "dist/scavenge/index.js", ["*"]],
  ["gomalloc/live", "dist/live/index.js", ["showHeap"]],
] as const;

/** Wasm that the slim entries take by URL, and what the commands put into programs. */
const FILES = ["gomalloc-host.wasm", "gomalloc-host-shared.wasm", "gomalloc.wasm", "gomalloc-shared.wasm"];

/** Minified bundles of the entries in dist/, and the wasm files in build/. */
export async function measureSizes(): Promise<Size[]> {
  const bundles = ENTRIES.map(async ([entry, file, [used]]) => {
    const { outputFiles } = await build({
      stdin: {
        contents: `export ${used === "*" ? "*" : `{ ${used} }`} from ${JSON.stringify(join(ROOT, file))};`,
        resolveDir: ROOT,
      },
      bundle: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      minify: true,
      write: false,
    });
    const name = used === "*" ? `all of \`${entry}\`` : `\`${used}\` of \`${entry}\``;
    return sizeOf(name, outputFiles[0]!.contents);
  });
  const files = FILES.map((file) => sizeOf(`\`gomalloc/${file}\``, readFileSync(join(ROOT, "build", file))));
  return [...(await Promise.all(bundles)), ...files];
}

function sizeOf(name: string, bytes: Uint8Array): Size {
  return { name, bytes: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
}

const kB = (bytes: number): string => (bytes / 1000).toFixed(1);

export function formatSizes(sizes: readonly Size[]): string {
  const rows = sizes.map(({ name, bytes, gzip }) => `| ${name} | ${kB(bytes)} | ${kB(gzip)} |`);
  return ["| minified bundle or file | kB | gzip, kB |", "| --- | ---: | ---: |", ...rows, ""].join("\n");
}

/** The page's sizes, in its order. Throws an Error when the page has no table. */
export function readSizes(page: string): Size[] {
  const [, table] = /<!-- sizes:begin -->\n([\s\S]*?)<!-- sizes:end -->/.exec(page) ?? [];
  if (table === undefined) throw new Error(`the page has no ${BEGIN.trim()}`);
  return [...table.matchAll(/^\| (.*?) +\| +([\d.]+) \| +([\d.]+) \|$/gm)].map(([, name, bytes, gzip]) => ({
    name: name!,
    bytes: Number(bytes) * 1000,
    gzip: Number(gzip) * 1000,
  }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const table = formatSizes(await measureSizes());
  console.log(table);
  if (process.argv.includes("--write")) {
    const page = await readFile(SIZES_PAGE, "utf8");
    const [from, to] = [page.indexOf(BEGIN) + BEGIN.length, page.indexOf(END)];
    await replaceFile(SIZES_PAGE, `${page.slice(0, from)}\n${table}\n${page.slice(to)}`);
  }
}
