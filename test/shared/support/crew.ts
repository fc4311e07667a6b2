/**
 * Workers over one shared heap and the main thread that watches them, which has a P of its own: starts them, makes them
 * quiet (quiet.mjs), hears what they complain of, buries the dead. What the workers do is core-fleet.ts's and
 * gc-fleet.ts's to say.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { expect } from "vitest";
import { M_LOCK_WAIT } from "../../support/wasm.ts";
import type { Thread, World } from "./core-world.ts";
import { ask, askToStop, clearWords, hasLeft, isQuiet, makeControl, OPS, release, wordOf } from "./quiet.mjs";

/** Milliseconds after which a wait is a hang, on however busy a machine. */
const HANGS = 20 * 60_000;

/** The token of the main thread; workers have higher ones. */
const MAIN = 1;

interface Member {
  worker: Worker;
  token: number;
  exited: Promise<number>;
}

export class Crew {
  readonly main: Thread;
  readonly control: Int32Array;
  readonly members: (Member | undefined)[];
  readonly errors: string[] = [];
  /** Whether a wait may take as long as somebody still does something, and not HANGS in all. */
  protected readonly patient: boolean = false;
  #tokens = MAIN;

  constructor(
    readonly world: World,
    readonly seed: number,
    slots: number,
  ) {
    this.main = world.thread(MAIN);
    expect(this.main.acquire()).toBe(1);
    // Nobody waits that long for a lock whose holder lives.
    this.main.e.mallopt(M_LOCK_WAIT, 20_000);
    this.control = makeControl(slots);
    this.members = Array.from({ length: slots }, () => undefined);
  }

  /** Starts a worker of `script` in a free slot, with what every worker needs and `data`. */
  protected launch(slot: number, script: string, data: object): Worker {
    const { world, control } = this;
    const token = ++this.#tokens;
    clearWords(control, slot);
    const seed = Math.imul(this.seed * 1000 + token, 0x9e3779b1) >>> 0;
    const common = { module: world.module, memory: world.memory, base: world.heapBase, control, slot, token, seed };
    const worker = new Worker(new URL(script, import.meta.url), { workerData: { ...common, ...data } });
    worker.on("message", (m: { error?: string }) => {
      if (m.error !== undefined) this.errors.push(m.error);
    });
    worker.on("error", (error: Error) => this.errors.push(`worker ${slot}: ${error.stack}`));
    const exited = new Promise<number>((done) => {
      worker.on("exit", done);
    });
    this.members[slot] = { worker, token, exited };
    return worker;
  }

  /** Fails with what the workers have complained of. */
  expectNoErrors(): void {
    if (this.errors.length > 0) throw new Error(`seed ${this.seed}: ${this.errors.slice(0, 3).join("\n")}`);
  }

  /** Operations of a worker. */
  operationsOf(slot: number): number {
    return Atomics.load(this.control, wordOf(slot, OPS));
  }

  /** Operations of all workers that are there. */
  operations(): number {
    return this.members.reduce((n, _, slot) => n + this.operationsOf(slot), 0);
  }

  /** Until `done`, or a worker complains, or it takes so long that something hangs. */
  async until(done: () => boolean): Promise<void> {
    let seen = this.operations();
    let end = Date.now() + HANGS;
    while (!done()) {
      this.expectNoErrors();
      const now = this.operations();
      if (this.patient && now !== seen) {
        seen = now;
        end = Date.now() + HANGS;
      } else if (Date.now() > end) throw new Error(`seed ${this.seed} hangs: ${this.#where()}`);
      await sleep(1);
    }
    this.expectNoErrors();
  }

  /** Where everybody is: words of control, holders of locks, states of the Ps. */
  #where(): string {
    const { world, main, control } = this;
    const locks: string[] = [];
    for (let i = 0; i < main.e.lockCount(); i++) {
      const word = world.lockWord(main, i);
      if (word !== 0) locks.push(`${i}: ${(word >>> 0).toString(16)}`);
    }
    const states: string[] = [];
    for (let id = 1; id <= main.e.numPs(); id++) states.push(world.stateWord(main, id).toString(16));
    const tokens = this.members.map((m) => m?.token);
    return `control [${control}], locks taken [${locks.join(", ")}], Ps [${states}], tokens [${tokens}]`;
  }

  /** Whether the worker of a slot has come to its end. */
  gone(slot: number): boolean {
    return this.members[slot] === undefined || hasLeft(this.control, slot);
  }

  /** All workers between two operations, what they have checked by themselves. */
  async pause(): Promise<void> {
    ask(this.control);
    await this.until(() => this.members.every((m, slot) => m === undefined || isQuiet(this.control, slot)));
  }

  resume(): void {
    release(this.control);
  }

  /** All workers come to their end by themselves. */
  async stop(): Promise<void> {
    askToStop(this.control);
    await this.until(() => this.members.every((_, slot) => this.gone(slot)));
    await Promise.all(this.members.map((m) => m?.exited));
    this.expectNoErrors();
  }

  /** Ends the worker of a slot whatever it is doing, and recovers its P. The bits that recoverP gave. */
  protected async bury(slot: number): Promise<number> {
    const { worker, token, exited } = this.members[slot]!;
    await worker.terminate();
    await exited;
    this.members[slot] = undefined;
    return this.world.recoverAll(this.main, token);
  }

  /** Whatever happened, no worker stays. */
  async dispose(): Promise<void> {
    await Promise.all(this.members.map((m) => m?.worker.terminate()));
  }
}
