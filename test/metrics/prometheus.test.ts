/** prometheusText and prometheusHandler: the format, the names, the values, labels, and a scrape over HTTP. */
import { spawnSync } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { createHeap, type Heap } from "../../src/index.ts";
import {
  type HeapSource,
  PROMETHEUS_CONTENT_TYPE,
  prometheusHandler,
  prometheusText,
} from "../../src/metrics/index.ts";
import { attachHeap, createSharedHeap } from "../../src/shared/index.ts";
import { describeWith } from "../support/describewith.ts";
import { DEBIAN_BIN, PROMTOOL } from "../support/needs.ts";
import { runs } from "../support/random.ts";
import { type Metric, readExposition } from "./support/exposition.ts";

/** A heap that has done a little of everything. */
function worked(): Heap {
  const heap = createHeap();
  const gc = heap.collector;
  const blocks = Array.from({ length: 300 }, (_, i) => heap.malloc(i * 37));
  for (const ptr of blocks.slice(100)) heap.free(ptr);
  heap.malloc(100_000);
  gc.shadowStack(100);
  for (let i = 0; i < 3; i++) {
    gc.newBytes(5000).dispose();
    gc.collect();
  }
  return heap;
}

const value = (metrics: Map<string, Metric>, name: string, labels: object = {}) =>
  metrics.get(name)!.samples.find((sample) => JSON.stringify(sample.labels) === JSON.stringify(labels))!.value;

/** What Go's client publishes of MemStats. */
const GO_NAMES = [
  ...["alloc_bytes", "alloc_bytes_total", "sys_bytes", "mallocs_total", "frees_total", "heap_alloc_bytes"],
  ...["heap_sys_bytes", "heap_idle_bytes", "heap_inuse_bytes", "heap_released_bytes", "heap_objects"],
  ...["stack_inuse_bytes", "stack_sys_bytes", "mspan_inuse_bytes", "mspan_sys_bytes", "mcache_inuse_bytes"],
  ...["mcache_sys_bytes", "buck_hash_sys_bytes", "gc_sys_bytes", "other_sys_bytes", "next_gc_bytes"],
  ...["last_gc_time_seconds", "gc_cpu_fraction"],
].map((name) => `go_memstats_${name}`);

describe("prometheusText", () => {
  it("has the heap's figures under the names that Go's client gives them", () => {
    const heap = worked();
    const text = prometheusText(heap);
    const stats = heap.stats();
    const metrics = readExposition(text);
    expect([...metrics.keys()].filter((name) => name.startsWith("go_memstats_"))).toEqual(GO_NAMES);
    const fields = {
      alloc_bytes: stats.alloc,
      alloc_bytes_total: stats.totalAlloc,
      sys_bytes: stats.sys,
      mallocs_total: stats.mallocs,
      frees_total: stats.frees,
      heap_inuse_bytes: stats.heapInuse,
      heap_objects: stats.heapObjects,
      stack_inuse_bytes: 400,
      mspan_sys_bytes: stats.mspanSys,
      gc_sys_bytes: stats.gcSys,
      other_sys_bytes: stats.otherSys,
      next_gc_bytes: stats.nextGC,
      last_gc_time_seconds: stats.lastGC / 1000,
    };
    for (const [name, expected] of Object.entries(fields)) {
      expect(value(metrics, `go_memstats_${name}`), name).toBe(expected);
    }
    for (const [name, { kind }] of metrics) {
      const expected = name.endsWith("_total") ? "counter" : name === "go_gc_duration_seconds" ? "summary" : "gauge";
      expect(kind, name).toBe(expected);
    }
    expect(value(metrics, "gomalloc_stage_hits_total", { stage: "mcache" })).toBe(stats.stages.mcache.hits);
    expect(metrics.has("gomalloc_lock_contended_total")).toBe(false);
    heap.dispose();
  });

  it("keeps Go's law: the parts are the whole", () => {
    const heap = worked();
    const metrics = readExposition(prometheusText(heap));
    const bytes = (part: string) => value(metrics, `go_memstats_${part}_bytes`);
    const parts = ["heap_sys", "stack_sys", "mspan_sys", "mcache_sys", "buck_hash_sys", "gc_sys", "other_sys"];
    expect(parts.reduce((sum, part) => sum + bytes(part), 0)).toBe(bytes("sys"));
    heap.dispose();
  });

  it("has the pauses as a summary", () => {
    const heap = worked();
    const { numGC, pauseNs, pauseTotalNs } = heap.stats();
    const { samples, kind } = readExposition(prometheusText(heap)).get("go_gc_duration_seconds")!;
    expect([kind, numGC]).toEqual(["summary", 3]);
    const pauses = pauseNs.slice(0, 3).sort((a, b) => a - b);
    const quantiles = samples.slice(0, 5).map((sample) => [sample.labels["quantile"], sample.value]);
    expect(quantiles).toEqual([
      ["0", pauses[0]! / 1e9],
      // Of three pauses the quarters lie between two, and are rounded up.
      ["0.25", pauses[1]! / 1e9],
      ["0.5", pauses[1]! / 1e9],
      ["0.75", pauses[2]! / 1e9],
      ["1", pauses[2]! / 1e9],
    ]);
    expect(samples.slice(5).map(({ name, value }) => [name, value])).toEqual([
      ["go_gc_duration_seconds_sum", pauseTotalNs / 1e9],
      ["go_gc_duration_seconds_count", 3],
    ]);
    heap.dispose();
  });

  it("says +Inf for a goal without bound, and 0 where nobody has used the collector", () => {
    using heap = createHeap();
    expect(prometheusText(heap)).toContain("\ngo_memstats_next_gc_bytes 0\n");
    heap.collector.setOptions({ gcPercent: "off" });
    expect(prometheusText(heap)).toContain("\ngo_memstats_next_gc_bytes +Inf\n");
    expect(prometheusText(heap)).toContain("\ngo_gc_gogc_percent -1\n");
    expect(prometheusText(heap)).toContain("\ngo_gc_gomemlimit_bytes +Inf\n");
    readExposition(prometheusText(heap));
  });

  it("has the size classes when asked", () => {
    using heap = createHeap();
    heap.malloc(64);
    const metrics = readExposition(prometheusText(heap, { bySize: true }));
    const { bySize } = heap.stats();
    expect(metrics.get("gomalloc_class_mallocs_total")!.samples).toHaveLength(67);
    for (const { size, mallocs } of bySize.slice(1)) {
      expect(value(metrics, "gomalloc_class_mallocs_total", { size: String(size) })).toBe(mallocs);
    }
    expect(prometheusText(heap)).not.toContain("gomalloc_class");
  });

  it("has the locks and Ps of a shared heap", () => {
    const heap = createSharedHeap();
    const other = attachHeap(heap.share());
    const ptr = heap.malloc(100);
    other.malloc(8);
    other.free(ptr);
    const metrics = readExposition(prometheusText(heap));
    expect(metrics.get("gomalloc_remote_frees_total")!.samples.map((sample) => sample.value)).toEqual(
      expect.arrayContaining([1]),
    );
    expect(metrics.get("gomalloc_lock_acquisitions_total")!.samples[0]!.labels).toEqual({ lock: "0" });
    expect(metrics.get("gomalloc_p_owned_bytes")!.samples.length).toBe(heap.stats().ps.length);
    other.dispose();
    heap.dispose();
  });

  it("puts the samples of several heaps under one HELP and TYPE", () => {
    using one = createHeap();
    using two = createHeap();
    two.malloc(5000);
    const metrics = readExposition(
      prometheusText(
        [
          { heap: one, labels: { heap: "one" } },
          { heap: two, labels: { heap: "two" } },
        ],
        { labels: { job: "x" } },
      ),
    );
    expect(metrics.get("go_memstats_mallocs_total")!.samples).toEqual([
      { name: "go_memstats_mallocs_total", labels: { job: "x", heap: "one" }, value: 0 },
      { name: "go_memstats_mallocs_total", labels: { job: "x", heap: "two" }, value: 1 },
    ]);
    expect(prometheusText([])).toBe("");
  });

  it("gives any text as a label's value back to who reads it", () => {
    using heap = createHeap();
    const hard = ['a"b', "a\\b", "a\nb", "\\n", '\\"', "", " ", '{x="y"}', "ü€😀", "a,b", "\u0000\t\r"];
    for (const tag of hard) {
      expect(
        readExposition(prometheusText(heap, { labels: { tag } })).get("gomalloc_spans_in_use")!.samples[0]!.labels,
      ).toEqual({ tag });
    }
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (tag) => {
        const text = prometheusText(heap, { labels: { tag } });
        expect(readExposition(text).get("go_memstats_sys_bytes")!.samples[0]!.labels).toEqual({ tag });
      }),
      { numRuns: runs(50) },
    );
  });

  it("refuses labels and heaps that make no text of the format", () => {
    using heap = createHeap();
    const bad: [object, RegExp][] = [
      [{ labels: { "a-b": "x" } }, /letters, digits and _.*"a-b"/],
      [{ labels: { "1a": "x" } }, /letters, digits and _/],
      [{ labels: { __name__: "x" } }, /no __/],
      [{ labels: { "": "x" } }, /letters, digits and _/],
      [{ labels: { quantile: "x" } }, /quantile is a label that some metrics have of their own: choose another name/],
      [{ labels: { a: 5 } }, /labels\.a must be a string/],
      [{ labels: null }, /labels must be an object/],
      [{ bySize: 1 }, /bySize must be true or false/],
      [{ label: {} }, /has no option "label": its options are labels, bySize/],
    ];
    for (const [options, message] of bad) {
      expect(() => prometheusText(heap, options)).toThrow(TypeError);
      expect(() => prometheusText(heap, options)).toThrow(message);
    }
    expect(() => prometheusText({} as HeapSource)).toThrow("heap.stats must be a function: undefined");
    expect(() => prometheusText(null as never)).toThrow("heap must be an object: null");
    const twice = [
      { heap, labels: { a: "1" } },
      { heap, labels: { a: "1" } },
    ];
    expect(() => prometheusText(twice)).toThrow(
      "heaps[1] has the labels of another one: give each heap labels of its own",
    );
    expect(() => prometheusText([{ heap, labels: { a: "1" } }], { labels: { a: "2" } })).toThrow(TypeError);
  });
});

describeWith(PROMTOOL, "promtool check metrics", () => {
  it("finds nothing wrong", () => {
    const heap = worked();
    const shared = createSharedHeap();
    shared.malloc(10);
    const text = prometheusText(
      [
        { heap, labels: { heap: 'one "\\\n' } },
        { heap: shared, labels: { heap: "shared" } },
      ],
      { bySize: true },
    );
    const checked = spawnSync(`${DEBIAN_BIN}/promtool`, ["check", "metrics"], { input: text, encoding: "utf8" });
    expect(checked).toMatchObject({ stdout: "", stderr: "", status: 0 });
    // It is not silent to everything.
    const broken = spawnSync(`${DEBIAN_BIN}/promtool`, ["check", "metrics"], {
      input: `${text}oops{`,
      encoding: "utf8",
    });
    expect(broken.status).not.toBe(0);
    heap.dispose();
    shared.dispose();
  });
});

describe("prometheusHandler", () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  /** The address of a server with the handler. */
  async function serve(handler: ReturnType<typeof prometheusHandler>): Promise<string> {
    const listening = createServer(handler);
    server = listening;
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(listening.address() as AddressInfo).port}/metrics`;
  }

  it("serves the figures of the moment", async () => {
    using heap = createHeap();
    const url = await serve(prometheusHandler(heap, { labels: { app: "test" } }));
    for (let mallocs = 0; mallocs < 3; mallocs++) {
      const response = await fetch(url);
      expect([response.status, response.headers.get("content-type")]).toEqual([200, PROMETHEUS_CONTENT_TYPE]);
      const metrics = readExposition(await response.text());
      expect(value(metrics, "go_memstats_mallocs_total", { app: "test" })).toBe(mallocs);
      heap.malloc(10);
    }
  });

  it("answers HEAD without a body, and other methods with what to use", async () => {
    using heap = createHeap();
    const url = await serve(prometheusHandler(heap));
    const head = await fetch(url, { method: "HEAD" });
    expect([head.status, head.headers.get("content-type"), await head.text()]).toEqual([
      200,
      PROMETHEUS_CONTENT_TYPE,
      "",
    ]);
    const post = await fetch(url, { method: "POST", body: "x" });
    expect([post.status, post.headers.get("allow"), await post.text()]).toEqual([
      405,
      "GET, HEAD",
      "POST is not allowed: use GET\n",
    ]);
  });

  it("says why a heap cannot be read, and goes on", async () => {
    const heap = createHeap();
    const url = await serve(prometheusHandler(heap));
    heap.dispose();
    for (let i = 0; i < 2; i++) {
      const response = await fetch(url);
      expect(response.status).toBe(500);
      expect(await response.text()).toMatch(/^HeapDisposedError: .+\n$/);
    }
  });

  it("checks its options when it is made", () => {
    using heap = createHeap();
    expect(() => prometheusHandler(heap, { labels: { "a b": "" } })).toThrow(TypeError);
    expect(() => prometheusHandler(5 as never)).toThrow(TypeError);
  });
});
