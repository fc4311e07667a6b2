/** serveHeap and liveHandler over real sockets: the page, frames, figures, refusals, several viewers, the end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { createHeap } from "../../src/index.ts";
import { liveHandler } from "../../src/live/index.ts";
import { LiveError, type LiveServer, type ServeOptions, serveHeap } from "../../src/live/server.ts";
import { createHeap as createProfiledHeap } from "../../src/profile.ts";
import { ROOT } from "../support/installed.ts";
import { open } from "../support/wasm.ts";
import { Client } from "./support/client.ts";

const servers: LiveServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(heap: Parameters<typeof serveHeap>[0], options?: ServeOptions): Promise<LiveServer> {
  const server = await serveHeap(heap, options);
  servers.push(server);
  return server;
}

it("serves the page, which asks for nothing from elsewhere", async () => {
  const { url, port, host } = await serve(createHeap());
  expect(url).toBe(`http://127.0.0.1:${port}/`);
  expect(host).toBe("127.0.0.1");
  const response = await fetch(url);
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
  const page = await response.text();
  expect(page).toContain("default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'");
  expect(page).not.toMatch(/(src|href)="/);
});

it("frames show the heap, with its name, and stop when the viewer leaves", async () => {
  const heap = createHeap();
  const server = await serve(heap, { fps: 60, label: "my heap" });
  const client = new Client(server.url);
  await client.next();
  await server.seen;
  expect(client.hello).toEqual({ viewer: 1, fps: 60, budgetMs: 5, label: "my heap", links: ["metrics"] });
  const blocks = Array.from({ length: 1000 }, (_, i) => heap.malloc(i));
  const { snapshot, head } = await client.next();
  expect(snapshot.totals).toEqual(heap.snapshot().totals);
  expect(head.more).toMatchObject({ cycles: 0, read: { slices: expect.any(Number), longest: expect.any(Number) } });
  const page = Math.floor(blocks[500]! / 8192);
  const look = `look?viewer=${client.hello!.viewer}&from=${page}&to=${page + 1}`;
  heap.free(blocks[500]!);
  expect((await fetch(server.url + look, { method: "POST" })).status).toBe(204);
  expect((await client.next()).snapshot.slotAt(blocks[500]!)!.live).toBe(false);
  expect(server.viewers).toBe(1);
  client.leave();
  await client.ended;
  while (server.viewers > 0) await new Promise((done) => setImmediate(done));
});

it("several viewers see the same, and close ends all of them and frees the port", async () => {
  const heap = createHeap();
  heap.malloc(50_000);
  const server = await serve(heap, { fps: 60 });
  const clients = [new Client(server.url), new Client(server.url)];
  for (const client of clients) {
    const { snapshot } = await client.next();
    expect(snapshot.totals).toEqual(heap.snapshot().totals);
  }
  expect(server.viewers).toBe(2);
  server.note("the work is done");
  await Promise.all(clients.map((client) => client.next()));
  await server.close();
  await Promise.all(clients.map(({ ended }) => ended));
  for (const { states } of clients) {
    expect(states).toEqual([
      { state: "note", reason: "the work is done" },
      { state: "ended", reason: "the server was closed" },
    ]);
  }
  const again = await serve(heap, { port: server.port });
  expect(again.port).toBe(server.port);
});

it("a heap that is disposed of ends the view, and the server goes on", async () => {
  const heap = createHeap();
  const server = await serve(heap, { fps: 60 });
  const client = new Client(server.url);
  await client.next();
  heap.dispose();
  await client.ended;
  expect(client.states).toEqual([{ state: "ended", reason: "the heap was disposed of" }]);
  expect((await fetch(`${server.url}metrics`)).status).toBe(500);
  expect((await fetch(`${server.url}debug/pprof/heap`)).status).toBe(404);
  const late = new Client(server.url);
  await late.ended;
  expect(late.frames.length).toBe(1);
});

it("/metrics has the statistics of a heap, and of a memory what a snapshot knows", async () => {
  const heap = createHeap();
  for (let i = 0; i < 100; i++) heap.malloc(1000);
  const memory = heap.memory;
  const figures = async (of: Parameters<typeof serveHeap>[0]) => {
    const { url } = await serve(of);
    const response = await fetch(`${url}metrics`);
    expect([response.status, response.headers.get("content-type")]).toEqual([
      200,
      "text/plain; version=0.0.4; charset=utf-8",
    ]);
    const lines = (await response.text()).split("\n").filter((line) => /^\w+ \d/.test(line));
    return new Map(lines.map((line) => line.split(" ") as [string, string]));
  };
  const [whole, outside] = [await figures(heap), await figures(memory)];
  expect(whole.get("go_memstats_heap_objects")).toBe("100");
  expect(whole.size).toBeGreaterThan(outside.size);
  expect(outside.size).toBeGreaterThan(8);
  // Without what the collector's stacks take, of which there are none.
  for (const [name, value] of outside) expect([name, value]).toEqual([name, whole.get(name)]);
  const { url } = await serve(new WebAssembly.Memory({ initial: 1 }));
  const response = await fetch(`${url}metrics`);
  expect([response.status, await response.text()]).toEqual([500, expect.stringContaining("no heap is in the memory")]);
});

it("/debug/pprof/heap is there when the heap samples", async () => {
  const heap = createProfiledHeap({ profile: { rate: 1 } });
  for (let i = 0; i < 10; i++) heap.malloc(1000);
  const { url } = await serve(heap, { fps: 60 });
  const client = new Client(url);
  await client.next();
  expect(client.hello!.links).toEqual(["metrics", "debug/pprof/heap"]);
  const text = await (await fetch(`${url}debug/pprof/heap?debug=1`)).text();
  expect(text).toMatch(/^heap profile: 10: 10240 /);
  client.leave();
  await client.ended;
  const plain = await serve(createHeap());
  expect((await fetch(`${plain.url}debug/pprof/heap`)).status).toBe(404);
});

it("the memory of a program is enough", async () => {
  const o = open("malloc", { initial: 3 });
  o.e.malloc(1000);
  const { url } = await serve(o.mem.memory, { fps: 60 });
  const client = new Client(url);
  const { snapshot, head } = await client.next();
  expect([snapshot.flavour, snapshot.totals.heapObjects]).toEqual(["malloc", 1]);
  expect(head.more).not.toHaveProperty("cycles");
  client.leave();
  await client.ended;
});

it("other methods and paths are refused, and names that only point here", async () => {
  const { url, port } = await serve(createHeap());
  const status = async (path: string, method = "GET") => (await fetch(url + path, { method })).status;
  expect(await status("", "POST")).toBe(405);
  expect(await status("look")).toBe(405);
  expect(await status("metrics", "POST")).toBe(405);
  expect(await status("elsewhere")).toBe(404);
  expect(await status("look?viewer=x&from=&to=9", "POST")).toBe(204);
  const as = async (host: string) => {
    const asked = request({ host: "127.0.0.1", port, path: "/", headers: { host } }).end();
    const [response] = (await once(asked, "response")) as [{ statusCode: number; resume(): void }];
    response.resume();
    return response.statusCode;
  };
  expect(await as("evil.example:80")).toBe(403);
  expect(await as("127.0.0.1.evil.example")).toBe(403);
  for (const host of [`localhost:${port}`, "127.0.0.1", "[::1]:8080", "app.localhost"])
    expect(await as(host)).toBe(200);
});

it("a server that cannot listen is a LiveError that says what to do", async () => {
  const heap = createHeap();
  const { port } = await serve(heap);
  const failure = (options: ServeOptions) =>
    serveHeap(heap, options).then(
      () => undefined,
      (error: unknown) => error,
    );
  const inUse = await failure({ port });
  expect(inUse).toBeInstanceOf(LiveError);
  expect(inUse).toMatchObject({
    code: "ERR_LIVE",
    kind: "port-in-use",
    message: expect.stringContaining("another port"),
  });
  expect(await failure({ host: "203.0.113.7" })).toMatchObject({ kind: "host" });
  for (const wrong of [{ port: 70_000 }, { fps: 0 }, { fps: 61 }, { budgetMs: 0.5 }, { heap: -1 }]) {
    expect(await failure(wrong)).toBeInstanceOf(RangeError);
  }
  for (const wrong of [{ host: 3 }, { label: 3 }, { unref: 1 }, { prot: 80 }]) {
    expect(await failure(wrong as never)).toBeInstanceOf(TypeError);
  }
  await expect(serveHeap({} as never)).rejects.toBeInstanceOf(TypeError);
});

it("liveHandler serves below a path of another server", async () => {
  const heap = createHeap();
  const handler = liveHandler(heap, { fps: 60 });
  const server = createServer((asked, response) => {
    if (asked.url!.startsWith("/debug/heap/")) handler(asked, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/debug/heap/`;
  expect(await (await fetch(url)).text()).toContain("<!doctype html>");
  const client = new Client(url);
  await client.next();
  expect(handler.viewers).toBe(1);
  handler.close();
  await client.ended;
  expect(client.states).toEqual([{ state: "ended", reason: "the server was closed" }]);
  server.close();
  server.closeAllConnections();
  expect(() => liveHandler(heap, { prot: 3 } as never)).toThrow(TypeError);
});

it("with unref it keeps no process alive, also while a page looks", async () => {
  const program = (unref: boolean) => `
    import { createHeap } from ${JSON.stringify(join(ROOT, "dist/index.js"))};
    import { serveHeap } from ${JSON.stringify(join(ROOT, "dist/live/server.js"))};
    const live = await serveHeap(createHeap(), { unref: ${unref} });
    console.log(live.url);
    process.stdin.once("data", () => process.stdin.destroy());`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program(true)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const client = new Client(line.toString().trim());
  // The connection breaks with the process.
  const ended = client.ended.catch(() => {});
  await client.until(({ frames }) => frames.length > 1);
  const exit = once(child, "exit");
  child.stdin.write("\n");
  expect(await exit).toEqual([0, null]);
  await ended;
});
