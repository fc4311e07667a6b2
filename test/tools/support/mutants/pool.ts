/** Processes that try mutants at once. One that does not answer in time is killed and its mutant reported. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Answer, Job } from "./worker.ts";

const WORKER = fileURLToPath(new URL("start.mjs", import.meta.url));
const WORKERS = 2;
/** Seconds for one mutant: a bound against hangs. On a quiet machine none takes five. */
const LIMIT = 900;

/** Tries all jobs; answers come in any order. `files`: the modules, by the jobs' numbers. */
export async function tryAll(files: readonly string[], jobs: Iterable<Job>): Promise<Answer[]> {
  const queue = jobs[Symbol.iterator]();
  const answers: Answer[] = [];
  await Promise.all(Array.from({ length: WORKERS }, () => work(files, queue, answers)));
  return answers;
}

/** Takes jobs until there are none, in one process, or in a new one where that has ended. */
async function work(files: readonly string[], queue: Iterator<Job>, answers: Answer[]): Promise<void> {
  let child: ChildProcess | undefined;
  for (let next = queue.next(); !next.done; next = queue.next()) {
    child ??= await start(files);
    const answer = await ask(child, next.value);
    answers.push(answer);
    if (child.exitCode !== null || child.signalCode !== null || child.killed) child = undefined;
  }
  child?.kill();
}

function start(files: readonly string[]): Promise<ChildProcess> {
  const child = fork(WORKER, files, {
    execArgv: [],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  return new Promise((ready, failed) => {
    child.once("message", () => ready(child));
    child.once("error", failed);
    child.once("exit", () => failed(new Error("a worker ended before it began")));
  });
}

function ask(child: ChildProcess, job: Job): Promise<Answer> {
  return new Promise((done) => {
    const lost = (fault: string) => finish({ ...job, kinds: [], outcome: "none", fault });
    const ended = (code: number | null, signal: string | null) => lost(`the process ended: ${code ?? signal}`);
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      lost(`no answer in ${LIMIT} seconds`);
    }, LIMIT * 1000);
    const finish = (answer: Answer) => {
      clearTimeout(timer);
      child.off("message", finish);
      child.off("exit", ended);
      done(answer);
    };
    child.on("message", finish);
    child.on("exit", ended);
    child.send(job);
  });
}
