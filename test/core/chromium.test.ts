/**
 * The core part of the tests in Chromium: test files of Node's, bundled and run in a page by vitest's runner, over the
 * modules in build/. What they have of Node is replaced: files are served, Buffer is what wasm.ts uses of it.
 */
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { build, type Plugin } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { BUILD_DIR, ROOT } from "../../scripts/build-tools.ts";
import { Browser } from "../support/chromium.ts";
import { describeWith } from "../support/describewith.ts";
import { CHROMIUM } from "../support/needs.ts";
import { FILES } from "../support/wasm.ts";
import type { FileResult } from "./support/chromium-page.ts";

/** Test files and the fewest tests that they have. */
const TESTS = {
  "core/coarse": 5,
  "core/conformance": 150,
  "core/foreign": 5,
  "core/growth": 20,
  "core/pagealloc": 40,
  "core/pagecache": 15,
  "core/pallocbits": 80,
  "core/scattered": 2,
  "core/smallheap": 2,
  "core/startlimits": 30,
  "core/widen": 30,
  "host/callbacks": 50,
  "host/dispose": 5,
  "host/errors": 20,
  "host/gc-both": 40,
  "host/gc-collector": 20,
  "host/gc-realloc": 10,
  "host/gc-roots": 5,
  "host/gc-settings": 4,
  "host/gc-types": 5,
  "host/heap": 40,
  "host/highmem": 2,
  "host/views": 20,
} as const;

/** What stands in for Node in the page, before anything is imported. */
const BANNER = `
  globalThis.process = { env: { PROPERTY_SCALE: "1" }, versions: {}, execArgv: [], argv: [], cwd: () => "/" };
  globalThis.Buffer = class {
    static alloc(n, value) { return new Uint8Array(n).fill(value); }
    static from(buffer, at, length) { return new Uint8Array(buffer, at, length); }
    static compare(a, b) {
      for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
      return a.length - b.length;
    }
  };`;

/** The modules of Node that the files import, as far as they use them. */
const NODE: Plugin = {
  name: "node",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:|^(fs|path|url|module|util|os)$/ }, ({ path }) => ({ path, namespace: "node" }));
    onResolve({ filter: /\/build-tools\.ts$/ }, () => ({ path: "build-tools", namespace: "node" }));
    onLoad({ filter: /./, namespace: "node" }, ({ path }) => ({ contents: SHIMS[path] ?? OTHER, loader: "js" }));
  },
};
const OTHER =
  "module.exports = new Proxy({}, { get: (_, name) => name === '__esModule' ? undefined : () => undefined })";
const SHIMS: Record<string, string> = {
  "node:fs": "exports.readFileSync = (path) => globalThis.served.get(path.split('/').at(-1));",
  "node:path": "exports.join = (...parts) => parts.join('/');",
  "build-tools": "exports.ROOT = ''; exports.BUILD_DIR = 'build';",
};

/** What the page has. */
interface InPage {
  runFile(name: string): Promise<FileResult>;
}

describeWith(CHROMIUM, "in Chromium", () => {
  let server: Server;
  let browser: Browser;

  beforeAll(async () => {
    const names = Object.keys(TESTS);
    const contents = `
      import { runFile } from "./core/support/chromium-page.ts";
      globalThis.loads = { ${names.map((name) => `"${name}": () => import("./${name}.test.ts")`).join(", ")} };
      globalThis.served = new Map();
      globalThis.runFile = async (name) => {
        await Promise.all(${JSON.stringify(Object.values(FILES))}.map(async (file) => {
          const response = await fetch("/" + file);
          globalThis.served.set(file, new Uint8Array(await response.arrayBuffer()));
        }));
        return runFile("/" + name, globalThis.loads[name]);
      };`;
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: join(ROOT, "test"), loader: "ts" },
      banner: { js: BANNER },
      plugins: [NODE],
      ...{ bundle: true, format: "esm", write: false, target: "esnext", logLevel: "error" },
    });
    server = createServer((request, response) => {
      const file = basename(request.url!);
      const send = (type: string, body: string | Uint8Array) =>
        response
          .writeHead(200, {
            "content-type": type,
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-embedder-policy": "require-corp",
          })
          .end(body);
      if (file === "page.js") send("text/javascript", outputFiles[0]!.text);
      else if (file.endsWith(".wasm"))
        void readFile(join(BUILD_DIR, file)).then((body) => send("application/wasm", body));
      else send("text/html", `<!doctype html><script type="module" src="/page.js"></script>`);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    browser = await Browser.open();
  });

  afterAll(async () => {
    await browser?.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it.each(Object.entries(TESTS))("test/%s.test.ts", async (name, fewest) => {
    // A page of its own: Chromium gives a page address space for about a hundred memories, until it collects some.
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const { passed, failed } = await page.evaluate((name) => (globalThis as unknown as InPage).runFile(name), name);
    await page.close();
    expect([...errors, ...failed]).toEqual([]);
    expect(passed).toBeGreaterThanOrEqual(fewest);
  });
});
