/** /debug/pprof/heap over a real server: the parameters of Go's, and refusals. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { Profile as PprofFile } from "pprof-format";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createHeap, type ProfiledHeap, pprofHandler } from "../../src/profile.ts";

let heap: ProfiledHeap;
let base = "";
const answer = (request: Parameters<ReturnType<typeof pprofHandler>>[0], response: never) =>
  void pprofHandler(heap)(request, response);
const server = createServer((request, response) => answer(request, response as never));

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, resolve));
  base = `http://localhost:${(server.address() as AddressInfo).port}/debug/pprof/heap`;
  heap = createHeap({ profile: { rate: 1 } });
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

function allocates(n: number): void {
  for (let i = 0; i < n; i++) heap.malloc(1000);
}

/** In-use bytes and objects of a file's samples, summed up. */
async function inuse(query: string): Promise<[objects: number, bytes: number]> {
  const response = await fetch(base + query);
  expect(response.status).toBe(200);
  const { sample } = PprofFile.decode(gunzipSync(new Uint8Array(await response.arrayBuffer())));
  const sum = (i: number) => sample.reduce((n, { value }) => n + Number(value[i]), 0);
  return [sum(2), sum(3)];
}

it("answers with the profile", async () => {
  allocates(10);
  expect(await inuse("")).toEqual([10, 10 * 1024]);
});

it("gc=1 runs a cycle first", async () => {
  for (let i = 0; i < 50; i++) heap.mallocgc(64, null, true);
  expect(await inuse("")).toEqual([60, 10 * 1024 + 50 * 64]);
  expect(await inuse("?gc=1")).toEqual([10, 10 * 1024]);
});

it("seconds=N gives what has changed", async () => {
  const asked = inuse("?seconds=1");
  // The first profile has been taken when another request, made later, is answered.
  await inuse("");
  allocates(7);
  expect(await asked).toEqual([7, 7 * 1024]);
});

it("debug=1 gives text", async () => {
  const text = await (await fetch(`${base}?debug=1`)).text();
  expect(text).toMatch(/^heap profile: \d+: \d+ \[\d+: \d+\] @ heap\/2\n/);
  expect(text).toContain("allocates");
});

it.each(["?seconds=x", "?seconds=-1", "?seconds=99999", "?gc=2", "?debug=1&seconds=1"])(
  "%s is refused",
  async (query) => {
    const response = await fetch(base + query);
    expect([response.status, await response.text()]).toEqual([400, expect.stringMatching(/(give a|leave)/)]);
  },
);

it("other methods and heaps that are gone are refused", async () => {
  expect((await fetch(base, { method: "POST" })).status).toBe(405);
  const other = heap;
  heap = createHeap();
  heap.dispose();
  const response = await fetch(base);
  expect([response.status, await response.text()]).toEqual([500, expect.stringContaining("disposed")]);
  heap = other;
});
