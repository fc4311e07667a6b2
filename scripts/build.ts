/**
 * Builds the package: `tsx scripts/build.ts [--force] [--wasm-only]`.
 *
 * Steps, in order: the generated size classes agree with their generator; each flavour is compiled, optimised and
 * checked (build-wasm.ts); the host flavour is inlined for src/ (build-inline.ts),
 * with the jump table that stands in for it (build-trampoline.ts); tsc writes dist/.
 * The wasm steps are skipped while their inputs have not changed (build-stamp.ts); --force does them all the same and
 * empties dist/ first, which is what a publish needs. --wasm-only stops before tsc.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Listr } from "listr2";
import { writeInlinedModules } from "./build-inline.ts";
import { isFresh, writeStamp } from "./build-stamp.ts";
import { BUILD_DIR, ROOT, runTool } from "./build-tools.ts";
import { writeTrampoline } from "./build-trampoline.ts";
import { buildFlavour, FLAVOURS } from "./build-wasm.ts";

async function main(argv: readonly string[]): Promise<void> {
  const force = argv.includes("--force");
  const wasmOnly = argv.includes("--wasm-only");
  const unknown = argv.filter((arg) => arg !== "--force" && arg !== "--wasm-only");
  if (unknown.length > 0) throw new Error(`unknown option ${unknown.join(" ")}`);

  await mkdir(BUILD_DIR, { recursive: true });
  const fresh = !force && (await isFresh());
  const skip = () => (fresh ? "unchanged" : false);

  await new Listr(
    [
      {
        title: "size classes agree with their generator",
        skip,
        task: () => runTool("tsx/dist/cli.mjs", ["scripts/gen-sizeclasses.ts", "--check"]),
      },
      ...FLAVOURS.map((flavour) => ({
        title: `${flavour.name} flavour`,
        skip,
        task: async (_: unknown, task: { title: string }) => {
          const bytes = await buildFlavour(flavour);
          task.title = `${flavour.file}: ${bytes} bytes`;
        },
      })),
      { title: "host flavours inlined", skip, task: writeInlinedModules },
      { title: "trampoline", skip, task: writeTrampoline },
      { title: "stamp", skip, task: writeStamp },
      {
        title: "dist/",
        enabled: !wasmOnly,
        task: async () => {
          if (force) await rm(join(ROOT, "dist"), { recursive: true, force: true });
          // The host for every engine, then the command line and its tools, which know Node.
          await runTool("typescript/bin/tsc", ["-p", "tsconfig.build.json"]);
          await runTool("typescript/bin/tsc", ["-p", "tsconfig.tools.json"]);
        },
      },
    ],
    { concurrent: false, rendererOptions: { collapseErrors: false, collapseSubtasks: false } },
  ).run();
}

await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
