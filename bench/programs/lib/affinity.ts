/**
 * The whole process on one processor, for as long as something is sampled.
 *
 * On Linux V8's profiler samples a thread by sending it a signal. To a thread on another processor that may come late,
 * when it enters the kernel the next time: the first touch of a page then gathers the samples of what ran before it. With
 * two processors 21 % of the samples of SQLite's orm lie in malloc, with one 8 %; perf, which samples by a timer's
 * interrupt, has 9 %. On one processor the sampler runs only while the thread does not, and the signal is there when the
 * thread goes on. Other systems' profilers suspend the thread, and need none of this.
 */

import { execFile } from "node:child_process";
import { platform } from "node:os";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Processors that the process may use, as taskset of util-linux writes them: 0-3,8. */
async function processors(): Promise<string> {
  const { stdout } = await run("taskset", ["-cp", `${process.pid}`], { env: { ...process.env, LC_ALL: "C" } });
  return stdout.slice(stdout.lastIndexOf(":") + 1).trim();
}

/** Every thread of the process; those that they start follow them. */
async function confine(list: string): Promise<void> {
  await run("taskset", ["-acp", list, `${process.pid}`]);
}

/** `work` with all threads of the process on one processor, where that is needed. Throws where it cannot be had. */
export async function onOneProcessor<T>(work: () => Promise<T>): Promise<T> {
  if (platform() !== "linux") return work();
  const all = await processors();
  await confine(/^\d+/.exec(all)![0]);
  try {
    return await work();
  } finally {
    await confine(all);
  }
}
