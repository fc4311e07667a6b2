/**
 * A component over gomalloc: the README's recipe with jco, from C to a JavaScript module. The blocks in which strings pass
 * between host and component are gomalloc's, and no other allocator is in the component.
 */
import { expect, it } from "vitest";
import { describeWith } from "../support/describewith.ts";
import { JCO, JCO_FOLDER } from "../support/needs.ts";
import { describeRecipe, expectArchived, importsOf, Project } from "./support/project.ts";

const ARCHIVE = "node_modules/gomalloc/lib/wasm32-wasip1/libgomalloc.a";
const SHIM = "node_modules/gomalloc/native/gomalloc.c";
const PRINTED = "8 words, 5 different\nand bird cat dog the\n";

/** A project that has jco too, in which the recipe has run. */
async function projectOf(commands: readonly string[]): Promise<{ project: Project; output: string }> {
  const project = await Project.create();
  await project.add(JCO_FOLDER, "@bytecodealliance");
  return { project, output: await project.recipe(commands) };
}

interface Core {
  readonly memory: WebAssembly.Memory;
  cabi_realloc(old: number, oldSize: number, align: number, size: number): number;
  words(text: number, length: number): number;
  cabi_post_words(result: number): void;
  malloc_usable_size(block: number): number;
  free(block: number): void;
}

/** An instance of the program itself, without the component around it. */
function instanceOf(module: WebAssembly.Module): Core {
  const names = importsOf(module, "wasi_snapshot_preview1");
  // What is written is taken and forgotten: fd_write says so, and all calls succeed.
  const exports: { memory?: WebAssembly.Memory } = {};
  const write = (_: number, vectors: number, count: number, written: number) => {
    const view = new DataView(exports.memory!.buffer);
    let sum = 0;
    for (let i = 0; i < count; i++) sum += view.getUint32(vectors + 8 * i + 4, true);
    view.setUint32(written, sum, true);
    return 0;
  };
  const wasi = Object.fromEntries(names.map((name) => [name, name === "fd_write" ? write : () => 0]));
  const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: wasi });
  exports.memory = instance.exports["memory"] as WebAssembly.Memory;
  (instance.exports["_initialize"] as () => void)();
  return instance.exports as unknown as Core;
}

/** The list of strings at this address. */
function listAt({ memory }: Core, result: number): string[] {
  const view = new DataView(memory.buffer);
  const [strings, length] = [view.getUint32(result, true), view.getUint32(result + 4, true)];
  return Array.from({ length }, (_, i) => {
    const [text, size] = [view.getUint32(strings + 8 * i, true), view.getUint32(strings + 8 * i + 4, true)];
    return Buffer.from(memory.buffer, text, size).toString();
  });
}

describeWith(JCO, "components", () => {
  describeRecipe("component", (read) => {
    it("the recipe runs as it stands, and no other allocator is in the component", async () => {
      const commands = await read();
      const { project, output } = await projectOf(commands);
      expect(output).toBe(PRINTED);

      const compile = commands[1]!;
      const [core, program] = await Promise.all(
        ["component/words.core.wasm", "words.wasm"].map((name) => project.module(name)),
      );
      // jco takes the linker's module as it is, but for custom sections.
      expect(WebAssembly.Module.exports(core!)).toEqual(WebAssembly.Module.exports(program!));
      expect(WebAssembly.Module.imports(core!)).toEqual(WebAssembly.Module.imports(program!));
      await expectArchived(project, compile, ARCHIVE);
    });

    it("cabi_realloc's blocks are gomalloc's, and all are freed after a call", async () => {
      const [copy, compile] = await read();
      const exported = " -Wl,--export=malloc_usable_size -Wl,--export=free -o ";
      const { project } = await projectOf([copy!, compile!.replace(" -o ", exported)]);
      const core = instanceOf(await project.module("words.wasm"));
      const block = core.cabi_realloc(0, 0, 1, 1000);
      // A size class of Go's; dlmalloc, with its headers, has no block of this size.
      expect(core.malloc_usable_size(block)).toBe(1024);
      expect(core.malloc_usable_size(core.cabi_realloc(block, 1000, 1, 5000))).toBeGreaterThanOrEqual(5000);
      const small = core.cabi_realloc(0, 0, 1, 20);
      core.free(small);
      expect(() => core.free(small)).toThrow(WebAssembly.RuntimeError);

      const text = Array.from({ length: 20_000 }, (_, i) => `word${i % 9000}`).join(" ");
      const call = () => {
        const input = core.cabi_realloc(0, 0, 1, text.length);
        Buffer.from(core.memory.buffer).write(text, input);
        const result = core.words(input, text.length);
        const list = listAt(core, result);
        core.cabi_post_words(result);
        return list;
      };
      const expected = [...new Set(text.split(" "))].sort();
      for (let i = 0; i < 3; i++) expect(call()).toEqual(expected);
      // Were one of the large blocks of a call, the text or the list, never freed, there would be 50 of them.
      const { byteLength } = core.memory.buffer;
      for (let i = 0; i < 50; i++) call();
      expect(core.memory.buffer.byteLength - byteLength).toBeLessThan(50 * expected.length * 8);
    });

    it("gomalloc link may come before jco embed, and after it, as for objects of wit-bindgen", async () => {
      const [copy, compile, embed, ...rest] = await read();
      const sources = [copy!, compile!.replace(ARCHIVE, SHIM)];
      const before = await projectOf([...sources, "npx gomalloc link --in-place words.wasm", embed!, ...rest]);
      expect(before.output).toBe(PRINTED);
      const after = await projectOf([...sources, embed!, "npx gomalloc link --in-place words.embedded.wasm", ...rest]);
      expect(after.output).toBe(PRINTED);
      for (const { project } of [before, after]) {
        expect(importsOf(await project.module("component/words.core.wasm"), "gomalloc")).toEqual([]);
      }
    });
  });

  it("a component itself is refused, with what to do instead", async () => {
    const { project } = await projectOf([]);
    await project.write("empty.wat", "(component)");
    await project.command("npx jco parse empty.wat -o empty.wasm");
    await expect(project.command("npx gomalloc link empty.wasm -o out.wasm")).rejects.toThrow(
      /gave 1:\ngomalloc: empty\.wasm: .*component.*\n {2}\S/,
    );
  });
});
