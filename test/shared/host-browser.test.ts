/** The shared heap in a page: several workers and the main thread, with the headers that this takes and without them. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Browser } from "../support/chromium.ts";
import { describeWith } from "../support/describewith.ts";
import { CHROMIUM } from "../support/needs.ts";

const ENTRY = fileURLToPath(new URL("./support/host-page.ts", import.meta.url));
const PAGE = `<!doctype html><meta charset="utf-8"><title>gomalloc</title><script type="module" src="/page.js"></script>`;
const HEADERS = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

describeWith(CHROMIUM, "in Chromium", () => {
  let server: Server;
  let browser: Browser;

  beforeAll(async () => {
    const { outputFiles } = await build({ entryPoints: [ENTRY], bundle: true, format: "esm", write: false });
    server = createServer((request, response) => {
      const script = request.url === "/page.js";
      const headers = request.url === "/plain" ? {} : HEADERS;
      response.writeHead(200, { ...headers, "content-type": script ? "text/javascript" : "text/html" });
      response.end(script ? outputFiles[0]!.text : PAGE);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    browser = await Browser.open();
  });

  afterAll(async () => {
    await browser?.close();
    await new Promise((resolve) => server.close(resolve));
  });

  /** What the page at `path` comes to. */
  async function resultOf(path: string): Promise<unknown> {
    const page = await browser.newPage();
    const failures: string[] = [];
    page.on("pageerror", (error) => failures.push(String(error)));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
    const result = await page.evaluate(() => (globalThis as unknown as { result: unknown }).result);
    expect(failures).toEqual([]);
    await page.close();
    return result;
  }

  it("three workers and the main thread share two Ps, and a worker's end is heard of", async () => {
    expect(await resultOf("/")).toEqual({
      shared: true,
      churned: ["done", "done", "done"],
      death: { ok: true, left: null, named: true },
      busy: expect.stringMatching(/^ProcsBusyError: no P became free in \d+ ms: P 1 .*, P 2 /),
    });
  });

  it("a page without the headers has a heap for one thread, which names them", async () => {
    expect(await resultOf("/plain")).toEqual({
      shared: false,
      share: expect.stringMatching(/^SharedMemoryUnavailableError: .*Cross-Origin-Opener-Policy: same-origin/),
    });
  });
});
