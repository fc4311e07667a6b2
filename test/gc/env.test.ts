/** Settings from strings and from the environment: Go's parseByteCount, GOGC, GOMEMLIMIT and GODEBUG. */
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createHeap, optionsFromEnv, parseByteCount, parseGODEBUG } from "../../src/index.ts";
import { createSharedHeap } from "../../src/shared/index.ts";
import { runs } from "../support/random.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

describe("parseByteCount", () => {
  // The cases of Go's own test.
  it.each<[string, bigint]>([
    ["1", 1n],
    ["12345", 12345n],
    ["012345", 12345n],
    ["98765432100", 98765432100n],
    ["9223372036854775807", 2n ** 63n - 1n],
    ["1B", 1n],
    ["12345B", 12345n],
    ["012345B", 12345n],
    ["98765432100B", 98765432100n],
    ["9223372036854775807B", 2n ** 63n - 1n],
    ["0KiB", 0n],
    ["05KiB", 5n << 10n],
    ["1KiB", 1n << 10n],
    ["10KiB", 10n << 10n],
    ["9007199254740991KiB", ((1n << 53n) - 1n) << 10n],
    ["0MiB", 0n],
    ["64MiB", 64n << 20n],
    ["8796093022207MiB", ((1n << 43n) - 1n) << 20n],
    ["05GiB", 5n << 30n],
    ["8589934591GiB", ((1n << 33n) - 1n) << 30n],
    ["1TiB", 1n << 40n],
    ["8388607TiB", ((1n << 23n) - 1n) << 40n],
  ])("%s", (text, bytes) => {
    expect(parseByteCount(text)).toBe(bytes);
  });

  it.each([
    ...[
      "",
      "B",
      "KiB",
      "iB",
      "i",
      "K",
      "1i",
      "1iB",
      "1K",
      "1KB",
      "1kib",
      "1Kib",
      "1kiB",
      "1k",
      "1MB",
      "1Mi",
      "1G",
      "1GB",
    ],
    ...["-1", "-0", "-1KiB", "+1", "+1KiB", " 1", "1 ", "1 KiB", "1KiB ", "\t1", "1\n", "1_000", "1,000"],
    ...["1.5", "1.0KiB", "0.5MiB", "1e3", "0x10", "1PiB", "1EiB", "1ZiB", "1bytes", "abc", "off", "\u0661", "1\u0000"],
    ...["9223372036854775808", "9223372036854775808B", "9007199254740992KiB", "8796093022208MiB", "8589934592GiB"],
    ...["8388608TiB", "9223372036854775807KiB", "99999999999999999999", "18446744073709551616", "9".repeat(10_000)],
  ])("not %j", (text) => {
    expect(parseByteCount(text)).toBeNull();
  });

  it("takes what Go's documented pattern takes, in its range, and nothing else", () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom(..."0019KMGTPiB -.") }),
      fc
        .tuple(fc.bigInt(0n, 2n ** 64n), fc.constantFrom("", "B", "KiB", "MiB", "GiB", "TiB"))
        .map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, (s) => {
        const match = /^([0-9]+)(([KMGT]i)?B)?$/.exec(s);
        const unit = match?.[3] === undefined ? 1n : 1024n ** BigInt("KMGT".indexOf(match[3][0]!) + 1);
        const bytes = match === null ? null : BigInt(match[1]!) * unit;
        expect(parseByteCount(s)).toBe(bytes === null || bytes > 2n ** 63n - 1n ? null : bytes);
      }),
      { numRuns: runs(2000) },
    );
  });
});

describe("settings as strings", () => {
  const settings = (collector: object) => {
    using heap = createHeap({ collector });
    return heap.collector.settings;
  };

  it.each([
    ["100", 100],
    ["0", 0],
    ["50", 50],
    ["007", 7],
    ["off", -1],
    ["-1", -1],
    ["-20", -1],
    ["2147483647", 2147483647],
  ])("gcPercent %j is %d", (gcPercent, percent) => {
    expect(settings({ gcPercent }).gcPercent).toBe(percent);
  });

  it.each(["", "on", "OFF", "50%", " 50", "1.5", "1e2", "+5", "2147483648", "-2147483649", "0x10"])(
    "gcPercent is not %j",
    (gcPercent) => {
      expect(() => settings({ gcPercent })).toThrow(RangeError);
      expect(() => settings({ gcPercent })).toThrow(/^gcPercent must be an integer .*or "off": /);
    },
  );

  it.each([
    ["64MiB", 64 << 20],
    ["1000000", 1_000_000],
    ["1B", 1],
    ["off", Number.POSITIVE_INFINITY],
    // More than the heap can count is no limit; none at all is the least there is, as in Go.
    ["8388607TiB", Number.POSITIVE_INFINITY],
    ["0", 1],
    ["0MiB", 1],
  ])("memoryLimit %j is %d", (memoryLimit, bytes) => {
    expect(settings({ memoryLimit }).memoryLimit).toBe(bytes);
  });

  it.each(["", "64MB", "64M", "-1", "1.5GiB", "64 MiB", "unlimited", "9223372036854775808"])(
    "memoryLimit is not %j",
    (memoryLimit) => {
      expect(() => settings({ memoryLimit })).toThrow(RangeError);
      expect(() => settings({ memoryLimit })).toThrow(/^memoryLimit must be bytes: .*"64MiB" .*"off": /);
    },
  );

  it("are for shared heaps and setOptions too, and nothing changes when one is bad", () => {
    const heap = createSharedHeap({ collector: { gcPercent: "25", memoryLimit: "32MiB" } });
    const gc = heap.collector;
    expect(gc.settings).toMatchObject({ gcPercent: 25, memoryLimit: 32 << 20 });
    gc.setOptions({ gcPercent: "off", memoryLimit: "1GiB" });
    expect(gc.settings).toMatchObject({ gcPercent: -1, memoryLimit: 1 << 30 });
    expect(() => gc.setOptions({ gcPercent: "10", memoryLimit: "10MB" })).toThrow(RangeError);
    expect(gc.settings).toMatchObject({ gcPercent: -1, memoryLimit: 1 << 30 });
    heap.dispose();
  });
});

describe("parseGODEBUG", () => {
  const print = () => {};

  it.each<[string, object]>([
    ["", {}],
    ["gctrace=1", { trace: print }],
    ["gctrace=2", { trace: print }],
    ["gctrace=0", { trace: null }],
    ["gccheckmark=1,clobberfree=1", { checkmark: true, clobberfree: true }],
    ["gccheckmark=0,clobberfree=0", { checkmark: false, clobberfree: false }],
    // The last one holds.
    ["gccheckmark=1,gccheckmark=0", { checkmark: false }],
    // What Go has and we have not, what nobody has, and what is no name.
    ["madvdontneed=1,http2debug=2,inittrace=x,gctrace=1", { trace: print }],
    ["schedtrace,,=,=1,constructor=1,__proto__=2, gctrace=1", {}],
  ])("%j", (text, settings) => {
    expect(parseGODEBUG(text, print)).toEqual(settings);
  });

  it.each([
    "gctrace",
    "gctrace=",
    "gctrace=on",
    "gccheckmark=true",
    "clobberfree=1.5",
    "clobberfree=1 ",
    "gctrace=99999999999",
  ])("tells what is wrong with %j", (text) => {
    const [name] = text.split("=");
    expect(() => parseGODEBUG(`x=y,${text},z=1`)).toThrow(RangeError);
    expect(() => parseGODEBUG(text)).toThrow(`GODEBUG: ${name} must be a whole number, as in ${name}=1: "${text}"`);
  });
});

describe("optionsFromEnv", () => {
  it("takes the three variables, and no other setting", () => {
    const print = () => {};
    const env = { GOGC: "50", GOMEMLIMIT: "64MiB", GODEBUG: "gctrace=1,gccheckmark=1,clobberfree=1", GOMAXPROCS: "3" };
    expect(optionsFromEnv(env, print)).toEqual({
      gcPercent: 50,
      memoryLimit: 64 << 20,
      trace: print,
      checkmark: true,
      clobberfree: true,
    });
    expect(optionsFromEnv({ GOGC: "off", GOMEMLIMIT: "off" })).toEqual({
      gcPercent: -1,
      memoryLimit: Number.POSITIVE_INFINITY,
    });
    for (const none of [{}, { GOGC: "", GOMEMLIMIT: "", GODEBUG: "" }, { GOGC: undefined }]) {
      expect(optionsFromEnv(none)).toEqual({});
    }
  });

  it.each([
    [{ GOGC: "50%" }, 'GOGC must be a percentage, as in GOGC=50, or off: "50%"'],
    [{ GOMEMLIMIT: "64MB" }, /^GOMEMLIMIT must be bytes, with B, KiB, MiB, GiB or TiB .* as in 64MiB, or off: "64MB"$/],
    [{ GODEBUG: "gctrace=yes" }, 'GODEBUG: gctrace must be a whole number, as in gctrace=1: "gctrace=yes"'],
  ])("tells what is wrong: %j", (env, message) => {
    expect(() => optionsFromEnv(env)).toThrow(RangeError);
    expect(() => optionsFromEnv(env)).toThrow(message);
  });

  it("reads this process, and prints to standard error", () => {
    vi.stubEnv("GOGC", "75");
    vi.stubEnv("GOMEMLIMIT", "1GiB");
    vi.stubEnv("GODEBUG", "gctrace=1");
    const lines: unknown[] = [];
    vi.spyOn(console, "error").mockImplementation((...args) => void lines.push(args));
    using heap = createHeap({ collector: { auto: true, ...optionsFromEnv() } });
    const gc = heap.collector;
    expect(gc.settings).toMatchObject({ auto: true, gcPercent: 75, memoryLimit: 1 << 30, checkmark: false });
    gc.collect();
    expect(lines).toEqual([[expect.stringMatching(/^gc 1 @[\d.]+s \d+%: .* ms clock, .* 1 P \(forced\)$/)]]);
  });

  it("changes a collector that runs", () => {
    using heap = createHeap();
    heap.collector.setOptions(optionsFromEnv({ GODEBUG: "gccheckmark=1", GOGC: "10" }));
    expect(heap.collector.settings).toMatchObject({ checkmark: true, gcPercent: 10 });
    heap.collector.setOptions(optionsFromEnv({ GODEBUG: "gccheckmark=0" }));
    expect(heap.collector.settings).toMatchObject({ checkmark: false, gcPercent: 10 });
  });
});
