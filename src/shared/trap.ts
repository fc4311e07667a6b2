/**
 * Traps in the middle of a call of wasm: a lock or a gate was not available where a call cannot be left half done, or
 * the caller passed an address that is none.
 *
 * Such a call leaves behind what a thread leaves that dies there: locks, its gate, lists half changed. So the thread's
 * P is abandoned and recovered like that of a dead thread, and the thread takes another at its next operation. Other
 * threads do not notice.
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
