/** The words for what validate() finds broken (base/abiinvariants.ts). */
import { INVARIANTS } from "../base/abiinvariants.js";

export { INVARIANTS };

/** The words for an invariant's number: a number that has none is still an error. */
export function describeInvariant(invariant: number): string {
  return INVARIANTS[invariant] ?? "an invariant that this version of the host API has no description of";
}
