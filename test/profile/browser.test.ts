/** In Chromium: a page loads a program by streaming, takes its stacks and makes a pprof file with names. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { build } from "esbuild";
import { Profile } from "pprof-format";
import { expect, it, onTestFinished } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";
import { assemble } from "../support/assemble.ts";
import { Browser } from "../support/chromium.ts";
import { describeWith } from "../support/describewith.ts";
import { CHROMIUM } from "../support/needs.ts";

const PROGRAM = `(module
  (import "env" "sample" (func $sample))
  (func $leaf call $sample)
  (func (export "run") call $leaf))`;

const PAGE = `
  import { buildProfile, Capturer, pprofFile, Symbols } from "/profile.js";
  const capturer = new Capturer(), out = new Uint32Array(32), buckets = [];
  const sample = () => {
    buckets.push({ stack: [...out.subarray(0, capturer.capture(out, 32))], size: 64, allocs: 1, frees: 0 });
  };
  const { instance } = await WebAssembly.instantiateStreaming(fetch("/app.wasm"), { env: { sample } });
  [1, 2].forEach(function each() { instance.exports.run(); });
  const symbols = new Symbols(new Uint8Array(await (await fetch("/app.wasm")).arrayBuffer()));
  const profile = buildProfile({ rate: 1, buckets, texts: new Map(capturer.takeTexts()) }, { symbols });
  await fetch("/made", { method: "POST", body: await pprofFile(profile) });
`;

describeWith(CHROMIUM, "a page", () => {
  it("makes a file that has its functions of wasm, of JavaScript and of the engine", async () => {
    const bundle = await build({
      entryPoints: [join(ROOT, "src", "profile", "index.ts")],
      bundle: true,
      format: "esm",
      write: false,
    });
    const files: Record<string, [type: string, body: string | Uint8Array]> = {
      "/": ["text/html", `<!doctype html><script type="module" src="/page.js"></script>`],
      "/page.js": ["text/javascript", PAGE],
      "/profile.js": ["text/javascript", bundle.outputFiles[0]!.contents],
      "/app.wasm": ["application/wasm", assemble(PROGRAM)],
    };
    const server = createServer();
    onTestFinished(() => void server.close());
    const made = new Promise<Buffer>((resolve, reject) => {
      server.on("request", async (request, response) => {
        if (request.url === "/made") {
          resolve(Buffer.concat(await request.toArray()));
          response.end();
          return;
        }
        const [type, body] = files[request.url!] ?? ["text/plain", ""];
        response.writeHead(type === "text/plain" ? 404 : 200, { "content-type": type }).end(body);
      });
      server.on("error", reject);
    });
    server.listen(0);
    await once(server, "listening");
    const browser = await Browser.open();
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    const failed = new Promise<never>((_, reject) => page.on("pageerror", reject));
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    const file = Profile.decode(gunzipSync(await Promise.race([made, failed])));
    const text = (index: number | bigint) => file.stringTable.strings[Number(index)]!;
    const names = file.sample[0]!.locationId.map((id) => {
      const { line } = file.location.find((one) => Number(one.id) === Number(id))!;
      return text(file.function.find((one) => Number(one.id) === Number(line[0]!.functionId))!.name);
    });
    expect(file.sample).toHaveLength(1);
    expect(file.sample[0]!.value.map(Number)).toEqual([2, 128, 2, 128]);
    // A function without a name section is called by its number
    expect(names).toEqual(["wasm-function[1]", "run", "each", "Array.forEach", "(anonymous)"]);
  });
});
