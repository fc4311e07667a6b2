/**
 * Every trace through every allocator with the checked driver: all contents are kept, and all allocators agree on
 * what was done. Some allocators get the beginning of each trace: they search lists, or take pages for each block; and
 * those that reuse nothing of the traces that ask for more than half a gigabyte in all.
 */
import { describe, expect, it } from "vitest";
import { ALLOCATORS, benchModule } from "../../bench/lib/catalog.ts";
import { check } from "../../bench/lib/checked.ts";
import { TRACE_NAMES } from "../../bench/lib/trace.ts";
import { beginning, loadReplay, type Replay, reduced, suits } from "../../bench/lib/workloads.ts";

const replays = await Promise.all(TRACE_NAMES.map(loadReplay));
const beginnings = replays.map((replay) => reduced(replay));
const frugal = replays.map((replay) =>
  ["postgres-shop", "git-log"].includes(replay.name) ? beginning(replay, 20_000) : replay,
);
const contenders: { name: string; played: Replay[]; module: WebAssembly.Module }[] = [];
for (const allocator of ALLOCATORS.filter(({ onRequest }) => !onRequest)) {
  const bytes = await benchModule(allocator, "checked");
  const chosen = allocator.reduced ? beginnings : allocator.kind === "bump" ? frugal : replays;
  const played = chosen.filter((replay) => suits(allocator, replay));
  if (bytes) contenders.push({ name: allocator.name, played, module: new WebAssembly.Module(bytes) });
}

describe.each(contenders)("$name", ({ played, module }) => {
  it.each(played)("keeps all contents of $name", (replay) => {
    const verdict = check(module, replay);
    expect(verdict.failure).toBeUndefined();
    expect(verdict.operations).toBe(replay.trace.count + replay.rest.count);
    expect(verdict.peakLive).toBe(replay.peak);
    expect(verdict.footprint).toBeGreaterThanOrEqual(replay.peak);
    expect(verdict.checksum).toBe(replay.checksum);
  });
});

describe.each(ALLOCATORS.filter(({ onRequest }) => onRequest))("$name", (allocator) => {
  it("keeps all contents of a short beginning", async () => {
    const replay = beginning(replays[0]!, 3000);
    const verdict = check(new WebAssembly.Module((await benchModule(allocator, "checked"))!), replay);
    expect(verdict.failure).toBeUndefined();
    expect(verdict.operations).toBe(replay.trace.count + replay.rest.count);
    expect(verdict.checksum).toBe(replay.checksum);
  });
});
