/** Stacks in the forms of each engine. The lines are those that engines have written. */
import { describe, expect, it } from "vitest";
import { parseStack } from "../../src/profile/stacks.ts";

describe("V8", () => {
  it("Node and Chrome: names, places, functions of wasm with and without a name", () => {
    const stack = [
      "Error: a message\n    of two lines at it",
      "    at Object.f (file:///home/a/main.mjs:5:113)",
      "    at rec (wasm://wasm/8c9103aa:wasm-function[2]:0x48)",
      "    at wasm://wasm/8c9103aa:wasm-function[3]:0x50",
      "    at app.wasm.render (http://localhost:8080/app.wasm:wasm-function[77]:0x1f2c)",
      "    at Array.map (<anonymous>)",
      "    at new Pool (http://localhost:8080/a%20(b)/pool.js?v=1:7:51)",
      "    at async ModuleLoader.import (node:internal/modules/esm/loader:606:24)",
      "    at eval (eval at run (file:///home/a/main.mjs:2:3), <anonymous>:1:1)",
      "    at C:\\app\\main.js:8:14",
    ];
    expect(parseStack(stack.join("\n"))).toEqual([
      { name: "Object.f", url: "file:///home/a/main.mjs", line: 5, column: 113 },
      { name: "rec", url: "wasm://wasm/8c9103aa", wasm: { index: 2, offset: 0x48 } },
      { name: "", url: "wasm://wasm/8c9103aa", wasm: { index: 3, offset: 0x50 } },
      { name: "app.wasm.render", url: "http://localhost:8080/app.wasm", wasm: { index: 77, offset: 0x1f2c } },
      { name: "Array.map", url: "" },
      { name: "new Pool", url: "http://localhost:8080/a%20(b)/pool.js?v=1", line: 7, column: 51 },
      { name: "async ModuleLoader.import", url: "node:internal/modules/esm/loader", line: 606, column: 24 },
      { name: "eval", url: "eval at run (file:///home/a/main.mjs:2:3), <anonymous>", line: 1, column: 1 },
      { name: "", url: "C:\\app\\main.js", line: 8, column: 14 },
    ]);
  });

  it("Deno to 2.6: a frame of wasm is line 1, and a column from 1", () => {
    expect(parseStack("Error\n    at <anonymous> (wasm://wasm/4b6c7e0a:1:321)")).toEqual([
      { name: "", url: "wasm://wasm/4b6c7e0a", wasm: { offset: 320 } },
    ]);
  });
});

describe("SpiderMonkey", () => {
  it("Firefox 153: a module by URL, and one from bytes", () => {
    const stack = [
      "f@http://localhost:45881/:4:35",
      "rec@http://localhost:45881/p.wasm:wasm-function[2]:0x48",
      "rec@http://localhost:45881/ line 7 > WebAssembly.instantiate:wasm-function[2]:0x43",
      "@http://localhost:45881/:6:94",
    ];
    const page = "http://localhost:45881/";
    expect(parseStack(stack.join("\n"))).toEqual([
      { name: "f", url: page, line: 4, column: 35 },
      { name: "rec", url: `${page}p.wasm`, wasm: { index: 2, offset: 0x48 } },
      { name: "rec", url: `${page} line 7 > WebAssembly.instantiate`, wasm: { index: 2, offset: 0x43 } },
      { name: "", url: page, line: 6, column: 94 },
    ]);
  });

  it("names of Rust, of exports, none", () => {
    const stack = [
      "init/imports.wbg.__wbg_new_59cb74e423758ede@http://localhost:1234/rust.js:303:23",
      "console_error_panic_hook::Error::new::h21c6f8c021401ca7@http://localhost:1234/rust.wasm:wasm-function[1312]:0x7004a",
      "wasm-function[42]@http://example.com/my-module.wasm:wasm-function[42]:0x1a3b",
      "@http://example.com/my-module.wasm:wasm-function[9]:0x89",
      "update@http://user@localhost:1234/typescript.js:341:28",
      "async*run@http://localhost:1234/typescript.js line 3 > eval:1:1",
      "@http://localhost:1234/:3:5",
      "",
    ];
    expect(parseStack(stack.join("\n"))).toEqual([
      {
        name: "init/imports.wbg.__wbg_new_59cb74e423758ede",
        url: "http://localhost:1234/rust.js",
        line: 303,
        column: 23,
      },
      {
        name: "console_error_panic_hook::Error::new::h21c6f8c021401ca7",
        url: "http://localhost:1234/rust.wasm",
        wasm: { index: 1312, offset: 0x7004a },
      },
      { name: "", url: "http://example.com/my-module.wasm", wasm: { index: 42, offset: 0x1a3b } },
      { name: "", url: "http://example.com/my-module.wasm", wasm: { index: 9, offset: 0x89 } },
      { name: "update", url: "http://user@localhost:1234/typescript.js", line: 341, column: 28 },
      { name: "async*run", url: "http://localhost:1234/typescript.js line 3 > eval", line: 1, column: 1 },
      { name: "", url: "http://localhost:1234/", line: 3, column: 5 },
    ]);
  });
});

describe("JavaScriptCore", () => {
  it("to 2025: the function in brackets, by name or by number; the stub between is no frame", () => {
    const stack = [
      "imp@http://localhost/stack.js:12:19",
      "wasm-stub@[wasm code]",
      "<?>.wasm-function[4]@[wasm code]",
      "<?>.wasm-function[swift_reportError]@[wasm code]",
      "app.wasm.wasm-function[std::vec<int>::push(int)]@[wasm code]",
      "forEach@[native code]",
      "module code@http://localhost/stack.js:30:7",
    ];
    expect(parseStack(stack.join("\n"))).toEqual([
      { name: "imp", url: "http://localhost/stack.js", line: 12, column: 19 },
      { name: "", url: "<?>", wasm: { index: 4 } },
      { name: "swift_reportError", url: "<?>", wasm: {} },
      { name: "std::vec<int>::push(int)", url: "app.wasm", wasm: {} },
      { name: "forEach", url: "" },
      { name: "module code", url: "http://localhost/stack.js", line: 30, column: 7 },
    ]);
  });

  it("the first form", () => {
    const stack = "imp@test.js:1:2\nwasm function@[wasm code]\nwasm function: 4@[wasm code]";
    expect(parseStack(stack)).toEqual([
      { name: "imp", url: "test.js", line: 1, column: 2 },
      { name: "", url: "", wasm: { index: 4 } },
    ]);
  });

  it("WebKitGTK 2.50: number and module behind the name, which is the number when there is none", () => {
    const stack = [
      "f@js.js:284:46",
      "rec@<?>:wasm-function[2]",
      "2@<?>:wasm-function[2]",
      "forEach@[native code]",
      "global code@js.js:285:83",
    ];
    expect(parseStack(stack.join("\n"))).toEqual([
      { name: "f", url: "js.js", line: 284, column: 46 },
      { name: "rec", url: "<?>", wasm: { index: 2 } },
      { name: "", url: "<?>", wasm: { index: 2 } },
      { name: "forEach", url: "" },
      { name: "global code", url: "js.js", line: 285, column: 83 },
    ]);
  });

  it("later forms: number and module behind the name", () => {
    expect(
      parseStack("run@<?>:wasm-function[1]\nrun@wasm-function[1]\nwasm-function[7]\nwasm-function[7]:0x2f1"),
    ).toEqual([
      { name: "run", url: "<?>", wasm: { index: 1 } },
      { name: "run", url: "", wasm: { index: 1 } },
      { name: "", url: "", wasm: { index: 7 } },
      { name: "", url: "", wasm: { index: 7, offset: 0x2f1 } },
    ]);
  });
});

it("lines that are no frames are passed over", () => {
  expect(parseStack("")).toEqual([]);
  expect(parseStack("Error: no frames\nat all")).toEqual([]);
});
