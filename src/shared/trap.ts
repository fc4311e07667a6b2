/**
 * Traps in the middle of a call of wasm: a lock or a gate that is not to be had where a call cannot be left half done, or an
 * address of the caller's that is none.
 *
 * Such a call leaves behind what a thread leaves that dies there: locks, its gate, lists half changed. So the thread's P is
 * abandoned and recovered like a dead thread's, and the thread takes another at its next operation. Nobody else notices.
 */

/** What a trap is for. */
type OnTrap = (error: WebAssembly.RuntimeError) => unknown;

/** `f`, whose traps are given to `onTrap`; what that returns is thrown instead. */
function guard<A extends unknown[], R>(f: (...args: A) => R, onTrap: OnTrap): (...args: A) => R {
  return (...args) => {
    try {
      return f(...args);
    } catch (error) {
      throw error instanceof WebAssembly.RuntimeError ? onTrap(error) : error;
    }
  };
}

/** guard for all functions of an object. */
export function guardAll<T extends object>(functions: T, onTrap: OnTrap): T {
  return Object.fromEntries(Object.entries(functions).map(([name, f]) => [name, guard(f, onTrap)])) as T;
}
