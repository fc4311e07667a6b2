/**
 * LiveLoop: reads frames of a heap while somebody looks, and hands them out.
 *
 * At most `budgetMs` of work in a turn of the event loop, then the thread is the program's again. At most SHARE of the time
 * goes into reading: a heap for which that is too little for `fps` frames a second gets fewer. With no viewer there is no
 * timer and no work. One owner, the thread that made it. Nothing is thrown into the event loop.
 */

import { FRAME, jsonMessage, messageOf, STATE, type State } from "../map/wire.js";
import type { PageWindow } from "../snapshot/frame.js";
import { LiveReader, type Outcome } from "./reader.js";
import type { LiveSource } from "./source.js";

/** The event loop, as a server and a page have it. */
export interface Turns {
  /** Calls `work` in `ms` milliseconds or somewhat later. */
  after(ms: number, work: () => void): void;
  /** Calls `work` soon, but after all that is due by now. */
  soon(work: () => void): void;
}

/** Somebody who looks. */
export interface Viewer {
  /**
   * Takes a message. False: it has not sent the last one yet, and this one is lost; a whole frame follows when it takes
   * messages again.
   */
  send(message: Uint8Array<ArrayBuffer>): boolean;
  /** No message follows. */
  end(): void;
}

interface Seat {
  readonly viewer: Viewer;
  /** It has all frames so far. */
  current: boolean;
  window: PageWindow | undefined;
}

/** Most of the time that reading may take, of 1. */
const SHARE = 0.25;
/** Milliseconds between two looks for a heap where there was none. */
const PATIENCE = 1000;
/** Most pages of which one viewer is told the live slots: more are no screenful. */
const MAX_WINDOW = 4096;

export class LiveLoop {
  readonly #reader: LiveReader;
  readonly #period: number;
  readonly #budget: number;
  readonly #turns: Turns;
  readonly #seats = new Map<number, Seat>();
  #numbers = 0;
  /** A turn was asked for. */
  #scheduled = false;
  /** When the next frame may begin, by performance.now(). */
  #due = 0;
  /** Why no frame comes. */
  #state: State | undefined;
  /** What somebody has to say about the heap. */
  #note: State | undefined;
  #seen: () => void = () => {};
  /** Resolves when the first viewer comes. */
  readonly seen = new Promise<void>((resolve) => {
    this.#seen = resolve;
  });

  constructor(source: LiveSource, heap: number | undefined, fps: number, budgetMs: number, turns: Turns) {
    this.#reader = new LiveReader(source, heap);
    this.#period = 1000 / fps;
    this.#budget = budgetMs;
    this.#turns = turns;
  }

  get viewers(): number {
    return this.#seats.size;
  }

  /** Address of the heap's record; undefined while nobody knows it. */
  get address(): number | undefined {
    return this.#reader.address;
  }

  /** The viewer gets frames from now on, until leave(). Returns its number. */
  join(viewer: Viewer): number {
    const number = ++this.#numbers;
    this.#seats.set(number, { viewer, current: false, window: undefined });
    this.#seen();
    if (this.#state?.state === "ended") this.#turns.soon(() => this.#endFor(number));
    else {
      for (const state of [this.#state, this.#note]) if (state) viewer.send(jsonMessage(STATE, state));
      this.#schedule();
    }
    return number;
  }

  leave(number: number): void {
    this.#seats.delete(number);
  }

  /** The viewer draws the slots of these pages. Numbers that are none, and viewers that are gone, change nothing. */
  look(number: number, from: number, to: number): void {
    const seat = this.#seats.get(number);
    if (seat === undefined || !(from >= 0 && to >= from)) return;
    seat.window = to === from ? undefined : { from, to: Math.min(to, from + MAX_WINDOW) };
  }

  /** All viewers show a text beside the heap from now on. */
  note(text: string): void {
    this.#note = { state: "note", reason: text };
    for (const { viewer } of this.#seats.values()) viewer.send(jsonMessage(STATE, this.#note));
  }

  /** All viewers are told that no frame follows, and why. Those that come later are told, too. */
  end(reason: string): void {
    this.#state = { state: "ended", reason };
    for (const number of [...this.#seats.keys()]) this.#endFor(number);
  }

  #endFor(number: number): void {
    const seat = this.#seats.get(number);
    if (seat === undefined) return;
    this.#seats.delete(number);
    const last = seat.current ? undefined : this.#reader.last();
    if (last !== undefined) seat.viewer.send(messageOf(FRAME, last));
    seat.viewer.send(jsonMessage(STATE, this.#state!));
    seat.viewer.end();
  }

  #schedule(): void {
    if (this.#scheduled || this.#seats.size === 0 || this.#state?.state === "ended") return;
    this.#scheduled = true;
    const turn = () => {
      this.#scheduled = false;
      this.#turn();
    };
    const wait = this.#reader.busy ? 0 : this.#due - performance.now();
    if (wait > 0) this.#turns.after(wait, turn);
    else this.#turns.soon(turn);
  }

  /** One slice. */
  #turn(): void {
    if (this.#seats.size === 0 || this.#state?.state === "ended") return;
    const reader = this.#reader;
    if (!reader.busy) {
      const now = performance.now();
      // In step with the clock, unless it was left behind.
      this.#due = Math.max(this.#due + this.#period, now);
      const seats = [...this.#seats.values()];
      reader.begin({
        changes: seats.some(({ current }) => current),
        whole: seats.some(({ current }) => !current),
        windows: seats.flatMap(({ window }) => window ?? []),
      });
    }
    const outcome = reader.step(this.#budget);
    if (outcome !== undefined) this.#give(outcome);
    this.#schedule();
  }

  #give(outcome: Outcome): void {
    const now = performance.now();
    if (outcome.state === "frame") {
      this.#state = undefined;
      this.#due = Math.max(this.#due, now + this.#reader.cost * (1 / SHARE - 1));
      const changes = messageOf(FRAME, outcome.changes);
      const whole = outcome.whole === undefined ? undefined : messageOf(FRAME, outcome.whole);
      for (const seat of this.#seats.values()) {
        const message = seat.current ? changes : whole;
        // One who came while the frame was read waits for the next.
        if (message !== undefined) seat.current = seat.viewer.send(message);
      }
      return;
    }
    if (outcome.state === "ended") {
      this.end(outcome.reason);
      return;
    }
    this.#due = now + PATIENCE;
    if (this.#state?.reason === outcome.reason) return;
    this.#state = outcome;
    for (const { viewer } of this.#seats.values()) viewer.send(jsonMessage(STATE, outcome));
  }
}
