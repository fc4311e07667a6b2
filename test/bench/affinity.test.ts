/** The process on one processor, and back on all of them. */
import { execFileSync } from "node:child_process";
import { platform } from "node:os";
import { describe, expect, it } from "vitest";
import { onOneProcessor } from "../../bench/programs/lib/affinity.ts";

/** Processors of every thread of this process. */
function processors(): string[] {
  const told = execFileSync("taskset", ["-acp", `${process.pid}`], { encoding: "utf8" });
  return [...new Set(told.match(/[\d,-]+$/gm))];
}

const elsewhere = platform() === "linux" ? "" : " (skipped: processors are chosen by taskset, which only Linux has)";

describe.skipIf(elsewhere !== "")(`onOneProcessor${elsewhere}`, () => {
  it("has every thread on one while it works, and gives the others back", async () => {
    const before = processors();
    const [during, result] = await onOneProcessor(async () => [processors(), 42] as const);
    expect(during).toHaveLength(1);
    expect(during[0]).toMatch(/^\d+$/);
    expect(result).toBe(42);
    expect(processors()).toEqual(before);
  });

  it("gives them back when the work throws", async () => {
    const before = processors();
    const thrown = onOneProcessor(async () => {
      throw new Error("work");
    });
    await expect(thrown).rejects.toThrow("work");
    expect(processors()).toEqual(before);
  });
});
