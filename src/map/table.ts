/** Fragmentation by class: a table that sorts by any column, and chooses the class of a line. */
import { type ClassFigures, classFigures } from "../snapshot/figures.js";
import type { HeapSnapshot } from "../snapshot/snapshot.js";
import { bytesText, percentText } from "../snapshot/words.js";
import { byId, element, swatch } from "./dom.js";

interface Column {
  readonly name: string;
  readonly title: string;
  readonly value: (one: ClassFigures) => number | string;
  readonly cell: (one: ClassFigures) => (Node | string)[];
}

const COLUMNS: readonly Column[] = [
  {
    name: "Kind",
    title: "What the spans are for",
    value: ({ kind }) => kind,
    cell: ({ kind }) => [swatch(kind), kind],
  },
  {
    name: "Slot",
    title: "Bytes of a slot",
    value: ({ size }) => size,
    cell: ({ size }) => [size === 0 ? "–" : `${size}`],
  },
  { name: "Spans", title: "Spans", value: ({ spans }) => spans, cell: ({ spans }) => [`${spans}`] },
  { name: "Bytes", title: "Bytes of the spans", value: ({ bytes }) => bytes, cell: ({ bytes }) => [bytesText(bytes)] },
  { name: "Live", title: "Slots in use", value: ({ live }) => live, cell: ({ live }) => [`${live}`] },
  { name: "Slots", title: "All slots", value: ({ slots }) => slots, cell: ({ slots }) => [`${slots}`] },
  {
    name: "Used",
    title: "Share of the bytes that is live",
    value: ({ used }) => used,
    cell: ({ used }) => [meter(used), percentText(used)],
  },
  {
    name: "Free",
    title: "Bytes of free slots",
    value: ({ freeBytes }) => freeBytes,
    cell: ({ freeBytes }) => [bytesText(freeBytes)],
  },
  {
    name: "Tails",
    title: "Bytes behind the last slots",
    value: ({ tailBytes }) => tailBytes,
    cell: ({ tailBytes }) => [bytesText(tailBytes)],
  },
  {
    name: "Excess",
    title: "Bytes that could be given back if the live slots lay together",
    value: ({ excessBytes }) => excessBytes,
    cell: ({ excessBytes }) => [bytesText(excessBytes)],
  },
];

function meter(share: number): HTMLElement {
  const bar = element("i");
  bar.style.width = `${share * 100}%`;
  return element("span", { className: "meter", ariaHidden: "true" }, bar);
}

export class ClassTable {
  #column = COLUMNS.findIndex(({ name }) => name === "Free");
  #descending = true;
  #figures: ClassFigures[] = [];
  #chosen: number | undefined;
  readonly #heads: HTMLElement[] = [];

  /** `choose` is called with the row of a line. */
  constructor(readonly choose: (row: number) => void) {
    COLUMNS.forEach(({ name, title }, i) => {
      const button = element("button", { type: "button", textContent: name, title, onclick: () => this.#sortBy(i) });
      const head = element("th", { scope: "col" }, button);
      this.#heads.push(head);
      byId("heads").append(head);
    });
  }

  show(snapshot: HeapSnapshot, chosen: number | undefined): void {
    this.#figures = classFigures(snapshot);
    this.#chosen = chosen;
    this.#draw();
  }

  #sortBy(column: number): void {
    this.#descending = column === this.#column ? !this.#descending : column > 0;
    this.#column = column;
    this.#draw();
  }

  #draw(): void {
    const { value } = COLUMNS[this.#column]!;
    const order = this.#descending ? -1 : 1;
    const sorted = [...this.#figures].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      return (x < y ? -order : x > y ? order : 0) || a.size - b.size || a.row - b.row;
    });
    this.#heads.forEach((head, i) => {
      head.ariaSort = i !== this.#column ? "none" : this.#descending ? "descending" : "ascending";
    });
    byId("rows").replaceChildren(
      ...sorted.map((one) => {
        const line = element(
          "tr",
          { tabIndex: 0, data: { row: `${one.row}` } },
          ...COLUMNS.map(({ cell }) => element("td", {}, ...cell(one))),
        );
        line.ariaSelected = `${one.row === this.#chosen}`;
        line.onclick = () => this.choose(one.row);
        line.onkeydown = (event) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          this.choose(one.row);
        };
        return line;
      }),
    );
  }
}
