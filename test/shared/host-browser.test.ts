/** The shared heap in a page: several workers and the main thread, with the headers that this takes and without them. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type BrowserContext, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const BROWSER = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const FLAGS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update"],
];
const ENTRY = fileURLToPath(new URL("./support/host-page.ts", import.meta.url));
const PAGE = `<!doctype html><meta charset="utf-8"><title>gomalloc</title><script type="module" src="/page.js"></script>`;
const HEADERS = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

describe.skipIf(BROWSER === undefined)(
  `in Chromium${BROWSER === undefined ? " (skipped: no /usr/bin/chromium, Debian's package chromium)" : ""}`,
  () => {
    let server: Server;
    let context: BrowserContext;
    let profile: string;

    beforeAll(async () => {
      const { outputFiles } = await build({ entryPoints: [ENTRY], bundle: true, format: "esm", write: false });
      server = createServer((request, response) => {
        const script = request.url === "/page.js";
        const headers = request.url === "/plain" ? {} : HEADERS;
        response.writeHead(200, { ...headers, "content-type": script ? "text/javascript" : "text/html" });
        response.end(script ? outputFiles[0]!.text : PAGE);
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      profile = await mkdtemp(join(tmpdir(), "gomalloc-chromium-"));
      context = await chromium.launchPersistentContext(profile, { executablePath: BROWSER!, args: FLAGS });
    }, 120_000);

    afterAll(async () => {
      await context?.close();
      await rm(profile, { recursive: true, force: true });
      await new Promise((resolve) => server.close(resolve));
    });

    /** What the page at `path` comes to. */
    async function resultOf(path: string): Promise<unknown> {
      const page = await context.newPage();
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
  },
);
