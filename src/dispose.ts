/// <reference lib="esnext.disposable" preserve="true" />
/** The key of explicit resource management, also on engines that do not have it yet. */

/** Symbol.dispose, or the registered symbol that stands in for it. */
export const DISPOSE: typeof Symbol.dispose =
  (Symbol as { dispose?: typeof Symbol.dispose }).dispose ?? (Symbol.for("Symbol.dispose") as typeof Symbol.dispose);
