/** What calls throw. */
import { expect } from "vitest";

/** The error that `call` throws; null: none. */
export function thrownOrNull(call: () => unknown): Error | null {
  try {
    call();
    return null;
  } catch (error) {
    return error as Error;
  }
}

/** The error that `call` throws. The test fails when it throws none. */
export function thrown(call: () => unknown): Error {
  return thrownOrNull(call) ?? expect.fail(`${String(call)} threw nothing`);
}
