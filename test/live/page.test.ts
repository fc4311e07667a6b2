/**
 * The live view in Chromium: frames of a heap that works, its figures, pausing, comparing, slots, filters that stay, the
 * end; and in an element of a page that has the heap itself. Nothing is fetched from elsewhere.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createHeap, type Heap } from "../../src/index.ts";
import { type LiveServer, serveHeap } from "../../src/live/server.ts";
import { Browser } from "../support/chromium.ts";
import { describeWith } from "../support/describewith.ts";
import { ROOT } from "../support/installed.ts";
import { CHROMIUM } from "../support/needs.ts";

describeWith(CHROMIUM, "in Chromium", () => {
  let browser: Browser;
  let heap: Heap;
  let live: LiveServer;
  let page: Page;
  const failures: string[] = [];

  beforeAll(async () => {
    browser = await Browser.open();
  });
  afterAll(() => browser.close());

  async function open(): Promise<void> {
    failures.length = 0;
    heap = createHeap();
    heap.malloc(1000);
    live = await serveHeap(heap, { label: "<b>my heap</b>" });
    page = await browser.newPage();
    page.on("pageerror", (error) => failures.push(String(error)));
    page.on("request", (request) => {
      if (!request.url().startsWith(live.url)) failures.push(request.url());
    });
    await page.setViewportSize({ width: 1280, height: 860 });
    await page.goto(live.url);
    await page.waitForSelector("#rows tr");
  }

  async function close(): Promise<void> {
    await page.close();
    await live.close();
    expect(failures).toEqual([]);
  }

  /** Waits until the page says so. */
  async function says(selector: string, what: RegExp): Promise<void> {
    await page.locator(selector).filter({ hasText: what }).waitFor();
  }

  it("shows what the heap does, as it does it", async () => {
    await open();
    expect(await page.title()).toBe("<b>my heap</b> · live heap");
    expect(await page.locator("#title").innerText()).toBe("<b>my heap</b>");
    await says("#shown", /^1 span · 1 block /);
    const blocks = Array.from({ length: 5000 }, () => heap.malloc(100));
    await says("#shown", / · 5,001 blocks/);
    await says("#blocks-key", /5,001/);
    for (const p of blocks) heap.free(p);
    await says("#shown", / · 1 block /);
    await says("#rate", /of 10 frames\/s · read in \d+ slices?, [\d.]+ ms, longest [\d.]+ ms/);
    heap.collector.collect();
    await says("#cycles-key", /GC cycles 1/);
    expect(await page.locator("#links a").allInnerTexts()).toEqual(["/metrics"]);
    // A line is drawn.
    const inked = await page.evaluate(() => {
      const canvas = document.getElementById("bytes-chart") as HTMLCanvasElement;
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value, i) => i % 4 === 3 && value > 0);
    });
    expect(inked).toBe(true);
    await close();
  });

  it("pauses: the heap is not read, until it goes on", async () => {
    await open();
    await page.click("#pause");
    await says("#rate", /^paused$/);
    while (live.viewers > 0) await new Promise((done) => setImmediate(done));
    heap.malloc(10);
    await page.click("#pause");
    await says("#shown", / · 2 blocks/);
    expect(live.viewers).toBe(1);
    // By the key, too.
    await page.focus("#map");
    await page.keyboard.press(" ");
    await says("#rate", /^paused$/);
    await close();
  });

  it("keeps filters and the chosen page, draws live slots, and compares with a moment", async () => {
    await open();
    const blocks = Array.from({ length: 60 }, () => heap.malloc(1000));
    await says("#shown", / · 61 blocks/);
    await page.fill("#address", `0x${blocks[3]!.toString(16)}`);
    await page.press("#address", "Enter");
    await page.click("#to-slot");
    await page.click('#legend [data-kind="metadata"]');
    // The bits of the pages that are drawn come with one of the next frames.
    const box = (await page.locator("#map").boundingBox())!;
    const slotUnderPointer = async (state: string) => {
      for (let i = 0; ; i++) {
        await page.mouse.move(box.x + box.width / 2 + (i % 2), box.y + box.height / 2);
        const tip = await page.locator("#tip").innerText();
        if (new RegExp(`Slot \\d+ 0x[0-9a-f]+, ${state}`).test(tip))
          return Number(/Slot \d+ (0x[0-9a-f]+)/.exec(tip)![1]);
      }
    };
    const address = await slotUnderPointer("live");
    expect(heap.objectBase(address)).toBe(address);
    await page.click("#mark");
    await says("#legend", /more live than before/);
    heap.free(address);
    expect(await slotUnderPointer("free")).toBe(address);
    await says("#detail", /1 freed live/);
    expect(await page.getAttribute('#legend [data-kind="metadata"]', "aria-pressed")).toBe("false");
    await page.click("#mark");
    await page.locator("#legend").filter({ hasNotText: "more live than before" }).waitFor();
    await close();
  });

  it("says that the heap is gone, and keeps its last picture; a server that comes again is found", async () => {
    await open();
    for (let i = 0; i < 9; i++) heap.malloc(50);
    await says("#shown", / · 10 blocks/);
    const { port } = live;
    await live.close();
    await says("#notice", /^Ended: the server was closed$/);
    expect(await page.locator("#shown").innerText()).toContain(" · 10 blocks");
    expect(await page.locator("#pause").isDisabled()).toBe(true);
    live = await serveHeap(heap, { port });
    await page.goto(live.url);
    await says("#shown", / · 10 blocks/);
    heap.dispose();
    await says("#notice", /^Ended: the heap was disposed of$/);
    await close();
  });

  it("is light or dark, and fits on a narrow screen", async () => {
    await open();
    await page.emulateMedia({ colorScheme: "dark" });
    await page.waitForSelector('html[data-theme="dark"]');
    await page.setViewportSize({ width: 390, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    expect(await page.locator("#compare-label").isVisible()).toBe(false);
    expect(await page.locator("#series").isVisible()).toBe(false);
    await close();
  });

  it("in an element of a page that has the heap", async () => {
    const contents = `
      import { createHeap } from ${JSON.stringify(join(ROOT, "dist/index.js"))};
      import { showHeap } from ${JSON.stringify(join(ROOT, "dist/live/index.js"))};
      const heap = createHeap();
      const views = ["a", "b"].map((id) => showHeap(heap, document.getElementById(id), { label: id }));
      globalThis.heap = heap;
      globalThis.views = views;`;
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: ROOT },
      ...{ bundle: true, format: "esm", platform: "browser", target: "es2022", write: false },
    });
    const html =
      '<!doctype html><meta charset="utf-8"><div id="a"></div><div id="b"></div><script type="module" src="/main.js"></script>';
    const server: Server = createServer(({ url }, response) => {
      response.setHeader("content-type", url === "/main.js" ? "text/javascript" : "text/html");
      response.end(url === "/main.js" ? outputFiles[0]!.contents : url === "/" ? html : "");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    page = await browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const frames = ["a", "b"].map((id) => page.frameLocator(`#${id} iframe`));
    const shown = (n: string) =>
      Promise.all(
        frames.map((one) =>
          one
            .locator("#shown")
            .filter({ hasText: ` · ${n} blocks` })
            .waitFor(),
        ),
      );
    await shown("0");
    await page.evaluate(() => {
      const { heap } = globalThis as unknown as { heap: Heap };
      for (let i = 0; i < 3000; i++) heap.malloc(i);
    });
    await shown("3,000");
    expect(await frames[0]!.locator("#title").innerText()).toBe("a");
    expect(await page.locator("iframe").first().getAttribute("sandbox")).toBe("allow-scripts");
    await page.evaluate(() => {
      const { heap, views } = globalThis as unknown as { heap: Heap; views: { close(): void }[] };
      views[1]!.close();
      heap.dispose();
    });
    await frames[0]!.locator("#notice").filter({ hasText: "Ended: the heap was disposed of" }).waitFor();
    expect(await page.locator("iframe").count()).toBe(1);
    expect(errors).toEqual([]);
    await page.close();
    server.close();
    server.closeAllConnections();
  });
});
