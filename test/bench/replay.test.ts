/**
 * Every trace through every allocator with the checked driver: all contents are kept, and all allocators agree on
 * what was done. Some allocators get the beginning of each trace: they search lists, or take pages for each block.
 */
import { describe, expect, it } from "vitest";
import { ALLOCATORS, benchModule } from "../../bench/lib/catalog.ts";
import { check } from "../../bench/lib/checked.ts";
import { TRACE_NAMES } from "../../bench/lib/trace.ts";
import { beginning, loadReplay, reduced } from "../../bench/lib/workloads.ts";

const replays = await Promise.all(TRACE_NAMES.map(loadReplay));
const beginnings = replays.map((replay) => reduced(replay));
const contenders: { name: string; short: boolean; module: WebAssembly.Module }[] = [];
for (const allocator of ALLOCATORS.filter(({ onRequest }) => !onRequest)) {
  const bytes = await benchModule(allocator, "checked");
  const { name, reduced: short } = allocator;
  if (bytes) contenders.push({ name, short, module: new WebAssembly.Module(bytes) });
}

describe.each(contenders)("$name", ({ short, module }) => {
  it.each(short ? beginnings : replays)("keeps all contents of $name", (replay) => {
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
