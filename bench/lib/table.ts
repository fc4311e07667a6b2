/**
 * Tables of figures as data: what a report prints, a result keeps as JSON and docs/results.md shows, from one source.
 */

export interface Column {
  readonly name: string;
  /** Digits behind the point of its numbers; one less from 100 on, none from 1000 on. 0 unless given. */
  readonly digits?: number;
  /** Stands behind each number, "x" or " %". */
  readonly unit?: string;
}

/** A number of its column, or text as it is; null where there is no figure. */
export type Cell = number | string | null;

export interface Table {
  /** The first one names the rows, and the table. */
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
  /** What a reader has to know of it. */
  readonly note?: string;
}

/** Columns of the same digits and unit. */
export function columns(names: readonly string[], digits: number, unit = ""): Column[] {
  return names.map((name) => ({ name, digits, ...(unit === "" ? {} : { unit }) }));
}

/** A figure as a cell: null for what was not measured or has no value. */
export function cell(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : value;
}

function digitsFor(value: number, { digits = 0 }: Column): number {
  const size = Math.abs(value);
  return size >= 1000 ? 0 : Math.max(0, size >= 100 ? digits - 1 : digits);
}

function shown(value: Cell, column: Column): string {
  if (value === null) return "-";
  return typeof value === "string" ? value : `${value.toFixed(digitsFor(value, column))}${column.unit ?? ""}`;
}

/** The cells as they are shown, heads first. */
function lines({ columns, rows }: Table): string[][] {
  return [columns.map(({ name }) => name), ...rows.map((row) => row.map((value, i) => shown(value, columns[i]!)))];
}

/** Every number rounded to what is shown of it, so that a result keeps no digits that mean nothing. */
export function rounded(table: Table): Table {
  const round = (value: Cell, column: Column) =>
    typeof value === "number" ? Number(value.toFixed(digitsFor(value, column))) : value;
  return { ...table, rows: table.rows.map((row) => row.map((value, i) => round(value, table.columns[i]!))) };
}

function padded(cells: readonly (readonly string[])[]): string[][] {
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((line) => (line[column] ?? "").length)));
  return cells.map((line) => line.map((text, i) => (i ? text.padStart(widths[i]!) : text.padEnd(widths[i]!))));
}

/** As text: columns aligned, the first to the left, the others to the right. */
export function text(table: Table): string {
  const [head, ...body] = padded(lines(table));
  const rule = head!.map((name) => "-".repeat(name.length));
  return [...[head!, rule, ...body].map((line) => line.join("  ")), ...(table.note ? [table.note] : [])].join("\n");
}

/** As Markdown. */
export function markdown(table: Table): string {
  const [head, ...body] = padded(lines(table).map((line) => line.map((one) => one.replace(/[<>|]/g, "\\$&"))));
  const rule = head!.map(({ length }, i) => (i ? `${"-".repeat(length - 1)}:` : "-".repeat(length)));
  const show = (line: readonly string[]) => `| ${line.join(" | ")} |`;
  return [...[head!, rule, ...body].map(show), ...(table.note ? ["", table.note] : [])].join("\n");
}
