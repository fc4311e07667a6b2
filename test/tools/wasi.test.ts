/** C programs over wasi-libc, linked and run under node:wasi: the same output as with libc's own malloc. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WASI } from "node:wasi";
import { beforeAll, describe, expect, it } from "vitest";
import { indirectImports } from "../../bench/programs/lib/wasi.ts";
import { link } from "../../src/tools/link.ts";
import { inspect } from "../../src/wasm/parse.ts";
import { clang } from "./support/programs.ts";

/** A table of strings that grows and shrinks, printed; and a constructor that allocates before main. */
const SOURCE = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *early;
__attribute__((constructor)) static void allocate_early(void) { early = strdup("before main"); }

static unsigned seed = 12345;
static unsigned next(void) { return seed = seed * 1103515245u + 12345u, seed >> 8; }

int main(void) {
  enum { SLOTS = 2000 };
  char **table = calloc(SLOTS, sizeof *table);
  unsigned long long sum = 0;
  for (int i = 0; i < 200000; i++) {
    unsigned slot = next() % SLOTS, size = 1 + next() % (i % 100 == 0 ? 40000 : 300);
    if (table[slot] && next() % 3 == 0) {
      size_t old = strlen(table[slot]) + 1;
      table[slot] = realloc(table[slot], size > old ? size : old);
    } else {
      free(table[slot]);
      table[slot] = malloc(size);
      memset(table[slot], 'a' + slot % 26, size - 1);
      table[slot][size - 1] = 0;
    }
    sum = sum * 31 + strlen(table[slot]);
  }
  for (int i = 0; i < SLOTS; i++) free(table[i]);
  free(table);
  printf("%s %llu\\n", early, sum);
  free(early);
  return 0;
}
`;

let stock: Uint8Array<ArrayBuffer>;
let program: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  const native = (name: string) => readFile(new URL(`../../native/${name}`, import.meta.url), "utf8");
  const shim = { "gomalloc.c": await native("gomalloc.c"), "gomalloc.h": await native("gomalloc.h") };
  stock = await clang({ "app.c": SOURCE }, ["-O2"]);
  program = await clang({ "app.c": SOURCE, ...shim }, ["-O2", "-I.", "-Wl,--export=__heap_base"]);
});

function run(wasm: Uint8Array<ArrayBuffer>): { status: number; output: string } {
  const folder = mkdtempSync(join(tmpdir(), "gomalloc-wasi-"));
  try {
    const stdout = openSync(join(folder, "out"), "w");
    const wasi = new WASI({ version: "preview1", stdout, returnOnExit: true });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm), indirectImports(wasi));
    const status = wasi.start(instance) as unknown as number;
    closeSync(stdout);
    return { status, output: readFileSync(join(folder, "out"), "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("a C program with the shim", () => {
  it("prints the same, linked, with libc's allocator not in it", async () => {
    const { wasm, report } = await link(program);
    expect(report).toMatchObject({ heapBaseFrom: "export", flavour: "malloc", validated: "yes", names: "kept" });
    expect(report.bound.every(({ module }) => module === "gomalloc")).toBe(true);
    expect(report.wrappers).toEqual(expect.arrayContaining(["malloc", "free"]));
    const names = [...inspect(wasm).functionNames.values()];
    expect(names).not.toContain("dlmalloc");
    expect(names.some((name) => name.endsWith("/mallocSlow"))).toBe(true);

    const [before, after] = [run(stock), run(wasm)];
    expect(before.output).toMatch(/^before main \d+\n$/);
    expect(after.output).toBe(before.output);
    expect(after.status).toBe(before.status);
  });

  it("and when it is the shim that calls init, or the size that matters", async () => {
    const { output } = run(stock);
    const hidden = await clang(
      {
        "app.c": SOURCE,
        "gomalloc.c": await readFile(new URL("../../native/gomalloc.c", import.meta.url), "utf8"),
        "gomalloc.h": await readFile(new URL("../../native/gomalloc.h", import.meta.url), "utf8"),
      },
      ["-O2", "-I.", "-Wl,--strip-all"],
    );
    const { wasm, report } = await link(hidden, { optimize: "Oz" });
    expect(report).toMatchObject({ heapBaseFrom: "program", names: "none", inline: false });
    expect(run(wasm).output).toBe(output);
    const fast = await link(hidden);
    expect(wasm.length).toBeLessThan(fast.wasm.length);
  });
});
