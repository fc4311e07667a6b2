/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Disposing of things: the key of explicit resource management, also on engines that do not have it yet, and the steps
 * of a disposal, of which some run code of the user's.
 */

/** Symbol.dispose, or a registered symbol where the engine lacks it. */
export const DISPOSE: typeof Symbol.dispose =
  (Symbol as { dispose?: typeof Symbol.dispose }).dispose ?? (Symbol.for("Symbol.dispose") as typeof Symbol.dispose);

/** Runs every step, whatever the others throw. Then throws what one has thrown; of several an AggregateError. */
export function runAll(steps: Iterable<() => void>): void {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, "several steps of a disposal failed; all of them were taken");
}
