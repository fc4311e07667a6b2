/**
 * What the tools are doing, on standard error, once it takes longer than two seconds: one line that is renewed on a
 * terminal, or a line a step with --progress. Nothing otherwise, so that logs and pipes stay as they are.
 */
const PATIENCE = 2000;
const RENEWED_EVERY = 1000;
/** Returns to the line's start and clears it. */
const CLEAR = "\r\x1b[2K";

export interface ProgressValues {
  readonly progress: boolean;
  readonly quiet: boolean;
}

/** Standard error goes to a terminal that can renew a line. */
function isTerminal(): boolean {
  return process.stderr.isTTY && process.env["TERM"] !== "dumb";
}

export class Progress {
  #how: "line" | "lines" | "none";
  readonly #from = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #step = "reading";
  #shown = false;

  constructor({ progress, quiet }: ProgressValues) {
    this.#how = quiet ? "none" : progress ? "lines" : isTerminal() ? "line" : "none";
    if (this.#how === "none") return;
    this.#timer = setInterval(() => this.#show(), RENEWED_EVERY);
    this.#timer.unref();
  }

  /** A step begins. It may keep the event loop to itself, so what it is shows before it starts. */
  step(name: string): void {
    this.#step = name;
    this.#shown = false;
    this.#show();
  }

  end(): void {
    clearInterval(this.#timer);
    if (this.#how === "line" && this.#shown) process.stderr.write(CLEAR);
    this.#how = "none";
  }

  #show(): void {
    const elapsed = performance.now() - this.#from;
    if (this.#how === "none" || elapsed < PATIENCE) return;
    const text = `gomalloc: ${this.#step}, ${Math.round(elapsed / 1000)} s`;
    if (this.#how === "line") process.stderr.write(CLEAR + text);
    else if (!this.#shown) process.stderr.write(`${text}\n`);
    this.#shown = true;
  }
}
