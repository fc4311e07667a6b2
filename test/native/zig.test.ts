/** The Zig allocator under a program with std (wasm32-wasi) and under a library (wasm32-freestanding). */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { describeWith } from "../support/describewith.ts";
import { ZIG } from "../support/needs.ts";
import {
  expectReplaced,
  expectSameWords,
  hasName,
  importsOf,
  Project,
  projectOfWords,
  ROOT,
  recipeOf,
} from "./support/project.ts";

const MODULE = "-Mgomalloc=node_modules/gomalloc/native/zig/gomalloc.zig";
const LIBRARY = "-target wasm32-freestanding -fno-entry -rdynamic --export=__heap_base";
/** The block of the README for gomalloc link. */
const LINKED = 1;
const LIB = "node_modules/gomalloc/lib/wasm32-unknown-unknown";

describeWith(ZIG, "Zig", () => {
  it.each([
    ["over the archive", 0, "words.wasm"],
    ["with gomalloc link", LINKED, "words.out.wasm"],
  ])("the recipe %s prints what the program prints with a stock allocator", async (_, index, program) => {
    const { project, source } = await projectOfWords("zig", "zig", index);
    const stockSource = source
      .replace('const gomalloc = @import("gomalloc");\n', "")
      .replace("pub const gomalloc_link = true;\n", "")
      .replace("gomalloc.allocator", "std.heap.wasm_allocator");
    expect(stockSource).not.toContain("gomalloc");
    await project.write("stock.zig", stockSource);
    await project.command("zig build-exe stock.zig -target wasm32-wasi -O ReleaseFast");
    expectSameWords(project, program, source.repeat(200));
    await expectReplaced(project, program, ["WasmAllocator"]);
    expect(hasName(await project.module(program), "__wasm_call_ctors")).toBe(false);
    // gomalloc link takes a program with the archive inside, too.
    if (program.endsWith(".out.wasm")) return;
    await project.link(program, "inlined.wasm");
    expectSameWords(project, "inlined.wasm", source);
  });

  it("with -lc the linker refuses the archive and names both allocators, as the README says", async () => {
    const project = await Project.create();
    const [copy, compile] = await recipeOf("zig");
    await project.command(copy!);
    const ran = project.spawn(compile!.replace(" -O ", " -lc -O "));
    expect(ran.status).not.toBe(0);
    const readme = await readFile(join(ROOT, "native/examples/zig/README.md"), "utf8");
    expect(ran.stderr).toContain(/```text\n(.*)\n```/.exec(readme)![1]);
    expect(ran.stderr).toMatch(/defined in \S+libc\.a\([\s\S]*defined in \S+libgomalloc\.a\(gomalloc\.o\)/);
  });

  it("runs beside the allocator of Zig's libc when __heap_base is not exported", async () => {
    const project = await Project.create();
    const [copy, compile] = await recipeOf("zig", LINKED);
    expect(compile).toContain(" --export=__heap_base ");
    await project.recipe([copy!, compile!.replace("--export=__heap_base", "-lc")]);
    await project.link("words.wasm", "words.out.wasm");
    expect(importsOf(await project.module("words.wasm"), "gomalloc")).toContain("malloc");
    const text = Buffer.from(await project.read("words.zig")).toString();
    expect(project.run("words.out.wasm", "", text.repeat(200))).toMatchObject({ status: 0, stderr: "" });
  });

  it.each([
    ["ReleaseSafe", "over the debug archive", `${LIB}/libgomalloc-debug.a`],
    ["ReleaseSmall", "over the debug archive", `${LIB}/libgomalloc-debug.a`],
    ["ReleaseSafe", "with gomalloc link", ""],
    ["ReleaseSmall", "with gomalloc link", ""],
  ])(
    "keeps alignment and contents through alloc, resize, remap and free of all layouts, %s, %s",
    async (mode, _, archive) => {
      const project = await Project.create();
      await project.write("layouts.zig", archive === "" ? LAYOUTS + CHECKED_BY_LINK : LAYOUTS + CHECKED_BY_ARCHIVE);
      await project.command(
        `zig build-exe ${LIBRARY} -O ${mode} ${archive} --dep gomalloc -Mroot=layouts.zig ${MODULE}`,
      );
      if (archive === "") await project.link("root.wasm", "root.wasm");
      const module = await project.module("root.wasm");
      expect(WebAssembly.Module.imports(module)).toEqual([]);
      const { exports } = new WebAssembly.Instance(module);
      const { check, shrinks, refuses } = exports as {
        check(seed: number): number;
        shrinks(from: number, to: number): number;
        refuses(size: number): number;
      };
      for (const seed of [1, 2, 3]) expect(check(seed), `seed ${seed}`).toBe(0);
      // A block stays while half of it is in use; ArrayList.toOwnedSlice would keep all of it otherwise.
      expect(shrinks(1000, 600)).toBe(1);
      expect(shrinks(1000, 100)).toBe(0);
      expect(shrinks(100_000, 70_000)).toBe(1);
      expect(shrinks(100_000, 1)).toBe(0);
      expect(shrinks(100_000, 200_000)).toBe(0);
      expect(refuses(64 << 20)).toBe(1);
      expect(check(4)).toBe(0);
    },
  );

  it("imports only what a program calls", async () => {
    const project = await Project.create();
    await project.write(
      "small.zig",
      `const gomalloc = @import("gomalloc");
       export fn boxed(n: u64) ?*u64 {
           const ptr = gomalloc.allocator.create(u64) catch return null;
           ptr.* = n;
           return ptr;
       }
       pub const gomalloc_link = true;`,
    );
    await project.command(`zig build-exe ${LIBRARY} -O ReleaseSmall --dep gomalloc -Mroot=small.zig ${MODULE}`);
    const names = importsOf(await project.module("root.wasm"), "gomalloc");
    expect(names).toContain("malloc");
    for (const name of ["memstats", "validate", "mallopt", "malloc_trim"]) expect(names).not.toContain(name);
  });
});

/** What the checks below ask of the allocator, by each way. */
const CHECKED_BY_LINK = `
pub const gomalloc_link = true;
extern "gomalloc" fn memstats() [*]const u64;
extern "gomalloc" fn validate() u32;
extern "gomalloc" fn mallopt(parameter: i32, value: usize) i32;
`;
const CHECKED_BY_ARCHIVE = `
extern fn gomalloc_memstats() [*]const u64;
extern fn gomalloc_validate() u32;
extern fn gomalloc_mallopt(parameter: i32, value: usize) i32;
const memstats = gomalloc_memstats;
const validate = gomalloc_validate;
const mallopt = gomalloc_mallopt;
`;

/**
 * The allocator as std's containers call it: blocks of all alignments, each filled and checked over its life.
 * `check(seed)` returns 0, or the number of the check that failed.
 */
const LAYOUTS = `
const std = @import("std");
const allocator = @import("gomalloc").allocator;

/// A logarithm in Zig 0.13, an enum over it since 0.14.
const Alignment = if (@hasDecl(std.mem, "Alignment")) std.mem.Alignment else u8;
const has_remap = @hasField(std.mem.Allocator.VTable, "remap");

const Block = struct {
    memory: []u8,
    log2: u5,
    fill: u8,

    fn alignment(block: Block) Alignment {
        return if (Alignment == u8) block.log2 else @enumFromInt(block.log2);
    }

    fn isIntact(block: Block, bytes: usize) bool {
        if (@intFromPtr(block.memory.ptr) % (@as(usize, 1) << block.log2) != 0) return false;
        return std.mem.allEqual(u8, block.memory[0..bytes], block.fill);
    }

    fn refill(block: *Block, fill: u8) void {
        block.fill = fill;
        @memset(block.memory, fill);
    }

    fn alloc(block: *Block, size: usize) bool {
        const ptr = allocator.rawAlloc(size, block.alignment(), 0) orelse return false;
        block.memory = ptr[0..size];
        return true;
    }

    fn free(block: Block) void {
        allocator.rawFree(block.memory, block.alignment(), 0);
    }

    /// As std does it: in place, or by remap, or by hand.
    fn realloc(block: *Block, size: usize, in_place: bool) bool {
        const old = block.*;
        if (in_place and allocator.rawResize(old.memory, old.alignment(), size, 0)) {
            block.memory = old.memory.ptr[0..size];
            return true;
        }
        if (has_remap) {
            if (allocator.vtable.remap(allocator.ptr, old.memory, old.alignment(), size, 0)) |ptr| {
                block.memory = ptr[0..size];
                return true;
            }
        }
        if (!block.alloc(size)) return false;
        const kept = @min(size, old.memory.len);
        @memcpy(block.memory[0..kept], old.memory[0..kept]);
        old.free();
        return true;
    }
};

var state: u32 = 0;
var blocks: [20_000]Block = undefined;

fn next(limit: u32) u32 {
    state = state *% 1664525 +% 1013904223;
    return (state >> 8) % limit;
}

fn live() u64 {
    const stats = memstats();
    return stats[7] - stats[8];
}

export fn check(seed: u32) u32 {
    state = seed;
    const before = live();
    var count: usize = 0;
    for (0..20_000) |i| {
        const size: usize = 1 + (if (next(20) == 0) next(200_000) else next(600));
        const fill: u8 = @truncate(i);
        const action = next(4);
        if (action < 2) {
            var block: Block = .{ .memory = undefined, .log2 = @intCast(next(13)), .fill = 0 };
            if (!block.alloc(size)) return 1;
            block.refill(fill);
            if (!block.isIntact(size)) return 2;
            blocks[count] = block;
            count += 1;
        } else if (action == 2 and count > 0) {
            const block = &blocks[next(@intCast(count))];
            const kept = @min(size, block.memory.len);
            if (!block.realloc(size, next(2) == 0) or !block.isIntact(kept)) return 3;
            block.refill(fill);
        } else if (count > 200) {
            const at = next(@intCast(count));
            if (!blocks[at].isIntact(blocks[at].memory.len)) return 4;
            blocks[at].free();
            count -= 1;
            blocks[at] = blocks[count];
        }
    }
    if (live() - before != count) return 5;
    for (blocks[0..count]) |block| {
        if (!block.isIntact(block.memory.len)) return 6;
        block.free();
    }
    if (live() != before) return 7;
    return 100 * validate();
}

/// 1 if a block of \`from\` bytes can be given \`to\` bytes in place.
export fn shrinks(from: usize, to: usize) u32 {
    const memory = allocator.alloc(u8, from) catch return 2;
    if (!allocator.resize(memory, to)) {
        allocator.free(memory);
        return 0;
    }
    allocator.free(memory.ptr[0..to]);
    return 1;
}

/// 1 if a block of \`size\` bytes beyond the heap's limit is refused as it should be.
export fn refuses(size: usize) u32 {
    _ = mallopt(2, 1);
    defer _ = mallopt(2, 0);
    const memory = allocator.alloc(u8, size) catch return 1;
    allocator.free(memory);
    return 0;
}
`;
