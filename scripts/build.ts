/**
 * Builds the package: `tsx scripts/build.ts [--force] [--wasm-only] [FLAVOUR ...]`.
 *
 * Steps, in order: the generated size classes agree with their generator; each flavour is compiled, optimised and
 * checked (build-wasm.ts), two at a time; the host flavour is inlined for src/ (build-inline.ts),
 * with the jump table that stands in for it (build-trampoline.ts); object files and archives are written to lib/
 * (build-objects.ts); build-page.ts makes the live view's page a string; tsc writes dist/, and build-page.ts the
 * page of the heap map.
 * A wasm step is skipped while its inputs have not changed (build-stamp.ts); --force does them all the same and
 * empties dist/ first, which is what a publish needs. --wasm-only stops before tsc. With names of flavours (malloc,
 * host, test, shared, host-shared, test-shared, these with -profile, object, object-shared, object-debug,
 * object-shared-debug) only those are compiled, and nothing after them is done.
 * All of it takes a minute and a half on two cores, one flavour about ten seconds. A terminal sees the steps go by; elsewhere
 * one line says what was made, and nothing is printed when all was fresh.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Listr } from "listr2";
import { writeInlinedModules } from "./build-inline.ts";
import { writeObjects } from "./build-objects.ts";
import { writeLivePage, writePage } from "./build-page.ts";
import { Stamps } from "./build-stamp.ts";
import { BUILD_DIR, ROOT, runTool } from "./build-tools.ts";
import { writeTrampoline } from "./build-trampoline.ts";
import { buildFlavour, FLAVOURS } from "./build-wasm.ts";

async function main(argv: readonly string[]): Promise<void> {
  const force = argv.includes("--force");
  const names = argv.filter((arg) => !arg.startsWith("--"));
  const wasmOnly = argv.includes("--wasm-only") || names.length > 0;
  const known = ["--force", "--wasm-only", ...FLAVOURS.map((flavour) => flavour.name)];
  const unknown = argv.filter((arg) => !known.includes(arg));
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(" ")}; it may be ${known.join(", ")}`);

  await mkdir(BUILD_DIR, { recursive: true });
  const stamps = await Stamps.read();
  const chosen = FLAVOURS.filter((flavour) => names.length === 0 || names.includes(flavour.name));
  const stale = await Promise.all(chosen.map(async (flavour) => force || !(await stamps.isFresh(flavour))));
  const flavours = chosen.filter((_, i) => stale[i]);
  const inlined = names.length === 0 && (force || !(await stamps.allFresh()));
  const made: string[] = [];

  await new Listr(
    [
      {
        title: "generated sources agree with their generators",
        enabled: inlined || flavours.length > 0,
        task: async () => {
          const generators = ["sizeclasses", "abi", "layout"].map((name) => `scripts/gen-${name}.ts`);
          await Promise.all(generators.map((script) => runTool("tsx/dist/cli.mjs", [script, "--check"])));
        },
      },
      {
        title: "flavours",
        enabled: flavours.length > 0,
        task: (_, task) =>
          task.newListr(
            flavours.map((flavour) => ({
              title: `${flavour.name} flavour`,
              task: async (_: unknown, task: { title: string }) => {
                const bytes = await buildFlavour(flavour);
                task.title = `${flavour.file}: ${bytes} bytes`;
                made.push(task.title);
                await stamps.write(flavour);
              },
            })),
            { concurrent: 2 },
          ),
      },
      { title: "host flavours inlined", enabled: inlined, task: writeInlinedModules },
      { title: "trampoline", enabled: inlined, task: writeTrampoline },
      { title: "page of the live view", enabled: names.length === 0, task: writeLivePage },
      { title: "object files", enabled: inlined, task: writeObjects },
      { title: "stamp", enabled: inlined, task: () => stamps.writeAll() },
      {
        title: "dist/",
        enabled: !wasmOnly,
        task: async () => {
          if (force) await rm(join(ROOT, "dist"), { recursive: true, force: true });
          // The host for every engine, then the command line and its tools, which know Node.
          await runTool("typescript/bin/tsc", ["-p", "tsconfig.build.json"]);
          await runTool("typescript/bin/tsc", ["-p", "tsconfig.tools.json"]);
          await writePage();
        },
      },
    ],
    {
      concurrent: false,
      rendererOptions: { collapseErrors: false, collapseSubtasks: false },
      silentRendererCondition: () => process.stdout.isTTY !== true,
    },
  ).run();
  if (process.stdout.isTTY !== true && made.length > 0) console.log(made.join(", "));
}

await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
