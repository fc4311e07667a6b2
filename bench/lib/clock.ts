/**
 * The clock of the measurements.
 *
 * Wall time by default. Processor time (of this process: user and system) on request: on a machine where others
 * work too it leaves out the time in which this process was not running, though not what they do to the caches;
 * it counts V8's helper threads with it.
 */

/** Which time is taken. */
export type Clock = "wall" | "cpu";

let clock: Clock = "wall";

/** Chooses the clock for the rest of the process. */
export function useClock(choice: Clock): void {
  clock = choice;
}

/** Milliseconds; only differences mean anything. */
export function now(): number {
  if (clock === "wall") return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
