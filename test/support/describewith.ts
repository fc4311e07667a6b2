/** Groups of tests that need a tool of the machine's. */
import { describe } from "vitest";
import type { Need } from "./needs.ts";

/** describe, skipped under a title that says why when the need is missing. */
export function describeWith({ missing }: Need, name: string, body: () => void): void {
  describe.skipIf(missing !== null)(missing === null ? name : `${name} (skipped: ${missing})`, body);
}
