/** speedscope, as npm has it, opens the pprof file in Chromium and shows its numbers. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";
import { pprofFile } from "../../src/profile/pprof.ts";
import { buildProfile } from "../../src/profile/profile.ts";
import { Browser } from "../support/chromium.ts";
import { describeWith } from "../support/describewith.ts";
import { CHROMIUM } from "../support/needs.ts";
import { bucket, record, SYMBOLS } from "./support/records.ts";

const APP = join(ROOT, "node_modules", "speedscope", "dist", "release");
const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

/** The address of speedscope, with the file as /heap.pb.gz. */
async function serve(file: Uint8Array): Promise<string> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, "http://localhost");
    const body = pathname === "/heap.pb.gz" ? Promise.resolve(file) : readFile(join(APP, pathname));
    response.setHeader("content-type", TYPES[extname(pathname)] ?? "application/octet-stream");
    body.then((bytes) => response.end(bytes)).catch(() => response.writeHead(404).end());
  });
  onTestFinished(() => void server.close());
  server.listen(0);
  await once(server, "listening");
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

describeWith(CHROMIUM, "speedscope", () => {
  it("shows bytes in use by function, of the function itself and of all below it", async () => {
    const buckets = [bucket([100, 200, 400], 1024, 4, 1), bucket([100, 300, 400], 4096, 3)];
    const profile = buildProfile(record(1, buckets), { symbols: SYMBOLS });
    const origin = await serve(await pprofFile(profile));
    const browser = await Browser.open();
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`${origin}/index.html#profileURL=${encodeURIComponent(`${origin}/heap.pb.gz`)}&title=heap`);
    // The table: "sandwich"
    await page.getByText("Sandwich").click();
    await page.getByText("Symbol Name").waitFor();
    const text = await page.locator("body").innerText();
    const rows = text
      .split("Symbol Name")[1]!
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
    expect(rows.slice(0, 9)).toEqual([
      ...["12.00 KB (80%)", "12.00 KB (80%)", "tree"],
      ...["3.00 KB (20%)", "3.00 KB (20%)", "parse"],
      ...["15.00 KB (100%)", "0 B (<0.01%)", "main"],
    ]);
  });
});
