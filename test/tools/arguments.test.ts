/**
 * Every function of gomalloc/tools is called with hostile values (test/support/hostile.ts): it gives a result, or throws a
 * ToolError that says what is wrong and what to do, and never one of its own faults.
 */
import { describe, expect, it } from "vitest";
import * as tools from "../../src/tools/index.ts";
import {
  formatReport,
  formatSwapReport,
  inspect,
  type LinkReport,
  link,
  type SwapReport,
  swap,
} from "../../src/tools/index.ts";
import { type Arguments, expectFunctions, hostileCalls, hostileValues } from "../support/hostile.ts";
import { assemble } from "./support/programs.ts";
import { LINK, SWAP } from "./support/reports.ts";

/** Refused in the end, for it has no allocator and asks for none: so that no call does its work. */
const PROGRAM = assemble('(module (memory (export "memory") 2) (func (export "f")))');

const OPTIONS = { optimize: "O0", inline: false, names: true, exportFamily: false, growth: "auto", flavour: "malloc" };
const FUNCTIONS: Record<string, { call: (...args: never[]) => unknown; good: Arguments }> = {
  link: { call: link, good: [PROGRAM, { ...OPTIONS, heapBase: 65_536, onProgress: () => undefined }] },
  swap: { call: swap, good: [PROGRAM, { ...OPTIONS, family: { malloc: 1 } }] },
  inspect: { call: inspect, good: [PROGRAM] },
  formatReport: { call: formatReport, good: [LINK] },
  formatSwapReport: { call: formatSwapReport, good: [SWAP] },
};

/** The error of a tool that has been given something it cannot take. */
function expectToolError(error: unknown, what: string): void {
  expect(error, `${what}: ${error instanceof Error ? error.stack : String(error)}`).toBeInstanceOf(tools.ToolError);
  const { code, message, fix } = error as tools.ToolError;
  expect(code, `${what}: ${message}`).not.toBe("internal");
  expect(fix, what).toMatch(/^[A-Z].*\.$/s);
}

describe("functions of the module", () => {
  it("have a row each", () => expectFunctions(tools, FUNCTIONS));

  it.each(Object.keys(FUNCTIONS))("%s", async (name) => {
    const { call, good } = FUNCTIONS[name]!;
    for (const [wrong, args] of [...hostileCalls(good, [8, 65_536]), ["nothing is wrong", [...good]] as const]) {
      try {
        await call(...(args as never[]));
      } catch (error) {
        expectToolError(error, `${name}, ${wrong}`);
      }
    }
  });
});

/** All the properties of an object and of the objects and arrays in it, as paths. */
function* pathsOf(value: object, path: string[] = []): Generator<string[]> {
  for (const [key, inner] of Object.entries(value)) {
    yield [...path, key];
    if (typeof inner === "object") yield* pathsOf(inner as object, [...path, key]);
  }
}

/** A copy with another value at a path. */
function put<T extends object>(value: T, [key = "", ...rest]: readonly string[], other: unknown): T {
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
  copy[key] = rest.length === 0 ? other : put(copy[key] as object, rest, other);
  return copy as T;
}

describe.each([
  ["formatReport", LINK, (report: object) => formatReport(report as LinkReport)],
  ["formatSwapReport", SWAP, (report: object) => formatSwapReport(report as SwapReport)],
] as const)("%s", (_, report, format) => {
  /** By the path without the numbers of arrays. */
  const OPTIONAL =
    /^(link\.)?(heapBase|threadEnds|compares|memory\.(shared|maximum|before|before\.maximum)|members\.name)$/;
  const isOptional = (path: readonly string[]) => OPTIONAL.test(path.join(".").replaceAll(/\.\d+\./g, "."));

  it("takes a report, and one without what may be missing", () => {
    expect(format(report)).toMatch(/heap base {3}1024, /);
    const missing = [...pathsOf(report)].filter(isOptional);
    expect(missing.length).toBeGreaterThan(5);
    for (const path of missing) expect(format(put(report, path, undefined))).not.toContain("undefined");
  });

  it("names the property that no report has so", () => {
    for (const path of pathsOf(report)) {
      const old = path.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], report);
      for (const [what, value] of hostileValues([])) {
        if (typeof value === typeof old || (value === undefined && isOptional(path))) continue;
        try {
          format(put(report, path, value));
          expect.fail(`${path.join(".")}, ${what}: taken`);
        } catch (error) {
          expectToolError(error, `${path.join(".")}, ${what}`);
          expect((error as Error).message).toMatch(new RegExp(`^report\\.${path[0]}`));
          expect((error as tools.ToolError).fix).toMatch(/Pass the report that (link|swap)\(\) has resolved with/);
        }
      }
    }
  });

  it("takes no other value: a result instead of its report, a text, nothing", () => {
    for (const value of [undefined, null, "", 1, {}, [], { wasm: PROGRAM, report }, new Map(), () => report]) {
      expect(() => format(value as never)).toThrow(tools.ToolError);
    }
  });
});
