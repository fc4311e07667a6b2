/**
 * A Node-API addon with threads over gomalloc: the README's recipe with emnapi, whose workers allocate and free at once, on
 * stacks that are blocks of the heap.
 */
import { expect, it } from "vitest";
import { describeRecipe, hasName, Project, ROOT } from "./support/project.ts";

const ARCHIVE = "node_modules/gomalloc/lib/wasm32-unknown-unknown-threads/libgomalloc.a";
const EMNAPI_MALLOC = "node_modules/emnapi/lib/wasm32/libdlmalloc-mt.a";
const PRINTED = `different words: ${Array.from({ length: 10 }, (_, i) => 1000 * (i + 1)).join(" ")}\nworkers: 4\n`;

async function projectOf(commands: readonly string[]): Promise<{ project: Project; output: string }> {
  const project = await Project.create();
  await project.add(`${ROOT}/node_modules`, "emnapi", "@emnapi");
  return { project, output: await project.recipe(commands) };
}

describeRecipe("addon", (read, compiler) => {
  it("runs as it stands, and has no other allocator", async () => {
    const commands = await read();
    const { project, output } = await projectOf(commands);
    expect(output).toBe(PRINTED);
    const ours = await project.module("words.wasm");
    // Over emnapi's dlmalloc, for its names. It is not run: a thread's memory.fill in a block of memory that another has
    // grown may trap there.
    await project.command(commands[1]!.replace(ARCHIVE, EMNAPI_MALLOC).replace("-o words.wasm", "-o stock.wasm"));
    const theirs = await project.module("stock.wasm");
    expect(WebAssembly.Module.exports(ours)).toEqual(WebAssembly.Module.exports(theirs));
    const outside = (module: WebAssembly.Module) => WebAssembly.Module.imports(module).map(({ name }) => name);
    expect(outside(ours)).toEqual(outside(theirs).filter((name) => name !== "gomalloc_sync"));
    // Debian's clang finds a wasm-opt in PATH and has it take the names away.
    if (compiler === "npm's clang") {
      expect(hasName(theirs, "sbrk")).toBe(true);
      expect(hasName(ours, "sbrk")).toBe(false);
      expect(hasName(ours, "gomalloc/alloc/malloc/")).toBe(true);
    }
  });

  it("takes memcpy and memset, and nothing else, from emnapi's archive behind ours", async () => {
    const [copy, compile, run] = await read();
    const both = compile!.replace(ARCHIVE, `${ARCHIVE} ${EMNAPI_MALLOC}`).replace(" words.c ", " words.c more.c ");
    const { project } = await projectOf([copy!]);
    await project.write(
      "more.c",
      `#include <stddef.h>
      void *memcpy(void *, const void *, size_t);
      void *memset(void *, int, size_t);
      __attribute__((export_name("more"))) void *more(void *to, void *from, size_t n) { return memset(memcpy(to, from, n), 1, n / 2); }\n`,
    );
    expect(await project.recipe([both.replace(" -O2 ", " -O2 -fno-builtin "), run!])).toBe(PRINTED);
    const module = await project.module("words.wasm");
    expect(WebAssembly.Module.exports(module).map(({ name }) => name)).toContain("more");
    expect(WebAssembly.Module.imports(module).filter(({ name }) => /^mem(cpy|set)$/.test(name))).toEqual([]);
    if (compiler === "npm's clang") {
      expect(hasName(module, "memcpy")).toBe(true);
      expect(hasName(module, "sbrk")).toBe(false);
    }
  });

  it("finds a block that is freed twice", async () => {
    const { project } = await projectOf((await read()).slice(0, 2));
    const memory = new WebAssembly.Memory({ initial: 256, maximum: 32_768, shared: true });
    const module = await project.module("words.wasm");
    const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
    for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
      imports[from] = { ...imports[from], [name]: kind === "memory" ? memory : () => 0 };
    }
    const { malloc, free } = new WebAssembly.Instance(module, imports).exports as Record<string, (n: number) => number>;
    const block = malloc!(100);
    free!(block);
    expect(() => free!(block)).toThrow(WebAssembly.RuntimeError);
    expect(malloc!(100)).toBeGreaterThan(0);
  });
});
