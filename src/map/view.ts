/**
 * The canvas of the map: pages in rows, arenas set apart, slots inside the pages when they are large enough.
 *
 * A world unit is a page. Up to MOSAIC pixels a page the map is one image with a pixel for each page; above that spans are
 * rectangles; above SLOTS pixels their slots are drawn. Cost of a frame: O(pages on the screen), or their slots.
 */
import { PAGE_BYTES, RUN_KINDS } from "../snapshot/format.js";
import { ARENA, type Model } from "./model.js";

/** Pixels a page from which on spans, samples and slots are drawn one by one. */
const [MOSAIC, DOTS, SLOTS] = [5, 9, 56] as const;
/** Pixels for the addresses at the left. */
const GUTTER = 82;
const PADDING = 10;
/** Largest pixels a page, and the space between arenas in pages of the fitted map. */
const [MAX_SCALE, GAP] = [480, 0.5] as const;
/** Pixels of the frame around the chosen page, at least. */
const LEAST_FRAME = 7;
/** How much wider than high a page may be drawn, to use the width that there is. */
const MAX_ASPECT = 2;
/** Rows in which the slots of a page are drawn. */
const SLOT_ROWS = 16;
const ROW_BYTES = PAGE_BYTES / SLOT_ROWS;
/** How strong an empty span is, and what the filters hide. */
const [EMPTY, HIDDEN] = [0.2, 0.07] as const;

export type Colors = Readonly<Record<string, readonly [number, number, number]>>;

export class MapView {
  model: Model | undefined;
  colors: Colors = {};
  /** Page with the frame around it. */
  chosen: number | undefined;
  readonly #context: CanvasRenderingContext2D;
  #columns = 64;
  /** Pixels of a page's height; its width is so many times that. */
  #scale = 4;
  #aspect = 1;
  #x = 0;
  #y = 0;
  #fitted = 4;
  #width = 0;
  #height = 0;
  #image: HTMLCanvasElement | undefined;
  #frame = 0;

  constructor(readonly canvas: HTMLCanvasElement) {
    this.#context = canvas.getContext("2d")!;
  }

  /** Pixels of a page's height. */
  get scale(): number {
    return this.#scale;
  }

  /** Pixels of a page's width. */
  get #wide(): number {
    return this.#scale * this.#aspect;
  }

  /** Takes the size of the element over. */
  resize(): void {
    const { width, height } = this.canvas.getBoundingClientRect();
    const isFitted = this.#scale === this.#fitted;
    this.#width = width;
    this.#height = height;
    this.canvas.width = Math.round(width * devicePixelRatio);
    this.canvas.height = Math.round(height * devicePixelRatio);
    if (isFitted) this.fit();
    this.paint();
  }

  /** Shows the whole heap, in as many columns as give the largest pages. */
  fit(): void {
    const { model } = this;
    if (model === undefined) return;
    const room = [this.#width - GUTTER - PADDING, this.#height - 2 * PADDING] as const;
    let best = 0;
    for (const columns of [32, 64, 128, 256, 512]) {
      const width = room[0] / columns;
      const scale = Math.min(width, room[1] / this.#worldHeight(columns));
      const aspect = Math.min(width / scale, MAX_ASPECT);
      if (scale * scale * aspect <= best) continue;
      best = scale * scale * aspect;
      this.#columns = columns;
      this.#aspect = aspect;
      this.#fitted = Math.max(scale, 0.05);
    }
    this.#scale = this.#fitted;
    this.#x = 0;
    this.#y = -PADDING;
    this.#image = undefined;
    this.paint();
  }

  #worldHeight(columns: number): number {
    const rows = Math.ceil(this.model!.length / columns);
    return rows + Math.floor((this.model!.length - 1) / ARENA) * GAP;
  }

  /** Another model of the same heap: the view stays, but shows all of a heap that it showed all of. To be painted. */
  take(model: Model): void {
    const isFitted = this.#scale === this.#fitted;
    const grows = this.model === undefined || model.length !== this.model.length || model.base !== this.model.base;
    this.model = model;
    this.#image = undefined;
    if (grows && isFitted) this.fit();
  }

  /** The pages that can be seen when their slots are drawn, in one range; undefined: slots are too small. */
  get closeUp(): { from: number; to: number } | undefined {
    const { model } = this;
    if (model === undefined || this.#scale < SLOTS) return undefined;
    const rows = [...this.#rows(model)];
    const [top, bottom] = [rows[0], rows.at(-1)];
    if (top === undefined || bottom === undefined) return undefined;
    const left = Math.min(Math.max(Math.floor(this.#x / this.#wide), 0), this.#columns - 1);
    const right = Math.min(Math.ceil((this.#x + this.#width - GUTTER) / this.#wide), this.#columns);
    return { from: top.first + left, to: Math.max(bottom.first + right, top.first + left) };
  }

  /** The colours or the model have changed. */
  refresh(): void {
    this.#image = undefined;
    this.paint();
  }

  /** Zooms by a factor around a point of the element. */
  zoom(factor: number, px = GUTTER + (this.#width - GUTTER) / 2, py = this.#height / 2): void {
    const scale = Math.min(Math.max(this.#scale * factor, Math.min(this.#fitted, 1)), MAX_SCALE);
    const ratio = scale / this.#scale;
    this.#x = (this.#x + px - GUTTER) * ratio - (px - GUTTER);
    this.#y = (this.#y + py) * ratio - py;
    this.#scale = scale;
    this.#clamp();
    this.paint();
  }

  /** Brings a page to the middle, at `scale` pixels a page. */
  show(page: number, scale = this.#scale): void {
    this.#scale = Math.min(Math.max(scale, Math.min(this.#fitted, 1)), MAX_SCALE);
    const [x, y] = this.#place(page);
    this.#x = (x + 0.5) * this.#wide - (this.#width - GUTTER) / 2;
    this.#y = (y + 0.5) * this.#scale - this.#height / 2;
    this.#clamp();
    this.paint();
  }

  /** Moves the map so that the page can be seen. */
  reveal(page: number): void {
    const [x, y] = this.#place(page);
    const [left, top] = [x * this.#wide - this.#x, y * this.#scale - this.#y];
    const room = [this.#width - GUTTER - this.#wide, this.#height - this.#scale];
    if (left < 0 || left > room[0]! || top < 0 || top > room[1]!) this.show(page);
    else this.paint();
  }

  pan(dx: number, dy: number): void {
    this.#x -= dx;
    this.#y -= dy;
    this.#clamp();
    this.paint();
  }

  /** Some of the map stays on the screen. */
  #clamp(): void {
    if (this.model === undefined) return;
    const keep = 60;
    const width = this.#columns * this.#wide;
    const height = this.#worldHeight(this.#columns) * this.#scale;
    this.#x = Math.min(Math.max(this.#x, keep - (this.#width - GUTTER)), width - keep);
    this.#y = Math.min(Math.max(this.#y, keep - this.#height), height - keep);
  }

  /** Column and row of a page, gaps included. */
  #place(page: number): [x: number, y: number] {
    const i = page - this.model!.base;
    return [i % this.#columns, Math.floor(i / this.#columns) + Math.floor(i / ARENA) * GAP];
  }

  /** Pages in a row. */
  get columns(): number {
    return this.#columns;
  }

  /** Middle of a page, in pixels of the element. */
  pointOf(page: number): { x: number; y: number } {
    const [x, y] = this.#place(page);
    return { x: GUTTER + (x + 0.5) * this.#wide - this.#x, y: (y + 0.5) * this.#scale - this.#y };
  }

  /** The page at a point of the element, and the byte of it; undefined: none. */
  pageAt(px: number, py: number): { page: number; address: number } | undefined {
    const { model } = this;
    if (model === undefined || px < GUTTER) return undefined;
    const x = (px - GUTTER + this.#x) / this.#wide;
    const y = (py + this.#y) / this.#scale;
    const rowsOfArena = ARENA / this.#columns;
    const arena = Math.floor(y / (rowsOfArena + GAP));
    const row = y - arena * (rowsOfArena + GAP);
    if (x < 0 || y < 0 || x >= this.#columns || row >= rowsOfArena) return undefined;
    const page = model.base + arena * ARENA + Math.floor(row) * this.#columns + Math.floor(x);
    if (!model.has(page)) return undefined;
    const line = Math.floor((row % 1) * SLOT_ROWS);
    return { page, address: page * PAGE_BYTES + line * ROW_BYTES + Math.floor((x % 1) * ROW_BYTES) };
  }

  paint(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  #paint(): void {
    const c = this.#context;
    const { model } = this;
    c.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    c.fillStyle = this.#css("paper");
    c.fillRect(0, 0, this.#width, this.#height);
    if (model === undefined) return;
    c.save();
    c.beginPath();
    c.rect(GUTTER, 0, this.#width - GUTTER, this.#height);
    c.clip();
    if (this.#scale < MOSAIC) this.#paintImage(model);
    else this.#paintSpans(model);
    this.#paintChosen();
    c.restore();
    this.#paintAddresses(model);
  }

  /** Rows of the world that can be seen: their first pages. */
  *#rows(model: Model): Generator<{ first: number; y: number }> {
    const rows = Math.ceil(model.length / this.#columns);
    for (let row = 0; row < rows; row++) {
      const first = model.base + row * this.#columns;
      const y = this.#place(first)[1] * this.#scale - this.#y;
      if (y + this.#scale < 0) continue;
      if (y > this.#height) return;
      yield { first, y };
    }
  }

  /** The map as an image, an arena at a time. */
  #paintImage(model: Model): void {
    this.#image ??= this.#makeImage(model);
    const c = this.#context;
    const rows = ARENA / this.#columns;
    c.imageSmoothingEnabled = this.#scale < 1;
    for (let arena = 0; arena * rows < this.#image.height; arena++) {
      const y = arena * (rows + GAP) * this.#scale - this.#y;
      const n = Math.min(rows, this.#image.height - arena * rows);
      if (y > this.#height || y + n * this.#scale < 0) continue;
      const [w, h] = [this.#columns * this.#wide, n * this.#scale];
      c.drawImage(this.#image, 0, arena * rows, this.#columns, n, GUTTER - this.#x, y, w, h);
    }
  }

  #makeImage(model: Model): HTMLCanvasElement {
    const image = document.createElement("canvas");
    image.width = this.#columns;
    image.height = Math.ceil(model.length / this.#columns);
    const context = image.getContext("2d")!;
    const data = context.createImageData(image.width, image.height);
    // Bytes in the order of the machine's words, which is that of all machines with browsers.
    const pixels = new Uint32Array(data.data.buffer);
    const known = new Map<number, number>();
    for (let page = model.base; page < model.base + model.length; page++) {
      if (!model.has(page)) continue;
      const key = this.#colorKey(model, page);
      let pixel = key === undefined ? undefined : known.get(key);
      if (pixel === undefined) {
        const [r, g, b] = this.#colorOf(model, page);
        pixel = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
        if (key !== undefined) known.set(key, pixel);
      }
      pixels[page - model.base] = pixel;
    }
    context.putImageData(data, 0, 0);
    return image;
  }

  #paintSpans(model: Model): void {
    const c = this.#context;
    const s = this.#scale;
    const wide = this.#wide;
    const inset = s < 10 ? 0.5 : 1;
    const from = Math.max(0, Math.floor(this.#x / wide));
    const to = Math.min(this.#columns, Math.ceil((this.#x + this.#width - GUTTER) / wide));
    for (const { first, y } of this.#rows(model)) {
      for (let i = from; i < to; ) {
        const page = first + i;
        const n = this.#alike(model, page, Math.min(to - i, this.#columns - i));
        if (model.has(page)) {
          const x = GUTTER + i * wide - this.#x;
          c.fillStyle = rgb(this.#colorOf(model, page));
          c.fillRect(x, y, n * wide - inset, s - inset);
          if (s >= SLOTS && model.spanAt(page) >= 0)
            for (let k = 0; k < n; k++) this.#paintSlots(model, page + k, x + k * wide, y);
          if (s >= DOTS) for (let k = 0; k < n; k++) this.#paintSamples(model, page + k, x + k * wide, y);
        }
        i += n;
      }
    }
  }

  /** How many pages from `page` on, of at most `most`, are one thing. */
  #alike(model: Model, page: number, most: number): number {
    const span = model.spanAt(page);
    const run = model.runAt(page);
    let n = 1;
    while (
      n < most &&
      model.spanAt(page + n) === span &&
      (span >= 0 || (model.runAt(page + n) === run && this.#scale < DOTS))
    )
      n++;
    return n;
  }

  /** The slots of a page: live ones in the kind's colour, free ones as the paper. */
  #paintSlots(model: Model, page: number, x: number, y: number): void {
    const c = this.#context;
    const span = model.spanAt(page);
    const { snapshot } = model;
    const { columns } = snapshot;
    if (columns.row[span] === 0) return;
    const size = snapshot.sizeOf(span);
    const s = this.#scale - 1;
    const wide = this.#wide - 1;
    const isShown = model.isShown(page);
    const color = this.colors[snapshot.kindOf(span)]!;
    const live = rgb(isShown ? color : this.#mixed(color, HIDDEN * 2));
    const free = rgb(this.#mixed(color, isShown ? 0.12 : 0.03));
    // Of the live view, until the next frame brings the bits.
    const unknown = rgb(this.#colorOf(model, page));
    c.fillStyle = this.#css("paper");
    c.fillRect(x, y, wide, s);
    const offset = (page - columns.page[span]!) * PAGE_BYTES;
    const first = Math.floor(offset / size);
    const last = Math.min(Math.ceil((offset + PAGE_BYTES) / size), columns.slots[span]!);
    const line = s / SLOT_ROWS;
    for (let slot = first; slot < last; slot++) {
      const isLive = columns.isLive(span, slot);
      c.fillStyle = isLive === undefined ? unknown : isLive ? live : free;
      this.#slotRects(slot * size - offset, size, (from, width, row, isEnd) => {
        const w = (width / ROW_BYTES) * wide;
        c.fillRect(
          x + (from / ROW_BYTES) * wide,
          y + row * line,
          isEnd && w > 2 ? w - 0.8 : w,
          line - (size >= ROW_BYTES ? 0 : 0.8),
        );
      });
    }
  }

  /** A slot's bytes inside of a page, by lines. */
  #slotRects(at: number, size: number, draw: (from: number, width: number, row: number, isEnd: boolean) => void): void {
    for (let byte = Math.max(at, 0); byte < Math.min(at + size, PAGE_BYTES); ) {
      const row = Math.floor(byte / ROW_BYTES);
      const end = Math.min(at + size, (row + 1) * ROW_BYTES);
      draw(byte - row * ROW_BYTES, end - byte, row, end === at + size);
      byte = end;
    }
  }

  /** Dots where sampled blocks lie; frames where slots are drawn. */
  #paintSamples(model: Model, page: number, x: number, y: number): void {
    const c = this.#context;
    for (const { address } of model.samplesOn(page)) {
      const byte = address - page * PAGE_BYTES;
      const row = Math.floor(byte / ROW_BYTES);
      const s = this.#scale - 1;
      const wide = this.#wide - 1;
      const px = x + ((byte % ROW_BYTES) / ROW_BYTES) * wide;
      const py = y + (row / SLOT_ROWS) * s;
      const r = Math.min(Math.max(s / 14, 1.6), 5);
      c.beginPath();
      c.arc(Math.min(px + r, x + wide - r), Math.min(py + r, y + s - r), r, 0, 2 * Math.PI);
      c.fillStyle = this.#css("text");
      c.fill();
      c.lineWidth = 1;
      c.strokeStyle = this.#css("paper");
      c.stroke();
    }
  }

  #paintChosen(): void {
    if (this.chosen === undefined) return;
    const c = this.#context;
    const [x, y] = this.#place(this.chosen);
    const [w, h] = [Math.max(this.#wide, LEAST_FRAME), Math.max(this.#scale, LEAST_FRAME)];
    const left = GUTTER + x * this.#wide - this.#x + (this.#wide - w) / 2 - 1;
    const top = y * this.#scale - this.#y + (this.#scale - h) / 2 - 1;
    for (const [width, color] of [
      [4, "paper"],
      [2, "text"],
    ] as const) {
      c.lineWidth = width;
      c.strokeStyle = this.#css(color);
      c.strokeRect(left, top, w + 1, h + 1);
    }
  }

  #paintAddresses(model: Model): void {
    const c = this.#context;
    c.fillStyle = this.#css("paper");
    c.fillRect(0, 0, GUTTER, this.#height);
    c.fillStyle = this.#css("quiet");
    c.font = "11px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace";
    c.textBaseline = "middle";
    c.textAlign = "right";
    let last = Number.NEGATIVE_INFINITY;
    for (const { first, y } of this.#rows(model)) {
      const middle = y + Math.min(this.#scale / 2, 12);
      const isArena = (first - model.base) % ARENA === 0;
      if (middle - last < (isArena ? 12 : 26) || middle < 5) continue;
      c.fillText(`0x${(first * PAGE_BYTES).toString(16)}`, GUTTER - 8, middle);
      last = middle;
    }
  }

  /** Pages of the same key have nearly the same colour; undefined: the page has one of its own. */
  #colorKey(model: Model, page: number): number | undefined {
    if (model.weight !== undefined) return undefined;
    const span = model.spanAt(page);
    const shown = model.isShown(page) ? 1 : 0;
    if (span < 0) return -2 * RUN_KINDS.indexOf(model.runAt(page)!) - shown - 1;
    const { columns } = model.snapshot;
    const fill = Math.round((columns.live[span]! / columns.slots[span]!) * 255);
    return (columns.row[span]! * 256 + fill) * 2 + shown;
  }

  /** The colour of a page. */
  #colorOf(model: Model, page: number): readonly [number, number, number] {
    const isShown = model.isShown(page);
    const span = model.spanAt(page);
    if (model.weight !== undefined) {
      const weight = model.weight[page - model.base]!;
      if (weight === 0) return this.#mixed(this.colors["same"]!, !isShown ? HIDDEN : span >= 0 ? 0.55 : 0.16);
      const color = this.colors[weight > 0 ? "more" : "less"]!;
      return this.#mixed(color, isShown || span < 0 ? 0.35 + 0.65 * Math.min(Math.abs(weight), 1) : HIDDEN);
    }
    if (span < 0) {
      const color = this.colors[model.runAt(page) ?? "paper"]!;
      return isShown ? color : this.#mixed(color, 0.3);
    }
    const { columns } = model.snapshot;
    const fill = columns.live[span]! / columns.slots[span]!;
    return this.#mixed(this.colors[model.snapshot.kindOf(span)]!, isShown ? EMPTY + (1 - EMPTY) * fill : HIDDEN);
  }

  /** A colour on the paper. */
  #mixed(color: readonly [number, number, number], share: number): [number, number, number] {
    const paper = this.colors["paper"]!;
    return [0, 1, 2].map((i) => Math.round(paper[i]! + (color[i]! - paper[i]!) * share)) as [number, number, number];
  }

  #css(name: string): string {
    return rgb(this.colors[name] ?? [128, 128, 128]);
  }
}

export function rgb([r, g, b]: readonly [number, number, number]): string {
  return `rgb(${r} ${g} ${b})`;
}
