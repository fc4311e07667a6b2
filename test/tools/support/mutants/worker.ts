/**
 * A process that tries mutants, one after the other: `inspect`, `link` and `swap`. start.mjs begins it. It is told of
 * modules by files and of mutants by their seeds, and answers what became of each. The parent ends it when one takes too
 * long.
 */
import { readFileSync } from "node:fs";
import { link } from "../../../../src/tools/link.ts";
import { swap } from "../../../../src/tools/swap/swap.ts";
import { ToolError } from "../../../../src/wasm/errors.ts";
import { inspect } from "../../../../src/wasm/parse.ts";
import { mutate, type Subject } from "./mutate.ts";

export interface Job {
  readonly subject: number;
  readonly seed: number;
  /** Go on into binaryen, which takes a second; otherwise all that comes before it is done. */
  readonly whole: boolean;
}

export interface Answer extends Job {
  /** A ToolError's code, "result", or "stopped" before binaryen. */
  readonly outcome: string;
  readonly kinds: readonly string[];
  /** What is wrong with that. */
  readonly fault?: string;
}

class Stop extends ToolError {
  constructor() {
    super("option", "enough", "Nothing is to be done.");
  }
}

/** The steps of link that call binaryen's programs. */
const STOP_AT = new Set(["merging", "replacing the allocator"]);

const subjects: Subject[] = process.argv.slice(2).map((path) => {
  const bytes = new Uint8Array(readFileSync(path));
  return { name: path, bytes, info: inspect(bytes) };
});
const prototype = JSON.stringify(Object.getOwnPropertyNames(Object.prototype));

async function attempt(job: Job): Promise<Answer> {
  const { bytes, kinds } = mutate(subjects[job.subject]!, job.seed, subjects);
  const kept = bytes.slice();
  const options = {
    optimize: "O2" as const,
    onProgress: (step: string) => {
      if (!job.whole && STOP_AT.has(step)) throw new Stop();
    },
  };
  const answer = { ...job, kinds };
  const faults: string[] = [];
  let outcome = "";
  for (const run of [() => inspect(bytes), () => link(bytes, options), () => swap(bytes, options)]) {
    try {
      const made = await run();
      if (!("wasm" in made)) continue;
      outcome = "result";
      // Of what is newer than this engine, binaryen says whether it is valid.
      const { validated } = "link" in made.report ? made.report.link : made.report;
      if (validated !== "unknown" && !WebAssembly.validate(made.wasm)) faults.push("the result is not valid");
    } catch (error) {
      if (error instanceof Stop) {
        if (outcome !== "result") outcome = "stopped";
        continue;
      }
      if (!(error instanceof ToolError)) faults.push(String((error as Error)?.stack ?? error));
      else if (error.code === "internal") faults.push(String((error.cause as Error)?.stack ?? error.cause));
      else if (!/^[A-Z].{10,}\.$/s.test(error.fix) || error.message === "") faults.push(`no remedy: ${error.message}`);
      else outcome ||= error.code;
    }
  }
  if (JSON.stringify(Object.getOwnPropertyNames(Object.prototype)) !== prototype)
    faults.push("Object.prototype was written to");
  if (Buffer.compare(bytes, kept) !== 0) faults.push("the program's bytes were changed");
  return faults.length > 0 ? { ...answer, outcome, fault: faults.join("\n") } : { ...answer, outcome };
}

process.on("message", (job: Job) => {
  void attempt(job).then((answer) => process.send!(answer));
});
