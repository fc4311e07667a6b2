/**
 * HeapMap: snapshots drawn and explained, in the elements of page.html. The page of `gomalloc map --html` gives it a series
 * once, the live view one snapshot after the other.
 *
 * The state is which snapshot is shown, what it is compared with, the filters, and the chosen page. Every change of it goes
 * through one of the functions here, which bring all parts of the page up to date.
 */
import { PAGE_BYTES, RUN_KINDS, SPAN_KINDS } from "../snapshot/format.js";
import type { HeapSnapshot } from "../snapshot/snapshot.js";
import { bytesText, signed } from "../snapshot/words.js";
import { byId, element, swatch } from "./dom.js";
import { ARENA, Model, NO_FILTER } from "./model.js";
import { ClassTable } from "./table.js";
import { ageText, type Description, describe, hex } from "./text.js";
import { type Colors, MapView } from "./view.js";

/** Pixels a page at which a page, and its slots, are looked at. */
const [PAGE_SCALE, SLOT_SCALE] = [36, 300] as const;
const ZOOM_STEP = 1.5;
/** Pixels that the pointer may move in a click. */
const CLICK = 4;
const COLORS = [...SPAN_KINDS, ...RUN_KINDS, "paper", "grid", "text", "quiet", "accent", "more", "less", "same"];

export class HeapMap {
  snapshots: readonly HeapSnapshot[];
  readonly #view = new MapView(byId<HTMLCanvasElement>("map"));
  readonly #models = new Map<string, Model>();
  readonly #table = new ClassTable((row) => this.#setRow(this.#filter.row === row ? undefined : row));
  #index: number;
  /** Index of the snapshot that it is compared with. */
  #before: number | undefined;
  #filter = NO_FILTER;

  /** At least one snapshot. `diff`: the last is compared with the first. */
  constructor(snapshots: readonly HeapSnapshot[], diff: boolean) {
    this.snapshots = snapshots;
    this.#index = snapshots.length - 1;
    this.#before = diff ? 0 : undefined;
    this.#chooseTheme();
    this.#wireToolbar();
    this.#wireCanvas();
    this.#wireSeries();
    new ResizeObserver(() => this.#view.resize()).observe(byId("stage"));
    this.#showSnapshot();
    this.#view.resize();
    this.#view.fit();
  }

  get #snapshot(): HeapSnapshot {
    return this.snapshots[this.#index]!;
  }

  get #model(): Model {
    const key = `${this.#index} ${this.#before ?? ""}`;
    const known = this.#models.get(key);
    if (known !== undefined) return known;
    const before = this.#before === undefined ? undefined : this.snapshots[this.#before];
    const made = new Model(this.#snapshot, before);
    // A model has some bytes a page: those of a long series are made again when they are looked at again.
    if (this.#models.size > 8) this.#models.clear();
    this.#models.set(key, made);
    return made;
  }

  // State

  #showSnapshot(): void {
    const { flavour, address, memoryBytes, label } = this.#snapshot;
    const name = label === undefined ? "" : `${label} · `;
    byId("about").textContent = `${name}${flavour} heap at ${hex(address)} in ${bytesText(memoryBytes)} of memory`;
    this.#fillSelects();
    this.#showTotals();
    this.#showSeries();
    this.#view.model = this.#model;
    this.#applyFilter();
  }

  /**
   * Shows the last of other snapshots in place of these. What is chosen, the filters and the part of the map that is seen
   * stay. `panels`: also the figures beside the map; they cost more than the map.
   */
  replace(snapshots: readonly HeapSnapshot[], diff: boolean, panels: boolean): void {
    this.snapshots = snapshots;
    this.#models.clear();
    this.#index = snapshots.length - 1;
    this.#before = diff ? 0 : undefined;
    this.#view.take(this.#model);
    if (panels) this.#showSnapshot();
    else {
      this.#model.filter = this.#filter;
      this.#view.refresh();
    }
  }

  /** The pages of which slots are drawn; undefined: none. */
  get closeUp(): { from: number; to: number } | undefined {
    return this.#view.closeUp;
  }

  #setIndex(index: number): void {
    if (index < 0 || index >= this.snapshots.length || index === this.#index) return;
    this.#index = index;
    this.#showSnapshot();
  }

  #setBefore(index: number | undefined): void {
    this.#before = index;
    this.#showSnapshot();
  }

  #setRow(row: number | undefined): void {
    this.#filter = { ...this.#filter, row };
    this.#applyFilter();
  }

  #applyFilter(): void {
    const model = this.#model;
    model.filter = this.#filter;
    this.#view.refresh();
    const { spans, of, live, liveBytes } = model.sums();
    const count = (n: number) => n.toLocaleString("en");
    const which = spans === of ? count(of) : `${count(spans)} of ${count(of)}`;
    byId("shown").textContent =
      `${which} ${of === 1 ? "span" : "spans"} · ${count(live)} ${live === 1 ? "block" : "blocks"} · ${bytesText(liveBytes)} live`;
    const { hidden, row, owner } = this.#filter;
    byId("reset").hidden = hidden.size === 0 && row === undefined && owner === undefined;
    byId<HTMLSelectElement>("class").value = row === undefined ? "" : `${row}`;
    byId<HTMLSelectElement>("owner").value = owner === undefined ? "" : `${owner}`;
    this.#table.show(this.#snapshot, row);
    this.#showLegend();
    this.#showDetail();
  }

  // Parts

  #showTotals(): void {
    const { totals } = this.#snapshot;
    const before = this.#before === undefined ? undefined : this.snapshots[this.#before]!.totals;
    const items = [
      ["live", "heapAlloc"],
      ["spans", "heapInuse"],
      ["free", "heapIdle"],
      ["obtained", "sys"],
    ] as const;
    byId("totals").replaceChildren(
      ...items.map(([name, field]) => {
        const value = element("dd", { textContent: bytesText(totals[field]) });
        const delta = before === undefined ? 0 : totals[field] - before[field];
        if (delta !== 0) {
          const className = delta > 0 === (field !== "heapIdle") ? "more" : "less";
          value.append(" ", element("span", { className, textContent: signed(delta, bytesText(delta)) }));
        }
        return element("div", {}, element("dt", { textContent: name }), value);
      }),
    );
  }

  #showLegend(): void {
    const { rows, runs } = this.#snapshot;
    const bytes = new Map<string, number>();
    const add = (kind: string, pages: number) => bytes.set(kind, (bytes.get(kind) ?? 0) + pages * PAGE_BYTES);
    for (const { kind, pages } of rows) add(kind, pages);
    for (const { kind, pages } of runs) add(RUN_KINDS[kind]!, pages);
    const focused = (document.activeElement as HTMLElement | null)?.dataset["kind"];
    const items = [...SPAN_KINDS, ...RUN_KINDS]
      .filter((kind) => bytes.has(kind))
      .map((kind) => {
        const button = element(
          "button",
          { type: "button", data: { kind }, title: `Show or hide ${kind}`, onclick: () => this.#toggle(kind) },
          swatch(kind),
          kind.replace("-", " "),
          element("span", { className: "bytes", textContent: bytesText(bytes.get(kind)!) }),
        );
        button.ariaPressed = `${!this.#filter.hidden.has(kind)}`;
        return element("li", {}, button);
      });
    const changes = [
      ["more", "more live than before"],
      ["less", "less live than before"],
      ["same", "unchanged"],
    ] as const;
    if (this.#before !== undefined) {
      const lines = changes.map(([kind, text]) => element("div", { className: "row" }, swatch(kind), text, ""));
      items.unshift(...lines.map((line) => element("li", {}, line)));
    }
    byId("legend").replaceChildren(...items);
    if (focused !== undefined) byId("legend").querySelector<HTMLElement>(`[data-kind="${focused}"]`)?.focus();
  }

  #toggle(kind: string): void {
    const hidden = new Set(this.#filter.hidden);
    if (!hidden.delete(kind)) hidden.add(kind);
    this.#filter = { ...this.#filter, hidden };
    this.#applyFilter();
  }

  #fillSelects(): void {
    const option = (value: string, text: string) => element("option", { value, textContent: text });
    const rows = [...this.#snapshot.rows].sort((a, b) => a.kind.localeCompare(b.kind) || a.size - b.size);
    byId("class").replaceChildren(
      option("", "all"),
      ...rows.map(({ row, kind, size }) => option(`${row}`, row === 0 ? "large" : `${kind} ${size}`)),
    );
    const { row, owner } = this.#filter;
    if (row !== undefined && !rows.some((one) => one.row === row)) this.#filter = { ...this.#filter, row: undefined };
    const owners = [...new Set(this.#snapshot.columns.owner)].sort((a, b) => a - b);
    byId("owner-label").hidden = this.#snapshot.ps === undefined;
    byId("owner").replaceChildren(
      option("", "all"),
      ...owners.map((id) => option(`${id}`, id === 0 ? "nobody" : `P ${id}`)),
    );
    if (owner !== undefined && !owners.includes(owner)) this.#filter = { ...this.#filter, owner: undefined };
    byId("compare-label").hidden = this.snapshots.length < 2;
    byId("compare").replaceChildren(
      option("", "nothing"),
      ...this.snapshots.map((_, i) => option(`${i}`, `${i + 1}: ${this.#labelOf(i)}`)),
    );
    byId<HTMLSelectElement>("compare").value = this.#before === undefined ? "" : `${this.#before}`;
  }

  #labelOf(index: number): string {
    const { label, time } = this.snapshots[index]!;
    return label ?? `+${((time - this.snapshots[0]!.time) / 1000).toFixed(1)} s`;
  }

  #showDetail(): void {
    const page = this.#view.chosen;
    const place = byId("detail");
    if (page === undefined || !this.#model.has(page)) {
      const textContent = "Click a page, or move with the arrow keys. The wheel zooms, dragging moves the map.";
      place.replaceChildren(element("p", { className: "empty", textContent }));
      return;
    }
    const { title, lines, samples } = describe(this.#model, page);
    const list = element(
      "dl",
      { className: "detail" },
      element("dt", { textContent: "What" }),
      element("dd", { textContent: title }),
    );
    for (const [name, value] of lines)
      list.append(element("dt", { textContent: name }), element("dd", { textContent: value }));
    for (const sample of samples) list.append(...sampleLines(sample));
    place.replaceChildren(list);
  }

  // The canvas

  #choose(page: number): void {
    this.#view.chosen = page;
    this.#view.reveal(page);
    this.#showDetail();
    const { title, lines, samples } = describe(this.#model, page);
    byId("cursor").textContent = [
      title,
      ...lines.map(([name, value]) => `${name}: ${value}`),
      samples.length > 0 ? `${samples.length} sampled blocks` : "",
    ]
      .filter(Boolean)
      .join(". ");
  }

  #wireCanvas(): void {
    const canvas = byId<HTMLCanvasElement>("map");
    let drag: { x: number; y: number; far: boolean } | undefined;
    canvas.onpointerdown = (event) => {
      drag = { x: event.clientX, y: event.clientY, far: false };
      canvas.setPointerCapture(event.pointerId);
    };
    canvas.onpointermove = (event) => {
      if (drag === undefined) {
        this.#hover(event);
        return;
      }
      const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
      if (!drag.far && Math.hypot(dx, dy) < CLICK) return;
      canvas.classList.add("dragging");
      byId("tip").hidden = true;
      this.#view.pan(dx, dy);
      drag = { x: event.clientX, y: event.clientY, far: true };
    };
    const end = (event: PointerEvent) => {
      if (drag !== undefined && !drag.far && event.type === "pointerup") {
        const found = this.#view.pageAt(event.offsetX, event.offsetY);
        if (found !== undefined) this.#choose(found.page);
      }
      drag = undefined;
      canvas.classList.remove("dragging");
    };
    canvas.onpointerup = end;
    canvas.onpointercancel = end;
    canvas.onpointerleave = () => {
      byId("tip").hidden = true;
    };
    canvas.ondblclick = (event) => this.#view.zoom(ZOOM_STEP * ZOOM_STEP, event.offsetX, event.offsetY);
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
        if (event.shiftKey) this.#view.pan(-event.deltaY * lines, 0);
        else this.#view.zoom(1.0018 ** (-event.deltaY * lines), event.offsetX, event.offsetY);
        this.#hover(event);
      },
      { passive: false },
    );
    canvas.onkeydown = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !this.#key(event.key)) return;
      event.preventDefault();
    };
    document.addEventListener("keydown", (event) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)) return;
      if (event.key === "t") byId("theme").click();
      else if (event.key === "[") this.#setIndex(this.#index - 1);
      else if (event.key === "]") this.#setIndex(this.#index + 1);
    });
  }

  /** What a key does on the map. False: nothing. */
  #key(key: string): boolean {
    const row = this.#view.columns;
    const moves: Record<string, number> = {
      ...{ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row, PageUp: -ARENA, PageDown: ARENA },
    };
    const { start, end } = this.#snapshot;
    const move = moves[key];
    if (move !== undefined) {
      const from = this.#view.chosen;
      this.#choose(from === undefined ? start : Math.min(Math.max(from + move, start), end - 1));
    } else if (key === "Home" || key === "End") this.#choose(key === "Home" ? start : end - 1);
    else if (key === "+" || key === "=") this.#zoom(ZOOM_STEP);
    else if (key === "-") this.#zoom(1 / ZOOM_STEP);
    else if (key === "0") this.#view.fit();
    else if (key === "p") this.#look(PAGE_SCALE);
    else if (key === "s" || key === "Enter") this.#look(SLOT_SCALE);
    else return false;
    return true;
  }

  /** Zooms around the chosen page if it can be seen, else around the middle. */
  #zoom(factor: number): void {
    const { chosen } = this.#view;
    const at = chosen === undefined ? undefined : this.#view.pointOf(chosen);
    const { width, height } = this.#view.canvas.getBoundingClientRect();
    if (at !== undefined && at.x > 0 && at.x < width && at.y > 0 && at.y < height) this.#view.zoom(factor, at.x, at.y);
    else this.#view.zoom(factor);
  }

  /** Looks at the chosen page, or the first one. */
  #look(scale: number): void {
    if (this.#view.chosen === undefined) this.#choose(this.#snapshot.start);
    this.#view.show(this.#view.chosen!, scale);
  }

  #hover(event: MouseEvent): void {
    const tip = byId("tip");
    const found = this.#view.pageAt(event.offsetX, event.offsetY);
    tip.hidden = found === undefined;
    if (found === undefined) return;
    // Below a few pixels a page no slot can be meant.
    const address = this.#view.scale >= 24 ? found.address : undefined;
    tip.replaceChildren(...tipContents(describe(this.#model, found.page, address)));
    const { width, height } = byId("stage").getBoundingClientRect();
    const left =
      event.offsetX + 16 + tip.offsetWidth > width ? event.offsetX - 12 - tip.offsetWidth : event.offsetX + 16;
    const top =
      event.offsetY + 16 + tip.offsetHeight > height ? event.offsetY - 12 - tip.offsetHeight : event.offsetY + 16;
    tip.style.left = `${Math.max(left, 4)}px`;
    tip.style.top = `${Math.max(top, 4)}px`;
  }

  // Toolbar

  #wireToolbar(): void {
    const click = (id: string, action: () => void) => {
      byId(id).onclick = action;
    };
    click("zoom-in", () => this.#zoom(ZOOM_STEP));
    click("zoom-out", () => this.#zoom(1 / ZOOM_STEP));
    click("fit", () => this.#view.fit());
    click("to-page", () => this.#look(PAGE_SCALE));
    click("to-slot", () => this.#look(SLOT_SCALE));
    click("reset", () => {
      this.#filter = NO_FILTER;
      this.#applyFilter();
    });
    const numberOf = (id: string) => {
      const { value } = byId<HTMLSelectElement>(id);
      return value === "" ? undefined : Number(value);
    };
    byId("class").onchange = () => this.#setRow(numberOf("class"));
    byId("owner").onchange = () => {
      this.#filter = { ...this.#filter, owner: numberOf("owner") };
      this.#applyFilter();
    };
    byId("compare").onchange = () => this.#setBefore(numberOf("compare"));
    const address = byId<HTMLInputElement>("address");
    address.oninput = () => address.setCustomValidity("");
    address.onchange = () => this.#goTo(address);
  }

  #goTo(input: HTMLInputElement): void {
    const text = input.value.trim();
    if (text === "") return;
    const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
    const page = Math.floor(value / PAGE_BYTES);
    const { start, end } = this.#snapshot;
    if (this.#model.has(page)) {
      this.#view.chosen = page;
      this.#view.show(page, Math.max(this.#view.scale, PAGE_SCALE));
      this.#choose(page);
      return;
    }
    input.setCustomValidity(`Give an address from ${hex(start * PAGE_BYTES)} up to ${hex(end * PAGE_BYTES - 1)}.`);
    input.reportValidity();
  }

  #chooseTheme(): void {
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)");
    let chosen: string | undefined;
    const apply = () => {
      root.dataset["theme"] = chosen ?? (system.matches ? "dark" : "light");
      this.#view.colors = readColors();
      this.#view.refresh();
    };
    system.onchange = apply;
    byId("theme").onclick = () => {
      chosen = root.dataset["theme"] === "dark" ? "light" : "dark";
      apply();
    };
    apply();
  }

  // The series

  #wireSeries(): void {
    const slider = byId<HTMLInputElement>("slider");
    slider.max = `${this.snapshots.length - 1}`;
    slider.oninput = () => this.#setIndex(Number(slider.value));
    byId("before").onclick = () => this.#setIndex(this.#index - 1);
    byId("after").onclick = () => this.#setIndex(this.#index + 1);
    byId("series").hidden = this.snapshots.length < 2;
  }

  #showSeries(): void {
    if (this.snapshots.length < 2) return;
    const slider = byId<HTMLInputElement>("slider");
    slider.value = `${this.#index}`;
    const { time } = this.#snapshot;
    const said = `${this.#index + 1} of ${this.snapshots.length}, ${this.#labelOf(this.#index)}`;
    byId("when").textContent = said;
    slider.setAttribute("aria-valuetext", `${said}, ${new Date(time).toISOString()}`);
    byId<HTMLButtonElement>("before").disabled = this.#index === 0;
    byId<HTMLButtonElement>("after").disabled = this.#index === this.snapshots.length - 1;
    this.#drawSpark();
  }

  /** Live bytes and bytes obtained over the series. */
  #drawSpark(): void {
    const most = Math.max(...this.snapshots.map(({ totals }) => totals.sys), 1);
    const n = this.snapshots.length - 1;
    const line = (field: "sys" | "heapAlloc") =>
      this.snapshots.map(({ totals }, i) => `${(i / n) * 100},${25 - (totals[field] / most) * 24}`).join(" ");
    const svg = (name: string, attributes: Record<string, string>) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      return made;
    };
    const plain = { "vector-effect": "non-scaling-stroke" };
    const x = `${(this.#index / n) * 100}`;
    byId("spark").replaceChildren(
      svg("polyline", { class: "sys", points: line("sys"), ...plain }),
      svg("polyline", { class: "live", points: line("heapAlloc"), ...plain }),
      svg("line", { class: "live", x1: x, x2: x, y1: "0", y2: "26", ...plain }),
    );
  }
}

/** A sampled block, for the panel and the tooltip. */
function sampleLines({ address, size, age, stack }: Description["samples"][number]): HTMLElement[] {
  const after = age === undefined ? "" : `, ${ageText(age)} old`;
  const lines: HTMLElement[] = [
    element("div", { textContent: `Sampled block of ${size} bytes at ${hex(address)}${after}` }),
  ];
  if (stack !== undefined) {
    lines.push(element("ol", {}, ...stack.map((frame) => element("li", { className: "mono", textContent: frame }))));
  }
  return [element("dd", { className: "wide" }, ...lines)];
}

/** At most this many sampled blocks are listed in a tooltip. */
const TIP_SAMPLES = 2;

function tipContents({ title, lines, samples }: Description): HTMLElement[] {
  const parts = [element("b", { textContent: title })];
  for (const [name, value] of lines) {
    parts.push(element("div", {}, element("span", { className: "quiet", textContent: `${name} ` }), value));
  }
  for (const sample of samples.slice(0, TIP_SAMPLES))
    parts.push(...sampleLines(sample).flatMap((one) => [...one.children] as HTMLElement[]));
  if (samples.length > TIP_SAMPLES)
    parts.push(
      element("div", {
        className: "quiet",
        textContent: `and ${samples.length - TIP_SAMPLES} more sampled ${samples.length - TIP_SAMPLES === 1 ? "block" : "blocks"}`,
      }),
    );
  return parts;
}

/** The colours of the style sheet, as numbers. */
export function readColors(): Colors {
  const style = getComputedStyle(document.documentElement);
  const colors: Record<string, readonly [number, number, number]> = {};
  for (const name of COLORS) {
    const value = style.getPropertyValue(`--${name}`).trim();
    colors[name] = [1, 3, 5].map((i) => Number.parseInt(value.slice(i, i + 2), 16)) as [number, number, number];
  }
  return colors;
}
