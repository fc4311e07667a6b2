/**
 * Workers on a collected shared heap and the main thread that watches them: mutators, and one that marks while they play.
 * The main thread has a P of its own; it makes them quiet, checks the heap, and buries the dead.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { expect } from "vitest";
import { M_LOCK_WAIT, type SharedFlavour, wasmModule } from "../../support/wasm.ts";
import { type Thread, World } from "./core-world.ts";
import { type GcType, MAIL_WORDS, makeTypes } from "./gc-mutator.mjs";
import { ask, askToStop, clearWords, hasLeft, isQuiet, makeControl, OPS, release, wordOf } from "./quiet.mjs";

/** What a worker does: mutate, run cycle after cycle, or run cycles when they are due. */
export type Role = "mutator" | "marker" | "due";

interface Member {
  worker: Worker;
  token: number;
  exited: Promise<number>;
}

export class GcFleet {
  readonly world: World;
  readonly main: Thread;
  readonly control: Int32Array;
  readonly mail = new Int32Array(new SharedArrayBuffer(4 * MAIL_WORDS));
  readonly types: GcType[];
  readonly members: (Member | undefined)[];
  readonly errors: string[] = [];
  readonly told = { steps: 0, taken: 0, freed: 0 };
  readonly #module: WebAssembly.Module;
  #tokens = 1;

  constructor(
    flavour: SharedFlavour,
    readonly seed: number,
    readonly roles: readonly Role[],
    readonly options: { steps: number; most: number },
  ) {
    this.#module = wasmModule(flavour);
    this.world = new World(this.#module, 16, 8192);
    this.main = this.world.thread(1);
    expect(this.main.acquire()).toBe(1);
    this.main.e.mallopt(M_LOCK_WAIT, 20_000);
    this.main.e.setCheckmark(1);
    this.main.e.setHeapMinimum(512 << 10);
    this.types = makeTypes(this.main.e, this.world.memory);
    this.control = makeControl(roles.length);
    this.members = roles.map(() => undefined);
  }

  start(slot: number): void {
    const { world, control, mail, types, options, roles } = this;
    const token = ++this.#tokens;
    clearWords(control, slot);
    const seed = Math.imul(this.seed * 1000 + token, 0x9e3779b1) >>> 0;
    const worker = new Worker(new URL("./gc-worker.mjs", import.meta.url), {
      workerData: {
        ...{
          module: this.#module,
          memory: world.memory,
          base: world.heapBase,
          control,
          mail,
          types,
          slot,
          token,
          seed,
        },
        ...{ role: roles[slot], ...options },
      },
    });
    worker.on("message", (m: { error?: string; steps?: number; taken?: number; freed?: number }) => {
      if (m.error !== undefined) this.errors.push(m.error);
      this.told.steps += m.steps ?? 0;
      this.told.taken += m.taken ?? 0;
      this.told.freed += m.freed ?? 0;
    });
    worker.on("error", (error: Error) => this.errors.push(`worker ${slot}: ${error.stack}`));
    const exited = new Promise<number>((done) => {
      worker.on("exit", done);
    });
    this.members[slot] = { worker, token, exited };
  }

  /** Waits until `until` holds. Throws what workers have said. */
  async until(until: () => boolean): Promise<void> {
    const end = Date.now() + 100_000;
    while (!until()) {
      this.expectNoErrors();
      if (Date.now() > end) throw new Error(`stuck: ${Array.from(this.control)}`);
      await sleep(1);
    }
    this.expectNoErrors();
  }

  expectNoErrors(): void {
    if (this.errors.length > 0) throw new Error(this.errors.join("\n"));
  }

  steps(slot: number): number {
    return Atomics.load(this.control, wordOf(slot, OPS));
  }

  /** Whether the worker of a slot has come to its end by itself. */
  gone(slot: number): boolean {
    return hasLeft(this.control, slot);
  }

  async pause(): Promise<void> {
    ask(this.control);
    await this.until(() => this.members.every((m, slot) => m === undefined || isQuiet(this.control, slot)));
  }

  resume(): void {
    release(this.control);
  }

  /** All leave by themselves when their steps are over; markers are told to. */
  async join(): Promise<void> {
    const mutators = this.roles.flatMap((role, slot) => (role === "mutator" ? [slot] : []));
    if (this.options.steps > 0) {
      await this.until(() => mutators.every((slot) => this.gone(slot)));
    }
    askToStop(this.control);
    await this.until(() => this.members.every((m, i) => m === undefined || this.gone(i)));
    await Promise.all(this.members.map((m) => m?.exited));
    this.expectNoErrors();
    for (let i = 0; i < MAIL_WORDS; i++) {
      if (this.mail[i] !== 0) this.main.e.handleFree(Math.abs(this.mail[i]!));
      this.mail[i] = 0;
    }
  }

  /** Ends a worker whatever it is doing, and recovers its P. */
  async kill(slot: number): Promise<number> {
    const { world, main } = this;
    const { worker, token, exited } = this.members[slot]!;
    await worker.terminate();
    await exited;
    this.members[slot] = undefined;
    return world.recoverAll(main, token);
  }

  async dispose(): Promise<void> {
    await Promise.all(this.members.map((m) => m?.worker.terminate()));
  }
}
