/** The heap's invariants as an expectation, where the flavour can check them. */
import { expect } from "vitest";
import type { HostExports, MallocExports, Opened } from "../../support/wasm.ts";

export const isHost = (o: Opened<MallocExports>): o is Opened<HostExports> => "validate" in o.e;

/** Nothing to check in a flavour that exports the malloc family alone. */
export function expectValid(o: Opened<MallocExports>, note: string): void {
  if (!isHost(o)) return;
  const code = o.e.validateDeep();
  if (code !== 0) expect.fail(`${note}: validate gives ${code} at ${o.e.validateInfo().toString(16)}`);
}
