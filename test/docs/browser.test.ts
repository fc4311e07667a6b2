/** docs/browser.md and the bundlers of docs/install.md in Chromium: each page as it is printed, from the packed package. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build as esbuild } from "esbuild";
import { build as vite } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assemble, COUNTING_PROGRAM } from "../support/assemble.ts";
import { Browser } from "../support/chromium.ts";
import { describeWith } from "../support/describewith.ts";
import { Installed } from "../support/installed.ts";
import { CHROMIUM } from "../support/needs.ts";
import { blocksOf, differences, promised } from "./support/pages.ts";

const PAGE = blocksOf("docs/browser.md");
const FILES = PAGE.filter(({ file }) => file !== undefined);

describeWith(CHROMIUM, "in Chromium", () => {
  let installed: Installed;
  let server: ChildProcess;
  let address: string;
  let browser: Browser;

  beforeAll(async () => {
    installed = await Installed.create();
    for (const { file, code } of FILES) await installed.write(file!, code);
    await installed.write("program.wasm", assemble(COUNTING_PROGRAM));
    const env = { ...process.env, PORT: "0" };
    server = spawn(process.execPath, ["server.mjs"], { cwd: installed.app, env, stdio: ["ignore", "pipe", "inherit"] });
    [address] = (await once(createInterface({ input: server.stdout! }), "line")) as [string];
    browser = await Browser.open();
  });
  afterAll(async () => {
    await browser?.close();
    server?.kill();
    await installed?.dispose();
  });

  /** The first `count` lines of a page's console; its errors count as lines. */
  async function printed(path: string, count: number): Promise<string[]> {
    const page = await browser.newPage();
    const lines: string[] = [];
    const enough = new Promise<void>((resolve) => {
      const add = (line: string) => {
        if (lines.push(line) >= count) resolve();
      };
      page.on("pageerror", (error) => add(`uncaught ${error}`));
      page.on("console", (message) => {
        // The browser asks every site for an icon.
        if (!message.location().url.endsWith("/favicon.ico")) add(message.text());
      });
    });
    await page.goto(new URL(path, address).href);
    await enough;
    await page.close();
    return lines;
  }

  describe("docs/browser.md", () => {
    it.each([
      ["index.html", ["index.html"]],
      ["slim.html", ["slim.html"]],
      ["csp.html", ["csp.js"]],
      ["own.html", ["own.html"]],
      ["shared.html", ["shared.html"]],
    ])("%s", async (page, sources) => {
      const promises = promised(
        FILES.filter(({ file }) => sources.includes(file!))
          .map(({ code }) => code)
          .join("\n"),
      );
      expect(promises).toHaveLength(1);
      expect(differences(await printed(page, 1), promises)).toEqual([]);
    });

    it("names every page that it has a file for", () => {
      const pages = ["index", "slim", "csp", "own", "shared"].map((name) => `${name}.html`);
      const workers = ["own-worker.js", "shared-worker.js"];
      expect(FILES.map(({ file }) => file).sort()).toEqual([...pages, ...workers, "csp.js", "server.mjs"].sort());
    });
  });

  it("a policy without 'wasm-unsafe-eval' is named as the reason by every way to a heap", async () => {
    const [start] = PAGE.find(({ code }) => code.startsWith("WebAssembly may not"))!.code.split("; ...");
    await installed.write(
      "refused.html",
      `<!doctype html><meta http-equiv="Content-Security-Policy" content="script-src 'self'">
       <script type="module" src="/refused.js"></script>`,
    );
    await installed.write(
      "refused.js",
      `const folder = "/node_modules/gomalloc/";
       const full = await import(folder + "dist/index.js");
       const slim = await import(folder + "dist/slim.js");
       const shared = await import(folder + "dist/shared/index.js");
       const wasm = folder + "build/gomalloc-host.wasm";
       const bytes = await (await fetch(wasm)).arrayBuffer();
       const ways = [
         () => full.createHeap(),
         () => full.createHeapAsync(),
         () => full.instantiateWith("/program.wasm"),
         () => slim.createHeapAsync({ wasm }),
         () => slim.createHeapAsync({ wasm: fetch(wasm) }),
         () => slim.createHeap({ wasm: bytes }),
         () => shared.createSharedHeap(),
         () => shared.createSharedHeapAsync(),
         () => shared.createSharedHeapAsync({ shared: false }),
       ];
       const said = [];
       for (const way of ways) said.push(await (async () => way())().then(() => "no error", (e) => e.code + " " + e.message));
       document.title = JSON.stringify(said);`,
    );
    const page = await browser.newPage();
    await page.goto(new URL("refused.html", address).href);
    await page.waitForFunction(() => document.title !== "", undefined, { timeout: 0 });
    const said = JSON.parse(await page.title()) as string[];
    await page.close();
    expect(said).toHaveLength(9);
    for (const message of said) expect(message.startsWith(`ERR_MODULE_LOAD ${start}`), message).toBe(true);
  });

  describe("docs/install.md", () => {
    const code = (info: string) => blocksOf("docs/install.md").find((block) => block.info === info)!.code;

    it("Vite", async () => {
      await installed.write("vite/index.html", `<!doctype html><script type="module" src="/main.js"></script>`);
      await installed.write("vite/main.js", code("vite"));
      const root = join(installed.app, "vite");
      await vite({ root, base: "/vite/dist/", configFile: false, logLevel: "warn", build: { target: "es2022" } });
      expect(differences(await printed("vite/dist/index.html", 1), promised(code("vite")))).toEqual([]);
    });

    it("esbuild", async () => {
      const main = await installed.write("esbuild/main.js", code("esbuild"));
      await installed.write("esbuild/index.html", `<!doctype html><script type="module" src="main.out.js"></script>`);
      const outfile = join(installed.app, "esbuild/main.out.js");
      const loader = { ".wasm": "file" } as const;
      await esbuild({ entryPoints: [main], bundle: true, format: "esm", loader, outfile, logLevel: "silent" });
      expect((await readFile(outfile, "utf8")).length).toBeLessThan(240_000);
      expect(differences(await printed("esbuild/index.html", 1), promised(code("esbuild")))).toEqual([]);
    });
  });
});
