/** gomalloc serve: WASI programs that are shown as they work, what is printed, exit codes, refusals. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { link } from "../../src/tools/index.ts";
import { assemble, COUNTING_PROGRAM } from "../support/assemble.ts";
import { ROOT } from "../support/installed.ts";
import { Client } from "./support/client.ts";

/** A command that allocates 1000 blocks and then does what `end` says. */
const command = (end: string, extra = "") => `(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "gomalloc" "malloc" (func $malloc (param i32) (result i32)))
  (import "gomalloc" "free" (func $free (param i32)))
  ${extra}
  (memory (export "memory") 1)
  (global (export "__heap_base") i32 (i32.const 1024))
  (func (export "_start") (local $n i32)
    (loop $more
      (drop (call $malloc (i32.const 100)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $n) (i32.const 1000))))
    ${end}))`;

const PROGRAMS = {
  "exits.wasm": command("(call $exit (i32.const 3))"),
  "traps.wasm": command("unreachable"),
  // It never returns to its host.
  "computes.wasm": command("(loop $ever (call $free (call $malloc (i32.const 5000))) (br $ever))"),
  "foreign.wasm": command("(call $gl (i32.const 0))", '(import "env" "gl_clear" (func $gl (param i32)))'),
};

let folder: string;
const children: ChildProcessWithoutNullStreams[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gomalloc-serve-"));
  for (const [name, text] of Object.entries(PROGRAMS)) await writeFile(join(folder, name), assemble(text));
  const { wasm } = await link(assemble(PROGRAMS["exits.wasm"]));
  await writeFile(join(folder, "linked.wasm"), wasm);
  const sampling = await link(assemble(PROGRAMS["exits.wasm"]), { profile: true });
  await writeFile(join(folder, "samples.wasm"), sampling.wasm);
  await writeFile(join(folder, "reactor.wasm"), assemble(COUNTING_PROGRAM));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(() => rm(folder, { recursive: true }));

class Serving {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<[code: number | null, signal: string | null]>;
  out = "";
  err = "";

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, [join(ROOT, "dist/cli/main.js"), "serve", ...args], { cwd: folder });
    children.push(this.child);
    this.child.stdout.on("data", (chunk) => {
      this.out += chunk;
    });
    this.child.stderr.on("data", (chunk) => {
      this.err += chunk;
    });
    this.ended = once(this.child, "close") as typeof this.ended;
  }

  /** The first match in what it has printed. */
  async says(stream: "out" | "err", what: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = what.exec(this[stream]);
      if (found !== null) return found;
      await once(stream === "out" ? this.child.stdout : this.child.stderr, "data");
    }
  }
}

it("--wait begins when the page is open; the page stays until Ctrl-C, and the exit code is the program's", async () => {
  const serving = new Serving("--wait", "exits.wasm");
  const [, url] = await serving.says("err", /gomalloc: the heap of exits\.wasm is at (http:\S+)\n/);
  const client = new Client(url!);
  await client.until(({ states }) => states.some(({ state }) => state === "note"));
  expect(client.states.at(-1)!.reason).toBe("the program ended with exit code 3");
  expect(client.hello!.label).toBe("exits.wasm");
  const { snapshot } = await client.next();
  expect([snapshot.flavour, snapshot.totals.heapObjects]).toEqual(["malloc", 1000]);
  await serving.says("err", /exit code 3; the page stays until Ctrl-C/);
  serving.child.kill("SIGINT");
  await client.ended;
  expect(await serving.ended).toEqual([3, null]);
  expect(client.states.at(-1)).toEqual({ state: "ended", reason: "the server was closed" });
  expect(serving.out).toBe("");
});

it("a program that computes, and calls nothing of its host, is seen as it works", async () => {
  const serving = new Serving("--json", "-q", "--fps", "60", "computes.wasm");
  const [line] = await serving.says("out", /^\{.*\}\n/);
  const { url, host, port } = JSON.parse(line) as { url: string; host: string; port: number };
  expect([url, host]).toEqual([`http://127.0.0.1:${port}/`, "127.0.0.1"]);
  const client = new Client(url);
  await client.until(({ frames }) => frames.length > 20);
  const { totals } = client.frames.at(-1)!.snapshot;
  expect(totals.heapObjects).toBeGreaterThanOrEqual(1000);
  const metrics = await (await fetch(`${url}metrics`)).text();
  expect(metrics).toMatch(/^go_memstats_heap_objects 100[01]$/m);
  client.leave();
  await client.ended;
  serving.child.kill("SIGTERM");
  expect(await serving.ended).toEqual([null, "SIGTERM"]);
  expect(serving.err).toBe("");
});

it("--exit ends with the program; one that has gomalloc inside is run as it is", async () => {
  for (const [file, code] of [
    ["exits.wasm", 3],
    ["linked.wasm", 3],
    ["samples.wasm", 3],
  ] as const) {
    const serving = new Serving("--exit", "-q", file);
    expect(await serving.ended).toEqual([code, null]);
    expect([serving.out, serving.err]).toEqual(["", ""]);
  }
});

it("a trap is told, on the page and as an error", async () => {
  const serving = new Serving("--exit", "traps.wasm");
  expect(await serving.ended).toEqual([1, null]);
  expect(serving.err).toMatch(/gomalloc: the program trapped: unreachable/);
});

it.each([
  [["foreign.wasm"], 1, "the program imports env.gl_clear, which is not of WASI"],
  [["reactor.wasm"], 1, "it is no WASI command"],
  [["missing.wasm"], 1, "there is no such file"],
  [["--port", "70000", "exits.wasm"], 2, "--port 70000 is no number from 0 to 65535"],
  [["--fps", "0", "exits.wasm"], 2, "--fps 0 is no number from 1 to 60"],
  [["--prot", "80", "exits.wasm"], 2, "Was --port meant?"],
  [["--env", "X", "exits.wasm"], 2, "--env X has no ="],
  [[], 2, "no file is given"],
])("%j is refused", async (args, code, message) => {
  const serving = new Serving(...args);
  expect(await serving.ended).toEqual([code, null]);
  expect(serving.err).toContain(message);
});

it("a port that is in use is an error, as JSON where it is asked for", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const serving = new Serving("--json", "-q", "--port", `${port}`, "exits.wasm");
  expect(await serving.ended).toEqual([1, null]);
  server.close();
  expect(JSON.parse(serving.out)).toEqual({
    error: {
      code: "server",
      message: `port ${port} of 127.0.0.1 is in use`,
      fix: "Give another port, or 0 for a free one.",
    },
  });
});
