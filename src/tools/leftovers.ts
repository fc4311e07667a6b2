/**
 * Temporary files and child processes that must not outlive this process: they go too when it is ended by SIGINT,
 * SIGTERM or SIGHUP, or calls process.exit in the middle. Nothing can be done about SIGKILL.
 *
 * Signal handlers are installed only while there is something to remove. A program that handles the signal itself goes
 * on, so nothing is removed under its feet: then the end of the process does it. Owner: this file; one thread.
 */
import { rmSync } from "node:fs";

/** Ways to remove what is there now. Each is synchronous and may be called twice. */
const removers = new Set<() => void>();
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Calls `remove` when the process ends, unless the function returned was called before. */
export function atEnd(remove: () => void): () => void {
  if (removers.size === 0) {
    process.on("exit", removeAll);
    for (const signal of SIGNALS) process.on(signal, onSignal);
  }
  removers.add(remove);
  return () => {
    removers.delete(remove);
    if (removers.size === 0) stopListening();
  };
}

/** Removes a file or folder at the end. */
export function removeAtEnd(path: string): () => void {
  return atEnd(() => rmSync(path, { recursive: true, force: true, maxRetries: 3 }));
}

function removeAll(): void {
  // The newest first: children are stopped before their folder goes.
  for (const remove of [...removers].reverse()) {
    try {
      remove();
    } catch {
      // what cannot be removed is left; the others still go
    }
  }
  removers.clear();
}

function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  removeAll();
  stopListening();
  // Without the handler the signal does what it always does, and the parent sees it.
  process.kill(process.pid, signal);
}

function stopListening(): void {
  process.off("exit", removeAll);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}
