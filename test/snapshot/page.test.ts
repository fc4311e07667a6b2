/**
 * The page of `gomalloc map --html` in Chromium, from a file: what it shows of snapshots whose blocks are known, what the
 * pointer and the keyboard do, filters, series, differences, sorting, light and dark. Nothing of it is fetched.
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { classFigures, compareSnapshots, type HeapSnapshot, readSnapshot } from "../../src/snapshot/index.ts";
import { World } from "../shared/support/core-world.ts";
import { Browser } from "../support/chromium.ts";
import { describeWith } from "../support/describewith.ts";
import { ROOT } from "../support/installed.ts";
import { CHROMIUM } from "../support/needs.ts";
import { wasmModule } from "../support/wasm.ts";
import { series } from "./support/heaps.ts";

const { snapshots } = series();
const last = snapshots.at(-1)!;

/** A shared heap with two owners, and spans that nobody owns. */
const shared = (() => {
  const world = new World(wasmModule("host-shared"), 16, 4096);
  const [a, b, c] = [world.thread(1), world.thread(2), world.thread(3)];
  for (const t of [a, b, c]) t.acquire();
  for (const t of [a, b, c]) t.mallocs(600, 200);
  c.e.releaseP();
  a.e.flushP(3);
  return readSnapshot(world.memory);
})();

describeWith(CHROMIUM, "the page", () => {
  let folder: string;
  let browser: Browser;
  let page: Page;
  const failures: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "gomalloc-page-"));
    const files: Record<string, unknown> = { series: snapshots, one: [last], shared: [shared] };
    for (const [name, contents] of Object.entries(files)) {
      await writeFile(join(folder, `${name}.json`), JSON.stringify(contents));
      const args = [join(ROOT, "dist", "cli", "main.js"), "map", `${name}.json`, "--html", `${name}.html`];
      expect(spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" }).stderr).toBe("");
    }
    browser = await Browser.open();
  });
  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    failures.length = 0;
  });

  async function open(name: string): Promise<void> {
    page = await browser.newPage();
    page.on("pageerror", (error) => failures.push(String(error)));
    page.on("request", (request) => {
      if (!request.url().startsWith("file:")) failures.push(request.url());
    });
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(pathToFileURL(join(folder, `${name}.html`)).href);
    await page.waitForSelector("#rows tr");
  }

  async function close(): Promise<void> {
    expect(failures).toEqual([]);
    await page.close();
  }

  const textOf = (selector: string) => page.locator(selector).innerText();
  const shown = () => textOf("#shown");
  const cells = (column: number) => page.locator(`#rows td:nth-child(${column})`).allInnerTexts();

  /** Spans, blocks and live bytes as the page writes them. */
  function sums(
    snapshot: HeapSnapshot,
    fits: (span: { kind: string; row: number; owner?: number }) => boolean,
  ): string {
    const spans = [...snapshot.spans()];
    const own = spans.filter(fits);
    const n = (value: number) => value.toLocaleString("en");
    const which = own.length === spans.length ? n(own.length) : `${n(own.length)} of ${n(spans.length)}`;
    return `${which} spans · ${n(own.reduce((sum, { live }) => sum + live, 0))} blocks · `;
  }

  /** Chooses the page of an address, which brings it to the middle or near. */
  async function goTo(address: number): Promise<void> {
    await page.fill("#address", `0x${address.toString(16)}`);
    await page.press("#address", "Enter");
  }

  it("shows the last snapshot: figures, kinds and classes", async () => {
    await open("series");
    expect(await textOf("#about")).toContain(`round 3 · host heap at 0x${last.address.toString(16)}`);
    expect(await shown()).toContain(sums(last, () => true));
    const kinds = await page
      .locator("#legend button")
      .evaluateAll((all) => all.map((one) => (one as HTMLElement).dataset.kind));
    const there = new Set([...last.spans()].map(({ kind }): string => kind));
    for (const kind of there) expect(kinds).toContain(kind);
    expect(await page.locator("#rows tr").count()).toBe(last.rows.length);
    expect(await page.locator("#owner-label").isVisible()).toBe(false);
    await close();
  });

  it("tells of a span, its slots and a sampled block under the pointer and by keys", async () => {
    await open("one");
    const { address, size, stack } = last.samples![0]!;
    const { span } = last.slotAt(address)!;
    await goTo(address);
    const detail = await textOf("#detail");
    expect(detail).toContain(`0x${(span.page * 8192).toString(16)}, ${span.pages} page`);
    expect(detail).toContain(`${span.live} of ${span.slots}`);
    expect(detail).toContain(`Sampled block of ${size} bytes at 0x${address.toString(16)}, 65.0 s old`);
    // What stands in a stack is text, whatever is in it.
    for (const frame of stack!) expect(detail).toContain(frame);
    await page.focus("#map");
    await page.keyboard.press("s");
    const box = (await page.locator("#map").boundingBox())!;
    const found = new Set<string>();
    for (let i = 1; i < 12; i++) {
      await page.mouse.move(box.x + 82 + ((box.width - 82) * i) / 12, box.y + box.height / 2);
      const tip = await textOf("#tip");
      const slot = /Slot \d+ (0x[0-9a-f]+), (live|free)/.exec(tip);
      if (slot === null) continue;
      const { live } = last.slotAt(Number(slot[1]))!;
      expect(slot[2]).toBe(live ? "live" : "free");
      found.add(slot[1]!);
    }
    expect(found.size).toBeGreaterThan(0);
    await page.focus("#map");
    await page.keyboard.press("Home");
    expect(await page.locator("#cursor").textContent()).toContain("Records of the heap");
    await page.keyboard.press("ArrowRight");
    expect(await page.locator("#cursor").textContent()).toContain(`Page: ${last.start + 1}, `);
    await close();
  });

  it("filters by kind, by class and by the table's lines, and shows all again", async () => {
    await open("series");
    await page.click('#legend [data-kind="malloc"]');
    expect(await page.getAttribute('#legend [data-kind="malloc"]', "aria-pressed")).toBe("false");
    expect(await shown()).toContain(sums(last, ({ kind }) => kind !== "malloc"));
    await page.click("#reset");
    expect(await shown()).toContain(sums(last, () => true));
    expect(await page.locator("#reset").isVisible()).toBe(false);
    const { row } = last.rows.find(({ kind }) => kind === "scan")!;
    await page.selectOption("#class", `${row}`);
    expect(await shown()).toContain(sums(last, (one) => one.row === row));
    expect(await page.getAttribute(`#rows tr[data-row="${row}"]`, "aria-selected")).toBe("true");
    const large = page.locator('#rows tr[data-row="0"]');
    await large.focus();
    await page.keyboard.press("Enter");
    expect(await shown()).toContain(sums(last, ({ kind }) => kind === "large"));
    expect(await page.inputValue("#class")).toBe("0");
    await close();
  });

  it("filters by owner", async () => {
    await open("shared");
    const owners = new Set([...shared.spans()].map(({ owner }) => owner));
    expect(owners).toEqual(new Set([1, 2, undefined]));
    for (const owner of owners) {
      await page.selectOption("#owner", `${owner ?? 0}`);
      expect(await shown()).toContain(sums(shared, (one) => one.owner === owner));
    }
    await close();
  });

  it("moves through the series by slider, buttons and keys", async () => {
    await open("series");
    expect(await textOf("#when")).toBe("4 of 4, round 3");
    await page.locator("#slider").fill("1");
    expect(await textOf("#when")).toBe("2 of 4, round 1");
    expect(await shown()).toContain(sums(snapshots[1]!, () => true));
    await page.click("#before");
    expect(await shown()).toContain(sums(snapshots[0]!, () => true));
    expect(await page.locator("#before").isDisabled()).toBe(true);
    await page.focus("#map");
    await page.keyboard.press("]");
    expect(await page.inputValue("#slider")).toBe("1");
    await close();
    await open("one");
    expect(await page.locator("#series").isVisible()).toBe(false);
    expect(await page.locator("#compare-label").isVisible()).toBe(false);
    await close();
  });

  it("compares two snapshots", async () => {
    await open("series");
    await page.selectOption("#compare", "0");
    const { totals, spans } = compareSnapshots(snapshots[0]!, last);
    const delta = totals.heapAlloc[1] - totals.heapAlloc[0];
    const said = await textOf("#totals div:first-child");
    expect(said).toContain(delta > 0 ? "+" : "-");
    expect(await textOf("#legend")).toContain("more live than before");
    const change = spans.find(({ what, gone }) => what === "changed" && gone > 0)!;
    await goTo(change.page * 8192);
    expect(await textOf("#detail")).toContain(`${change.gone} freed live`);
    await page.selectOption("#compare", "");
    expect(await textOf("#legend")).not.toContain("more live than before");
    await close();
  });

  it("sorts the table by any column, both ways", async () => {
    await open("series");
    const figures = classFigures(last);
    expect(await page.getAttribute("#heads th:nth-child(8)", "aria-sort")).toBe("descending");
    expect((await cells(2))[0]).toBe(`${figures[0]!.size}`);
    const sizes = () => cells(2).then((all) => all.map((text) => (text === "–" ? 0 : Number(text))));
    await page.click("#heads th:nth-child(2) button");
    const down = await sizes();
    expect(down).toEqual([...down].sort((a, b) => b - a));
    await page.click("#heads th:nth-child(2) button");
    expect(await sizes()).toEqual([...down].sort((a, b) => a - b));
    expect(await page.getAttribute("#heads th:nth-child(2)", "aria-sort")).toBe("ascending");
    await page.click("#heads th:nth-child(1) button");
    const kinds = await cells(1);
    expect(kinds).toEqual([...kinds].sort());
    await close();
  });

  it("is light or dark as the system says, until the button says otherwise", async () => {
    await open("one");
    // The page hears of the system's choice a moment later.
    const becomes = (theme: string) => page.waitForSelector(`html[data-theme="${theme}"]`);
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.emulateMedia({ colorScheme: "light" });
    await becomes("light");
    const light = await ground();
    await page.emulateMedia({ colorScheme: "dark" });
    await becomes("dark");
    expect(await ground()).not.toBe(light);
    await page.click("#theme");
    await becomes("light");
    await page.emulateMedia({ colorScheme: "light" });
    expect(await ground()).toBe(light);
    await close();
  });

  it("draws spans in colours of their kinds, and zooms by wheel, buttons and keys", async () => {
    await open("one");
    /** Pixels of the canvas that are nearly of a kind's colour. */
    const pixels = (kind: string) =>
      page.evaluate(
        (name) =>
          new Promise<number>((done) => {
            // After the frame that is asked for.
            requestAnimationFrame(() =>
              requestAnimationFrame(() => {
                const canvas = document.getElementById("map") as HTMLCanvasElement;
                const color = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
                const want = [1, 3, 5].map((i) => Number.parseInt(color.slice(i, i + 2), 16));
                const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
                let n = 0;
                for (let i = 0; i < data.length; i += 4) {
                  if (want.every((value, k) => Math.abs(value - data[i + k]!) < 3)) n++;
                }
                done(n);
              }),
            );
          }),
        kind,
      );
    const whole = await pixels("large");
    expect(whole).toBeGreaterThan(100);
    await page.click('#legend [data-kind="large"]');
    expect(await pixels("large")).toBeLessThan(whole / 20);
    await page.click("#reset");
    expect(await pixels("large")).toBe(whole);
    const large = [...last.spans()].find(({ kind }) => kind === "large")!;
    await goTo(large.page * 8192);
    const near = await pixels("large");
    await page.click("#zoom-in");
    expect(await pixels("large")).toBeGreaterThan(near);
    await page.focus("#map");
    await page.keyboard.press("0");
    expect(await pixels("large")).toBeGreaterThan(100);
    const box = (await page.locator("#map").boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 100);
    const before = await pixels("malloc");
    await page.mouse.wheel(0, -600);
    expect(await pixels("malloc")).not.toBe(before);
    await close();
  });

  it("refuses an address outside of the heap, and says which there are", async () => {
    await open("one");
    await goTo(last.end * 8192 + 5);
    const said = await page.locator("#address").evaluate((one) => (one as HTMLInputElement).validationMessage);
    expect(said).toContain(`up to 0x${(last.end * 8192 - 1).toString(16)}`);
    expect(await textOf("#detail")).toContain("Click a page");
    await close();
  });

  it("fits on a narrow screen", async () => {
    await open("series");
    await page.setViewportSize({ width: 390, height: 800 });
    const widest = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(widest).toBeLessThanOrEqual(390);
    expect(await page.locator("#detail").isVisible()).toBe(true);
    await close();
  });
});
