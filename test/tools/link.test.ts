/** What link makes: modules that run, whose heap is one, with what the program had and nothing else. */
import binaryen from "binaryen";
import { describe, expect, it } from "vitest";
import { type LinkOptions, link } from "../../src/tools/link.ts";
import { formatReport } from "../../src/tools/report.ts";
import { inspect } from "../../src/wasm/parse.ts";
import {
  assemble,
  COMMON,
  exercise,
  familyOf,
  HEAP_BASE,
  instantiate,
  programText,
  refusal,
} from "./support/programs.ts";

const PROGRAM_EXPORTS = inspect(assemble(programText())).exports.map(({ name }) => name);

/** Links, by default without wasm-opt's seconds: tests for which optimising matters ask for O3, the default of users. */
async function linked(text: string, options: LinkOptions = {}, names = false) {
  const program = assemble(text, names);
  const copy = program.slice();
  const result = await link(program, { optimize: "O0", ...options });
  expect(program, "the program's bytes").toEqual(copy);
  return { ...result, info: inspect(result.wasm) };
}

const memoryOf = (instance: WebAssembly.Instance) => instance.exports["memory"] as WebAssembly.Memory;

describe("a program that exports its memory", () => {
  it("runs on a heap that begins at __heap_base, and exports what it did", async () => {
    const { wasm, report, info } = await linked(programText(), { optimize: undefined });
    expect(info.exports.map(({ name }) => name)).toEqual(PROGRAM_EXPORTS);
    expect(info.imports).toEqual([]);
    expect(report).toMatchObject({
      flavour: "malloc",
      heapBase: HEAP_BASE,
      heapBaseFrom: "export",
      memory: { imported: false, initial: 2 },
      growth: "memory.grow",
      misuse: "trap",
      names: "none",
      sourceMap: false,
      optimize: "O3",
      inline: true,
      validated: "yes",
      warnings: [],
    });
    expect(report.size.after).toBe(wasm.length);
    const instance = instantiate(wasm);
    const family = familyOf(instance.exports);
    expect(family.malloc(100)).toBeLessThan(2 * 65536);
    exercise(family, memoryOf(instance), HEAP_BASE);
    const data = new Uint8Array(memoryOf(instance).buffer, 1024, 26);
    expect(new TextDecoder().decode(data)).toBe("static data of the program");
  });

  it.each(["O0", "O1", "Os", "O4"] as const)("runs at -%s", async (optimize) => {
    const { wasm, report } = await linked(programText(), { optimize });
    expect(report.inline).toBe(optimize === "O4");
    const instance = instantiate(wasm);
    exercise(familyOf(instance.exports), memoryOf(instance), HEAP_BASE, 1000);
  });

  it("imports from env are bound too, and others of env stay", async () => {
    const { info, report } = await linked(
      programText({
        from: "env",
        family: ["malloc", "free"],
        imports: '(import "env" "log" (func $log (param i32)))',
        rest: '(export "log" (func $log))',
      }),
    );
    expect(info.imports.map(({ module, name }) => `${module}.${name}`)).toEqual(["env.log"]);
    expect(report.bound).toEqual([
      { module: "env", name: "malloc" },
      { module: "env", name: "free" },
    ]);
  });

  it("the same import twice, and once of either module", async () => {
    const imports = ["gomalloc", "gomalloc", "env"]
      .map((module, i) => `(import "${module}" "malloc" (func $malloc${i} (param i32) (result i32)))`)
      .join("\n");
    const rest = [0, 1, 2]
      .map((i) => `(func (export "m${i}") (result i32) (call $malloc${i} (i32.const 8)))`)
      .join("\n");
    const { wasm, report } = await linked(programText({ family: ["free"], imports, rest }));
    expect(report.bound).toHaveLength(4);
    const { m0, m1, m2 } = instantiate(wasm).exports as Record<string, () => number>;
    expect(new Set([m0!(), m1!(), m2!()]).size).toBe(3);
  });

  it("an import that is exported again stays an export, twice if it was so", async () => {
    const rest = '(export "malloc" (func $malloc)) (export "my_malloc" (func $malloc)) (export "free" (func $free))';
    const { wasm } = await linked(programText({ rest }));
    const { malloc, my_malloc, free } = instantiate(wasm).exports as Record<string, (n: number) => number>;
    const [a, b] = [malloc!(64), my_malloc!(64)];
    expect(b).not.toBe(a);
    free!(a!);
    expect(() => free!(a!)).toThrow(WebAssembly.RuntimeError);
    free!(b!);
  });

  it("a program's own malloc stays the program's", async () => {
    const rest = '(func (export "malloc") (param i32) (result i32) (i32.const 4242))';
    const { wasm } = await linked(programText({ rest }), { exportFamily: true });
    const exports = instantiate(wasm).exports as Record<string, (n: number) => number>;
    expect(exports["malloc"]!(8)).toBe(4242);
    expect(exports["do_malloc"]!(8)).toBeGreaterThanOrEqual(HEAP_BASE);
    expect(exports["free_sized"]).toBeTypeOf("function");
  });

  it("exportFamily exports the family under its own names", async () => {
    const { wasm, info } = await linked(programText({ family: ["malloc"] }), { exportFamily: true });
    const names = info.exports.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["malloc", "free", "calloc", "realloc", "posix_memalign"]));
    expect(names.filter((name) => name.includes("gomalloc"))).toEqual([]);
    const instance = instantiate(wasm);
    exercise(familyOf(instance.exports, ""), memoryOf(instance), HEAP_BASE, 1000);
  });

  it("what the program does not import is not there", async () => {
    const all = await linked(programText(), { optimize: "O3" });
    const few = await linked(programText({ family: ["malloc", "free"] }), { optimize: "O3" });
    expect(few.wasm.length).toBeLessThan(all.wasm.length);
  });

  it("an import of the host flavour brings it", async () => {
    const imports = `(import "gomalloc" "memstats" (func $memstats (result i32)))
      (import "gomalloc" "validate" (func $validate (result i32)))`;
    const rest = '(export "memstats" (func $memstats)) (export "validate" (func $validate))';
    const { wasm, report } = await linked(programText({ imports, rest }));
    expect(report.flavour).toBe("host");
    const instance = instantiate(wasm);
    const { memstats, validate } = instance.exports as Record<string, () => number>;
    exercise(familyOf(instance.exports), memoryOf(instance), HEAP_BASE, 1000);
    expect(validate!()).toBe(0);
    const at = memstats!();
    expect(new BigUint64Array(memoryOf(instance).buffer, at, 8)[7]).toBeGreaterThan(300n);
  });

  it("the host flavour can be asked for", async () => {
    expect((await linked(programText(), { flavour: "host" })).report.flavour).toBe("host");
  });
});

describe("a program that imports its memory", () => {
  const imports = '(import "host" "mem" (memory $memory 2 90))';

  it("still imports that one memory, under its name and limits", async () => {
    const { wasm, info, report } = await linked(programText({ memory: "", imports }), { optimize: "O3" });
    expect(info.memories).toMatchObject([{ initial: 2, maximum: 90, imported: { module: "host", name: "mem" } }]);
    expect(info.exports.map(({ kind }) => kind)).not.toContain("memory");
    expect(report.memory).toEqual({ imported: true, initial: 2, maximum: 90 });
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 90 });
    const family = familyOf(instantiate(wasm, { host: { mem: memory } }).exports);
    exercise(family, memory, HEAP_BASE, 300);
    expect(family.malloc(90 * 65536)).toBe(0);
    expect(family.malloc(100)).not.toBe(0);
  });

  it("from module env or gomalloc, beside the family", async () => {
    for (const module of ["env", "gomalloc"]) {
      const text = programText({ memory: "", imports: `(import "${module}" "memory" (memory 2))`, from: module });
      const { wasm } = await linked(text);
      const memory = new WebAssembly.Memory({ initial: 2 });
      exercise(familyOf(instantiate(wasm, { [module]: { memory } }).exports), memory, HEAP_BASE, 300);
    }
  });

  it("too small for the heap's records: grown at the start, and said so", async () => {
    const text = programText({ memory: "", imports: '(import "host" "mem" (memory 1 90))', heapBase: 65000 });
    const { wasm, report } = await linked(text);
    expect(report.warnings.join()).toMatch(/host\.mem has 1 pages and the heap needs 2/);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 90 });
    const { exports } = instantiate(wasm, { host: { mem: memory } });
    expect(memory.buffer.byteLength).toBe(2 * 65536);
    exercise(familyOf(exports), memory, 65000, 100);
  });
});

describe("where the heap begins", () => {
  it("the option goes before the global", async () => {
    const { wasm, report } = await linked(programText(), { heapBase: 70_000 });
    expect(report).toMatchObject({ heapBase: 70_000, heapBaseFrom: "option" });
    expect(familyOf(instantiate(wasm).exports).malloc(8)).toBeGreaterThanOrEqual(70_000);
  });

  it("the name section is enough", async () => {
    const text = programText().replace('(global (export "__heap_base")', "(global $__heap_base");
    const { report } = await linked(text, {}, true);
    expect(report).toMatchObject({ heapBase: HEAP_BASE, heapBaseFrom: "name" });
  });

  const withoutBase = programText().replace(/\(global .*/, "");

  it("unknown: the heap grows memory of its own and leaves the rest alone", async () => {
    const { wasm, report } = await linked(withoutBase);
    expect(report.heapBaseFrom).toBe("none");
    expect(report.heapBase).toBeUndefined();
    const instance = instantiate(wasm);
    exercise(familyOf(instance.exports), memoryOf(instance), 2 * 65536, 1000);
  });

  it.each(["dlmalloc", "emmalloc_memalign"])("warns of a libc's allocator that begins there too: %s", async (name) => {
    const rest = `(func $${name} (export "other") (param i32) (result i32) (i32.const 0))`;
    const named = await linked(programText({ rest }), {}, true);
    expect(named.report.warnings).toEqual([expect.stringMatching(new RegExp(`function ${name}.*native/gomalloc\\.c`))]);
    // Without a heap base gomalloc takes no memory that the program has.
    const text = programText({ rest }).replace(/\(global \(export "__heap_base"\).*/, "");
    expect((await linked(text, {}, true)).report).toMatchObject({ heapBaseFrom: "none", warnings: [] });
  });

  const calls = (...init: string[]) =>
    withoutBase.replace(
      "(memory",
      `(import "gomalloc" "init" (func $init (param i32)))
       (func $begin (local i32) ${init.map((value) => `(call $init ${value})`).join(" ")}) (start $begin) (memory`,
    );

  it("the program may call init itself, with a constant that init then has before all else", async () => {
    const { wasm, report } = await linked(calls("(i32.const 4096)", "(i32.const 4096)"));
    expect(report).toMatchObject({ heapBaseFrom: "program", heapBase: 4096 });
    expect(formatReport(report)).toContain("4096, the program calls init itself");
    const instance = instantiate(wasm);
    exercise(familyOf(instance.exports), memoryOf(instance), 4096, 300);
  });

  it.each([
    ["two addresses", ["(i32.const 4096)", "(i32.const 8192)"]],
    ["one that is computed", ["(i32.add (local.get 0) (i32.const 4096))"]],
    ["one behind the memory", ["(i32.const 262144)"]],
  ])("or with what only its code knows: %s", async (_what, init) => {
    const { wasm, report } = await linked(calls(...init));
    expect(report.heapBaseFrom).toBe("program");
    expect(report.heapBase).toBeUndefined();
    const instance = instantiate(wasm);
    const first = familyOf(instance.exports).malloc(8);
    expect(first).toBeGreaterThan(4096);
    exercise(familyOf(instance.exports), memoryOf(instance), 4096, 300);
  });

  it("is a constant of the result where init cannot fail, and else a variable", async () => {
    const heapOf = async (text: string) => {
      const { info } = await linked(text, { optimize: "O3" }, true);
      return [...info.globalNames.values()].filter((name) => name.endsWith("/heap"));
    };
    const imported = (pages: number) =>
      programText({ memory: "", imports: `(import "host" "mem" (memory ${pages}))`, heapBase: 65_000 });
    expect(await heapOf(programText())).toEqual([]);
    expect(await heapOf(imported(2))).toEqual([]);
    expect(await heapOf(imported(1))).toHaveLength(1);
    expect(await heapOf(withoutBase)).toHaveLength(1);
  });

  it("the program's start function may allocate: init has run, once, before it", async () => {
    const text = programText({
      rest: `(global $first (mut i32) (i32.const 0)) (export "first" (global $first))
        (func $begin (global.set $first (call $malloc (i32.const 40)))) (start $begin)`,
    });
    const instance = instantiate((await linked(text, { optimize: "O3" })).wasm);
    const first = (instance.exports["first"] as WebAssembly.Global).value as number;
    expect(first).toBeGreaterThan(HEAP_BASE);
    expect(first).toBeLessThan(2 * 65536);
    const family = familyOf(instance.exports);
    expect(family.malloc_usable_size(first)).toBe(64);
    exercise(family, memoryOf(instance), HEAP_BASE, 300);
    expect(family.malloc_usable_size(first)).toBe(64);
  });

  it("a second init, by a shim's constructor, changes nothing", async () => {
    const text = programText({
      imports: '(import "gomalloc" "init" (func $init (param i32)))',
      rest: '(func (export "again") (call $init (i32.const 90000)))',
    });
    const instance = instantiate((await linked(text)).wasm);
    const family = familyOf(instance.exports);
    const p = family.malloc(40);
    (instance.exports["again"] as () => void)();
    expect(family.malloc_usable_size(p)).toBe(64);
    expect(family.malloc(40)).toBeLessThan(90_000);
  });

  it("limits too low for init are raised, and only then", async () => {
    const text = programText({ memory: '(memory (export "memory") 1 1)', heapBase: 65_500 });
    const { wasm, report, info } = await linked(text);
    expect(report.memory).toEqual({
      imported: false,
      initial: 2,
      maximum: 2,
      before: { initial: 1, maximum: 1 },
    });
    expect(info.memories).toMatchObject([{ initial: 2, maximum: 2 }]);
    expect(familyOf(instantiate(wasm).exports).malloc(100)).toBeGreaterThan(65_500);
    expect(formatReport(report)).toContain("2 to 2 pages, raised from 1 to 1 pages");

    const roomy = await linked(programText({ memory: '(memory (export "memory") 1 1)' }));
    expect(roomy.report.memory).toEqual({ imported: false, initial: 1, maximum: 1 });
  });

  it("a heap base at the very end of memory", async () => {
    const { wasm, report } = await linked(programText({ heapBase: 2 * 65536 }));
    expect(report.memory).toMatchObject({ initial: 3, before: { initial: 2 } });
    const instance = instantiate(wasm);
    exercise(familyOf(instance.exports), memoryOf(instance), 2 * 65536, 300);
  });
});

describe("misuse", () => {
  it("traps in gomalloc_misuse, which has a frame of its own when names are kept", async () => {
    const { wasm } = await linked(programText(), { names: true, optimize: "O3" });
    const family = familyOf(instantiate(wasm).exports);
    const p = family.malloc(8);
    family.free(p);
    let stack = "";
    try {
      family.free(p);
    } catch (error) {
      stack = (error as Error).stack ?? "";
    }
    expect(stack).toMatch(/unreachable[\s\S]*gomalloc_misuse/);
  });

  it("calls the program's gomalloc_on_misuse and goes on, the heap intact", async () => {
    const text = programText({
      imports: '(import "host" "misused" (func $misused (param i32 i32)))',
      rest: '(func (export "gomalloc_on_misuse") (param i32 i32) (call $misused (local.get 0) (local.get 1)))',
    });
    const { wasm, report } = await linked(text, { optimize: "O3" });
    expect(report.misuse).toBe("hook");
    const calls: [number, number][] = [];
    const misused = (kind: number, p: number) => calls.push([kind, p]);
    const instance = instantiate(wasm, { host: { misused } });
    const family = familyOf(instance.exports);
    const p = family.malloc(32);
    family.free(p);
    family.free(p);
    expect(family.realloc(p, 64)).toBe(0);
    family.free(12);
    const q = family.malloc(64);
    family.free(q + 16);
    expect(calls).toEqual([
      [1, p],
      [1, p],
      [2, 12],
      [3, q + 16],
    ]);
    exercise(family, memoryOf(instance), HEAP_BASE, 1000);
  });
});

describe("growth through emscripten's import", () => {
  const text = (imports = "") =>
    programText({
      imports: `(import "env" "emscripten_resize_heap" (func $resize (param i32) (result i32))) ${imports}`,
      rest: '(export "resize" (func $resize))',
    });

  /** A host that grows as emscripten's does: to more than was asked for, up to a limit. */
  function host(limit: number) {
    const calls: number[] = [];
    let memory: WebAssembly.Memory | undefined;
    return {
      calls,
      attach: (instance: WebAssembly.Instance) => {
        memory = memoryOf(instance);
      },
      imports: {
        env: {
          emscripten_resize_heap: (size: number) => {
            calls.push(size >>> 0);
            if (memory === undefined) throw new Error("called before the memory was known");
            const wanted = Math.min(limit, (size >>> 0) + 7 * 65536);
            if (size >>> 0 > limit) return 0;
            memory.grow((wanted - memory.buffer.byteLength) / 65536);
            return 1;
          },
        },
      },
    };
  }

  it("every growth is the host's, what it grows beyond need is used, its refusal is NULL", async () => {
    const { wasm, report, info } = await linked(text(), { optimize: "O3" });
    expect(report.growth).toBe("emscripten");
    expect(info.imports.map(({ name }) => name)).toContain("emscripten_resize_heap");
    const env = host(60 * 65536);
    const instance = instantiate(wasm, env.imports);
    env.attach(instance);
    const memory = memoryOf(instance);
    const family = familyOf(instance.exports);
    expect(memory.buffer.byteLength).toBe(2 * 65536);

    // Everything that a growth brought is allocated before the next one is asked for.
    const blocks: number[] = [];
    for (let p = family.malloc(8192); p !== 0; p = family.malloc(8192)) {
      const size = memory.buffer.byteLength;
      expect(p + 8192).toBeLessThanOrEqual(size);
      blocks.push(p);
    }
    expect(memory.buffer.byteLength).toBe(60 * 65536);
    expect(env.calls.length).toBeGreaterThan(3);
    expect(env.calls.length).toBeLessThan(15);
    expect(new Set(blocks).size).toBe(blocks.length);
    expect(blocks.length).toBeGreaterThan((58 * 65536) / 8192 - 10);
    for (const block of blocks) family.free(block);
    exercise(family, memory, HEAP_BASE, 1000);
    expect(memory.buffer.byteLength).toBe(60 * 65536);
  });

  it("the start grows nothing: JavaScript has no memory yet", async () => {
    const wide = text().replace(`i32.const ${HEAP_BASE}`, "i32.const 131000");
    const { wasm, report } = await linked(wide);
    expect(report.memory).toMatchObject({ initial: 3, before: { initial: 2 } });
    const env = host(60 * 65536);
    expect(familyOf(instantiate(wasm, env.imports).exports).malloc(8)).toBeGreaterThan(131_000);
    expect(env.calls).toEqual([]);
  });

  it("memory.grow can be asked for", async () => {
    const { wasm } = await linked(text(), { growth: "memory.grow" });
    const env = host(0);
    const instance = instantiate(wasm, env.imports);
    exercise(familyOf(instance.exports), memoryOf(instance), HEAP_BASE, 500);
    expect(env.calls).toEqual([]);
  });

  it("a host that only wants to know is told after each growth", async () => {
    const { wasm, report } = await linked(
      programText({ imports: '(import "env" "emscripten_notify_memory_growth" (func (param i32)))' }),
    );
    expect(report.growth).toBe("notify");
    const sizes: number[] = [];
    const seen = () => sizes.push(memoryOf(instance).buffer.byteLength);
    const instance = instantiate(wasm, { env: { emscripten_notify_memory_growth: seen } });
    exercise(familyOf(instance.exports), memoryOf(instance), HEAP_BASE, 1000);
    expect(sizes.length).toBeGreaterThan(0);
    expect(sizes.at(-1)).toBe(memoryOf(instance).buffer.byteLength);
  });

  it("a program that still calls sbrk is refused, one that only has it is not", async () => {
    const sbrk = "(func $sbrk (param i32) (result i32) (i32.const 0))";
    const caller = '(func (export "arena") (result i32) (call $sbrk (i32.const 64)))';
    const add = (rest: string) => text().replace(/\)$/, `${rest})`);
    await refusal(() => link(assemble(add(sbrk + caller), true)), "sbrk");
    await refusal(() => link(assemble(add(sbrk.replace("$sbrk", '$sbrk (export "sbrk")')))), "sbrk");
    const { report } = await linked(add(sbrk), {}, true);
    expect(report.growth).toBe("emscripten");
  });
});

describe("inlining", () => {
  const shim = `(module
    (import "gomalloc" "malloc" (func $gm_malloc (param i32) (result i32)))
    (import "gomalloc" "free" (func $gm_free (param i32)))
    (memory (export "memory") 2)
    (global (export "__heap_base") i32 (i32.const 1024))
    (func $malloc (export "malloc") (param i32) (result i32) (call $gm_malloc (local.get 0)))
    (func $free (export "free") (param i32) (call $gm_free (local.get 0)))
    ${[1, 2, 3].map((i) => `(func $f${i} (export "f${i}") (call $free (call $malloc (i32.const ${i}))))`).join("\n")})`;

  it("a function of another type is no wrapper, nor one that does more than a little", async () => {
    const nops = "(drop (i32.load (local.get 0)))".repeat(12);
    const others = `
      (func $errno_malloc (export "e") (param i32) (result i32) (local $p i32)
        (if (i32.eqz (local.tee $p (call $gm_malloc (local.get 0)))) (then (i32.store (i32.const 1000) (i32.const 12))))
        (local.get $p))
      (func $node (export "n") (result i32) (call $gm_malloc (i32.const 40)))
      (func $destroy (export "d") (param i32) ${nops} (call $gm_free (local.get 0)))
      (func $twice (export "t") (param i32) (result i32)
        (drop (call $gm_malloc (local.get 0))) (call $gm_malloc (local.get 0))))`;
    const { report } = await linked(shim.replace(/\)$/, others), { optimize: "O2" }, true);
    expect(report.wrappers).toEqual(["malloc", "free", "errno_malloc"]);
  });

  /** The functions that `name` calls. */
  function callees(wasm: Uint8Array<ArrayBuffer>, name: string): string[] {
    const module = binaryen.readBinary(wasm);
    const text = module.emitText();
    module.dispose();
    const from =
      text.indexOf(`(func $${name} `) < 0 ? text.indexOf(`(func $${name}\n`) : text.indexOf(`(func $${name} `);
    const body = text.slice(from, text.indexOf("\n (func ", from));
    return [...body.matchAll(/\((?:return_)?call \$([^\s)]+)/g)].map((match) => match[1]!.split("/").at(-1)!);
  }

  it("takes the fast paths through a shim's wrappers into every caller", async () => {
    const { wasm, report } = await linked(shim, { optimize: "O3" }, true);
    expect(report.wrappers).toEqual(["malloc", "free"]);
    for (const name of ["f1", "f2", "f3"]) {
      const called = callees(wasm, name);
      expect(called).toContain("mallocSlow");
      expect(called).toContain("freeSlow");
      expect(called).not.toContain("malloc");
      expect(called).not.toContain("free");
    }
    (instantiate(wasm).exports["f1"] as () => void)();
  });

  it("or leaves calls", async () => {
    const [inlined, called] = [
      await linked(shim, { optimize: "O3" }, true),
      await linked(shim, { optimize: "O3", inline: false }, true),
    ];
    expect(callees(called.wasm, "f1").filter((name) => name === "malloc" || name === "free")).toHaveLength(2);
    expect(called.wasm.length).toBeLessThan(inlined.wasm.length);
    expect(called.report.wrappers).toEqual([]);
  });
});

describe("what a program brings along", () => {
  it("names are kept, or there are none", async () => {
    const named = await linked(programText({ rest: '(func $recognised (export "r"))' }), { optimize: "O3" }, true);
    const names = [...named.info.functionNames.values()];
    expect(names).toContain("recognised");
    expect(names.some((name) => name.endsWith("/mallocSlow"))).toBe(true);
    expect(named.report.names).toBe("kept");

    expect((await linked(programText())).info.named).toBe(false);
    const stripped = await linked(programText(), { names: false }, true);
    expect(stripped.info.named).toBe(false);
    expect(stripped.report.names).toBe("removed");
  });

  it("no section, hint or export of the link's own is left", async () => {
    const { info } = await linked(programText(), { optimize: "O3" }, true);
    expect(info.sections.flatMap(({ name }) => name ?? [])).toEqual(["name"]);
    expect(info.exports.map(({ name }) => name)).toEqual(PROGRAM_EXPORTS);
  });

  it("tables, elements, passive data, SIMD, several values, tail calls, exceptions", async () => {
    const rest = `
      (type $unary (func (param i32) (result i32)))
      (table $t (export "table") 4 8 funcref)
      (elem (i32.const 1) $do_malloc $twice)
      (elem $later func $twice)
      (data $passive "later")
      (tag $oops (param i32))
      (func $twice (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1)))
      (func (export "indirect") (param i32 i32) (result i32)
        (call_indirect (type $unary) (local.get 1) (local.get 0)))
      (func (export "fill") (param i32)
        (memory.init $passive (local.get 0) (i32.const 0) (i32.const 5)))
      (func (export "lane") (param i32) (result i32)
        (i32x4.extract_lane 2 (i32x4.add (i32x4.splat (local.get 0)) (v128.const i32x4 1 2 3 4))))
      (func (export "pair") (param i32) (result i32 i32) (local.get 0) (call $malloc (local.get 0)))
      (func (export "tail") (param i32) (result i32) (return_call $malloc (local.get 0)))
      (func (export "caught") (param i32) (result i32)
        (try (result i32) (do (throw $oops (local.get 0))) (catch $oops)))`;
    const { wasm } = await linked(programText({ rest }), { optimize: "O3" });
    const instance = instantiate(wasm);
    const exports = instance.exports as Record<string, (...args: number[]) => number>;
    const p = exports["indirect"]!(1, 100);
    expect(p).toBeGreaterThanOrEqual(HEAP_BASE);
    expect(exports["indirect"]!(2, 21)).toBe(42);
    exports["fill"]!(p);
    expect(new TextDecoder().decode(new Uint8Array(memoryOf(instance).buffer, p, 5))).toBe("later");
    expect(exports["lane"]!(10)).toBe(13);
    const [n, q] = exports["pair"]!(24) as unknown as [number, number];
    expect([n, q % 16]).toEqual([24, 0]);
    expect(exports["tail"]!(24)).not.toBe(q);
    expect(exports["caught"]!(7)).toBe(7);
    expect((instance.exports["table"] as WebAssembly.Table).length).toBe(4);
  });

  it("types of the GC proposal, which this engine may not know", async () => {
    const text = programText({
      rest: `(type $cell (struct (field (mut i32))))
        (func (export "cell") (param i32) (result i32) (struct.get $cell 0 (struct.new $cell (local.get 0))))`,
    });
    const program = assemble(text, false, COMMON | binaryen.Features.GC);
    const { wasm, report } = await link(program, { optimize: "O0" });
    expect(report.validated).toBe(WebAssembly.validate(program) ? "yes" : "unknown");
    expect(inspect(wasm).gc).toBe(true);
  });

  it("linking a linked module finds nothing to bind", async () => {
    const { wasm } = await linked(programText());
    await refusal(() => link(wasm), "no-import");
  });
});
