/** Flame graphs: boxes as wide as what they hold, names of any characters, nothing that runs or loads. */
import { describe, expect, it } from "vitest";
import { diffProfiles } from "../../src/profile/diff.ts";
import { flameGraph } from "../../src/profile/flamegraph.ts";
import { buildProfile } from "../../src/profile/profile.ts";
import { frameText, textNumber } from "../../src/profile/text.ts";
import { bucket, JS_MAIN, record, SYMBOLS } from "./support/records.ts";

const BUCKETS = [
  bucket([100, 200, 400, JS_MAIN[0]], 1024, 48, 16),
  bucket([100, 200, 400, JS_MAIN[0]], 512, 2),
  bucket([100, 300, 200, 400], 2 ** 20, 3),
];
const PROFILE = buildProfile(record(1, BUCKETS), { symbols: SYMBOLS, program: { name: "app.wasm" } });

/** The boxes of a picture, by what their tooltips say. */
function boxesOf(svg: string) {
  const all = svg.matchAll(/<title>(.*?)<\/title><rect x="([\d.]+)" y="(\d+)" width="([\d.]+)"/g);
  return [...all].map(([, title, x, y, width]) => ({
    title: title!,
    x: Number(x),
    y: Number(y),
    width: Number(width),
  }));
}

describe("flameGraph", () => {
  it("draws each function below its caller, as wide as what it holds", () => {
    const svg = flameGraph(PROFILE, { width: 1224 });
    const boxes = boxesOf(svg);
    const [root] = boxes;
    expect(root).toMatchObject({ title: "all: 3.03MB, 100.0 %", x: 12, width: 1199.5 });
    const named = (name: string) => boxes.filter(({ title }) => title.startsWith(`${name}: `));
    const [tree] = named("tree");
    expect(tree!.title).toBe("tree: 3MB, 98.9 %");
    expect(tree!.width / root!.width).toBeCloseTo(0.989, 2);
    // The same functions by two ways are two boxes: their sum is what the table says.
    const nodes = named("node").map(({ width }) => width);
    expect(nodes.reduce((sum, width) => sum + width, 0) / root!.width).toBeCloseTo(0.989, 2);
    for (const box of boxes) {
      const above = boxes.filter(
        ({ y, x, width }) => y === box.y - 18 && x <= box.x + 0.1 && x + width >= box.x + box.width - 0.6,
      );
      expect(above.length, box.title).toBe(box === root ? 0 : 1);
    }
    expect(svg).toContain("app.wasm: inuse_space, 3.03MB");
  });

  it("counts what the type says, and leaves out what has shrunk", () => {
    expect(boxesOf(flameGraph(PROFILE, { sampleType: "alloc_objects" }))[0]!.title).toBe("all: 53, 100.0 %");
    const less = buildProfile(record(1, BUCKETS.slice(0, 2)), { symbols: SYMBOLS });
    expect(boxesOf(flameGraph(diffProfiles(PROFILE, less)))).toHaveLength(1);
    expect(boxesOf(flameGraph(buildProfile(record(1, []))))[0]!.title).toBe("all: 0, 0.0 %");
  });

  it("is a picture alone, whatever functions are called", () => {
    const text = frameText(`<script>alert("1 & 2")</script>\u202e`, "", "", "");
    const wild = { ...record(1, [bucket([textNumber(text)], 100, 1)]), texts: new Map([[textNumber(text), text]]) };
    const svg = flameGraph(buildProfile(wild), { title: "a<b>" });
    expect(svg).not.toMatch(/<script|href|url\(|\u202e/);
    expect(svg).toContain("&lt;script&gt;alert(&quot;1 &amp; 2&quot;)&lt;/script&gt;\ufffd");
    expect(svg).toContain("a&lt;b&gt;: inuse_space");
  });
});
