/** The packed package in a page: built by Vite as an application would, served, and run in headless Chromium. */
import { build, preview } from "vite";
import { afterAll, beforeAll, expect, it } from "vitest";
import { assemble, COUNTING_PROGRAM } from "../support/assemble.ts";
import { Browser } from "../support/chromium.ts";
import { describeWith } from "../support/describewith.ts";
import { Installed } from "../support/installed.ts";
import { CHROMIUM } from "../support/needs.ts";

const PAGE = `<!doctype html><meta charset="utf-8"><title>gomalloc</title><script type="module" src="/main.js"></script>`;
const MAIN = `
  import { createHeap, createHeapAsync, instantiateWith, MisuseError } from "gomalloc";
  import * as slim from "gomalloc/slim";
  import hostUrl from "gomalloc/gomalloc-host.wasm?url";

  async function main() {
    const inlined = await createHeapAsync();
    const streamed = await createHeapAsync({ wasm: hostUrl });
    const served = await instantiateWith("/program.wasm");
    const sum = served.instance.exports.count(1000);
    const slimHeap = await slim.createHeapAsync({ wasm: hostUrl });
    const heaps = [createHeap(), inlined, streamed, served.heap, slimHeap];
    const contents = heaps.map((heap) => {
      const ptr = heap.malloc(1000);
      heap.view(Uint8Array, ptr, 1000).get().fill(7);
      const moved = heap.realloc(ptr, 3_000_000);
      const kept = heap.u8.subarray(moved, moved + 1000).every((byte) => byte === 7);
      heap.free(moved);
      heap.validate({ deep: true });
      return kept;
    });
    let kind;
    const ptr = inlined.malloc(40);
    try { inlined.free(ptr + 16); } catch (error) { if (error instanceof MisuseError) kind = error.kind; }
    return { sum, contents, kind, objects: served.heap.stats().heapObjects };
  }
  globalThis.result = main().catch((error) => ({ error: String(error.stack) }));`;

describeWith(CHROMIUM, "in Chromium", () => {
  let installed: Installed;
  beforeAll(async () => {
    installed = await Installed.create();
  });
  afterAll(() => installed.dispose());

  it("a page built by Vite has heaps of its own and runs a program on one", async () => {
    await installed.write("index.html", PAGE);
    await installed.write("main.js", MAIN);
    await installed.write("public/program.wasm", assemble(COUNTING_PROGRAM));
    const vite = { root: installed.app, configFile: false, logLevel: "warn" } as const;
    await build(vite);
    const server = await preview({ ...vite, preview: { port: 0, host: "127.0.0.1" } });
    const browser = await Browser.open();
    try {
      const page = await browser.newPage();
      const failures: string[] = [];
      page.on("pageerror", (error) => failures.push(String(error)));
      await page.goto(server.resolvedUrls!.local[0]!);
      const result = await page.evaluate(() => (globalThis as unknown as { result: unknown }).result);
      expect(failures).toEqual([]);
      expect(result).toEqual({
        sum: 499_500,
        contents: [true, true, true, true, true],
        kind: "interior-pointer",
        objects: 0,
      });
    } finally {
      await browser.close();
      await server.close();
    }
  });
});
