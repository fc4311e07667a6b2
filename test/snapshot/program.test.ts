/**
 * C programs with the allocator inside, by the archive and by gomalloc link: nothing is known of them but the memory that
 * they export, and their live blocks are in the snapshot.
 */
import { describe, expect, it } from "vitest";
import { type HeapSnapshot, readSnapshot } from "../../src/snapshot/index.ts";
import { clang } from "../native/support/clang.ts";
import { Project } from "../native/support/project.ts";
import { between, random } from "../support/random.ts";
import { expectLive, expectSound } from "./support/expect.ts";

const COMPILE = ["clang", "--target=wasm32-wasip1", "-mexec-model=reactor", "-O2", "-fno-builtin"];
const SOURCE = "node_modules/gomalloc/test/native/programs/blocks.c";

interface Exports {
  memory: WebAssembly.Memory;
  take(size: number): number;
  give(block: number): void;
  _initialize?(): void;
}

/** Takes and gives blocks; what is left. */
function play({ take, give }: Exports): Set<number> {
  const r = random(17);
  const live: number[] = [];
  for (let i = 0; i < 4000; i++) {
    if (live.length > 0 && r() % 3 === 0) give(live.splice(r() % live.length, 1)[0]!);
    else live.push(take(between(r, 1, i % 50 === 0 ? 100_000 : 3000)) >>> 0);
  }
  return new Set(live);
}

async function run(project: Project, file: string): Promise<{ snapshot: HeapSnapshot; live: Set<number> }> {
  const module = await project.module(file);
  const imports: WebAssembly.Imports = {};
  for (const one of WebAssembly.Module.imports(module)) {
    imports[one.module] = { ...imports[one.module], [one.name]: () => 0 };
  }
  const exports = new WebAssembly.Instance(module, imports).exports as unknown as Exports;
  exports._initialize?.();
  const live = play(exports);
  return { snapshot: readSnapshot(exports.memory), live };
}

describe("a C program", () => {
  it("over libgomalloc.a", async () => {
    const project = await Project.create();
    const archive = ["-Lnode_modules/gomalloc/lib/wasm32-wasip1", "-lgomalloc"];
    expect(await clang([...COMPILE, SOURCE, ...archive, "-o", "a.wasm"], project.folder)).toBe("");
    const { snapshot, live } = await run(project, "a.wasm");
    expect(snapshot.flavour).toBe("malloc");
    expectSound(snapshot);
    expectLive(snapshot, live);
  });

  it("that was linked with gomalloc link", async () => {
    const project = await Project.create();
    const native = "node_modules/gomalloc/native";
    const sources = [`-I${native}`, SOURCE, `${native}/gomalloc.c`];
    expect(await clang([...COMPILE, ...sources, "-o", "a.wasm"], project.folder)).toBe("");
    await project.link("a.wasm", "a.out.wasm");
    const { snapshot, live } = await run(project, "a.out.wasm");
    expect(snapshot.flavour).toBe("malloc");
    expectSound(snapshot);
    expectLive(snapshot, live);
    expect([...live].every((p) => snapshot.slotAt(p)?.address === p)).toBe(true);
  });
});
