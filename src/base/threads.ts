/**
 * What the collector of a shared heap needs of the threads around it. A heap of one thread has none of this.
 *
 * Every method is for the thread whose collector it is. What cannot be waited for (a thread that is dead and not yet
 * reaped, or that stays inside for too long) is a HeapLockError, and nothing has changed.
 */
export interface Threads {
  /** Whether this thread is inside its gate: no cycle begins or ends meanwhile. */
  readonly inside: boolean;
  /** Enters the gate; may be nested. */
  enter(): void;
  /** Undoes one enter. Does nothing when the gate is open already, because the heap was detached. Never throws. */
  leave(): void;
  /** A whole cycle, begun now and swept; waits for whoever marks. */
  collect(): void;
  /** Throws for the thread that the last call gave up waiting for, if there was one. */
  check(): void;
  /** For a marker with nothing to do: gives the P up and sleeps until there may be work, or for a while. */
  rest(): Promise<void>;
  /** For a marker: takes a P again after a turn of the event loop. */
  resume(): Promise<void>;
  /** Tells the pacer of all threads how long the two stops of this thread's last cycle took, milliseconds. */
  stopped(begin: number, end: number): void;
}
