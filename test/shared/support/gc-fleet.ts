/** A crew on a collected shared heap: mutators, and one that marks while they play (gc-worker.mjs). */
import { type SharedFlavour, wasmModule } from "../../support/wasm.ts";
import { World } from "./core-world.ts";
import { Crew } from "./crew.ts";
import { type GcType, MAIL_WORDS, makeTypes } from "./gc-mutator.mjs";

/** What a worker does: mutate, run cycle after cycle, or run cycles when they are due. */
export type Role = "mutator" | "marker" | "due";

export class GcFleet extends Crew {
  readonly mail = new Int32Array(new SharedArrayBuffer(4 * MAIL_WORDS));
  readonly types: GcType[];
  readonly told = { steps: 0, taken: 0, freed: 0 };

  constructor(
    flavour: SharedFlavour,
    seed: number,
    readonly roles: readonly Role[],
    readonly options: { steps: number; most: number },
  ) {
    super(new World(wasmModule(flavour), 16, 8192), seed, roles.length);
    this.main.e.setCheckmark(1);
    this.main.e.setHeapMinimum(512 << 10);
    this.types = makeTypes(this.main.e, this.world.memory);
  }

  start(slot: number): void {
    const { mail, types, options, roles } = this;
    const worker = this.launch(slot, "./gc-worker.mjs", { mail, types, role: roles[slot], ...options });
    worker.on("message", (m: { steps?: number; taken?: number; freed?: number }) => {
      this.told.steps += m.steps ?? 0;
      this.told.taken += m.taken ?? 0;
      this.told.freed += m.freed ?? 0;
    });
  }

  /** All leave by themselves when their steps are over; markers are told to. */
  async join(): Promise<void> {
    const mutators = this.roles.flatMap((role, slot) => (role === "mutator" ? [slot] : []));
    if (this.options.steps > 0) {
      await this.until(() => mutators.every((slot) => this.gone(slot)));
    }
    await this.stop();
    for (let i = 0; i < MAIL_WORDS; i++) {
      if (this.mail[i] !== 0) this.main.e.handleFree(Math.abs(this.mail[i]!));
      this.mail[i] = 0;
    }
  }

  /** Ends a worker whatever it is doing, and recovers its P. */
  kill(slot: number): Promise<number> {
    return this.bury(slot);
  }
}
