/** Figures over time as lines on a canvas. Cost: O(samples) a drawing; the samples of a minute are kept. */
import { byId, element } from "./dom.js";
import { type Colors, rgb } from "./view.js";

export interface Line {
  readonly name: string;
  /** Name of a colour of the style sheet. */
  readonly color: string;
  readonly dashed?: boolean;
}

/** Milliseconds that a chart shows. */
const SPAN = 60_000;
/** A line has a gap where nothing was heard for so many milliseconds. */
const GAP = 3000;

interface Sample {
  readonly time: number;
  readonly values: readonly number[];
}

export class Chart {
  readonly #canvas: HTMLCanvasElement;
  readonly #samples: Sample[] = [];
  readonly #values: HTMLElement[] = [];

  /** `id`: of the canvas, without "-chart". */
  constructor(
    id: string,
    title: string,
    readonly lines: readonly Line[],
    readonly text: (value: number) => string,
  ) {
    this.#canvas = byId(`${id}-chart`);
    this.#canvas.ariaLabel = title;
    const parts = lines.map(({ name, color, dashed }) => {
      const key = element("i");
      key.style.background = dashed
        ? `repeating-linear-gradient(90deg, var(--${color}) 0 4px, #0000 4px 6px)`
        : `var(--${color})`;
      const value = element("b");
      this.#values.push(value);
      return element("span", {}, key, `${name} `, value);
    });
    byId(`${id}-key`).replaceChildren(...parts);
  }

  /** `time`: milliseconds. */
  add(time: number, ...values: number[]): void {
    this.#samples.push({ time, values });
    let old = 0;
    while (this.#samples[old]!.time < time - SPAN - GAP) old++;
    if (old > 0) this.#samples.splice(0, old);
  }

  clear(): void {
    this.#samples.length = 0;
  }

  draw(colors: Colors): void {
    const canvas = this.#canvas;
    const { width, height } = canvas.getBoundingClientRect();
    const last = this.#samples.at(-1);
    if (width === 0 || last === undefined) return;
    last.values.forEach((value, i) => {
      this.#values[i]!.textContent = this.text(value);
    });
    const scale = devicePixelRatio;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const c = canvas.getContext("2d")!;
    c.setTransform(scale, 0, 0, scale, 0, 0);
    const most = Math.max(1, ...this.#samples.map(({ values }) => Math.max(...values)));
    const x = (time: number) => width - 1 - ((last.time - time) / SPAN) * (width - 2);
    const y = (value: number) => height - 3 - (value / most) * (height - 8);
    c.strokeStyle = rgb(colors["grid"] ?? [128, 128, 128]);
    c.lineWidth = 1;
    for (const share of [0, 0.5, 1]) {
      c.beginPath();
      c.moveTo(0, Math.round(y(most * share)) + 0.5);
      c.lineTo(width, Math.round(y(most * share)) + 0.5);
      c.stroke();
    }
    this.lines.forEach(({ color, dashed }, i) => {
      c.strokeStyle = rgb(colors[color] ?? [128, 128, 128]);
      c.lineWidth = dashed ? 1.25 : 1.75;
      c.setLineDash(dashed ? [4, 3] : []);
      c.beginPath();
      let before = Number.NEGATIVE_INFINITY;
      for (const { time, values } of this.#samples) {
        if (time - before > GAP) c.moveTo(x(time), y(values[i]!));
        else c.lineTo(x(time), y(values[i]!));
        before = time;
      }
      c.stroke();
    });
    c.setLineDash([]);
  }
}
