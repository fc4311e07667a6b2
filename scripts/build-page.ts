/**
 * Makes the two pages out of src/map/page.html: dist/map/page.html, which `gomalloc map --html` puts snapshots into, with the
 * bundle of src/map/main.ts inside; and src/generated/live-page.ts, the live view with the bundle of src/map/live.ts, as a
 * string. Nothing of a page is loaded from elsewhere. Cost: a tenth of a second each.
 */
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { ROOT, replaceFile } from "./build-tools.ts";

const SCRIPT = "/*script*/";
const LIVE_PAGE = join(ROOT, "src", "generated", "live-page.ts");
/** The live view asks its server for frames. */
const POLICY = "default-src 'none';";

export async function writePage(): Promise<void> {
  const page = await pageWith("main.ts");
  await mkdir(join(ROOT, "dist", "map"), { recursive: true });
  await replaceFile(join(ROOT, "dist", "map", "page.html"), new TextEncoder().encode(page));
}

export async function writeLivePage(): Promise<void> {
  const page = (await pageWith("live.ts"))
    .replace("<title>Heap map</title>", "<title>Live heap</title>")
    .replace(POLICY, `${POLICY} connect-src 'self';`);
  const text = [
    "/** The page of the live view. Written by scripts/build-page.ts at every build; do not edit. */",
    `export const LIVE_PAGE: string =\n  ${JSON.stringify(page)};`,
    "",
  ].join("\n");
  if ((await readFile(LIVE_PAGE, "utf8").catch(() => "")) === text) return;
  await mkdir(dirname(LIVE_PAGE), { recursive: true });
  await replaceFile(LIVE_PAGE, text);
}

/** The page with the bundle of a file of src/map. */
async function pageWith(file: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, "src", "map", file)],
    bundle: true,
    format: "esm",
    target: "es2022",
    minify: true,
    legalComments: "none",
    write: false,
  });
  const page = await readFile(join(ROOT, "src", "map", "page.html"), "utf8");
  if (!page.includes(SCRIPT) || !page.includes(POLICY)) throw new Error(`src/map/page.html has no ${SCRIPT} or policy`);
  const script = outputFiles[0]!.text.replaceAll("</script", "<\\/script");
  return page.replace("<script>/*script*/", () => `<script type="module">${script}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writePage();
  await writeLivePage();
}
