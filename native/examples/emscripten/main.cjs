/** Sorts a million lines with sort.c: node main.cjs. The memory grows more than once, behind views that JavaScript holds. */
const { createHash } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { resolve } = require("node:path");

const create = require(resolve("sort.js"));

// Handed in, for the glue of emcc 3.1 takes a Node with fetch for a browser.
create({ wasmBinary: readFileSync("sort.wasm") }).then((module) => {
  let state = 1;
  const lines = Array.from({ length: 1_000_000 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state.toString(36);
  });
  const text = Buffer.from(`${lines.join("\n")}\n`);

  const input = module._malloc(text.length + 1);
  module.HEAPU8.set(text, input);
  module.HEAPU8[input + text.length] = 0;
  const output = module._sort_lines(input);
  const sorted = Buffer.from(module.HEAPU8.subarray(output, output + text.length)).toString();
  module._free(input);
  module._free(output);

  const expected = `${lines.sort().join("\n")}\n`;
  const digest = createHash("sha256").update(sorted).digest("hex").slice(0, 16);
  console.log(`${lines.length} lines, ${sorted === expected ? "sorted" : "wrong"}, ${digest}`);
  console.log(`memory grew: ${module.HEAPU8.length > 16 * 1024 * 1024 ? "yes" : "no"}`);
});
