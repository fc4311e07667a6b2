/**
 * Every trace through every allocator with the checked driver: all contents are kept, and all allocators agree on
 * what was done. Allocators that search lists get the beginning of each trace: their whole would take minutes.
 */
import { describe, expect, it } from "vitest";
import { ALLOCATORS, benchModule } from "../../bench/lib/catalog.ts";
import { check } from "../../bench/lib/checked.ts";
import { TRACE_NAMES } from "../../bench/lib/trace.ts";
import { loadReplay, reduced } from "../../bench/lib/workloads.ts";

const replays = await Promise.all(TRACE_NAMES.map(loadReplay));
const beginnings = replays.map((replay) => reduced(replay));
const contenders: { name: string; searches: boolean; module: WebAssembly.Module }[] = [];
for (const allocator of ALLOCATORS) {
  const bytes = await benchModule(allocator, "checked");
  const { name, searches } = allocator;
  if (bytes) contenders.push({ name, searches, module: new WebAssembly.Module(bytes) });
}

describe.each(contenders)("$name", ({ searches, module }) => {
  it.each(searches ? beginnings : replays)("keeps all contents of $name", (replay) => {
    const verdict = check(module, replay);
    expect(verdict.failure).toBeUndefined();
    expect(verdict.operations).toBe(replay.trace.count + replay.rest.count);
    expect(verdict.peakLive).toBe(replay.peak);
    expect(verdict.footprint).toBeGreaterThanOrEqual(replay.peak);
    expect(verdict.checksum).toBe(replay.checksum);
  });
});
