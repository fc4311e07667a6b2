/**
 * Objects in data segments, below the heap: static strings, array literals, StaticArray and class instances that the
 * compiler lays out. The program makes them point at heap objects, which nothing else holds, and swaps them.
 */
import { below, mix, mixNumbers, mixText, mixTextOrNull, next, safepoint, word } from "./lib";

class Cell {
  next: Cell | null = null;
  constructor(public text: string) {}
  static last: Cell | null = null;
  static table: string[] = ["static a", "static b", "static c"];
  static numbers: f64[] = [1, 2, 3, 4, 5];
}

const words: string[] = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"];
const fixed: StaticArray<string> = ["one", "two", "three", "four", "five", "six"];
const bytes: StaticArray<u8> = [1, 2, 3, 4, 5, 6, 7, 8];
const rows: string[][] = [["r0"], ["r1", "x"], [], ["r3", "y", "z"]];
const empty: Array<Cell | null> = [null, null, null, null, null, null, null, null];
const grid: StaticArray<Array<i32>> = [[1], [2, 2], [3, 3, 3]];
let text: string = "static text";
let swapped: string[] = words;

export function start(): void {}

export function step(round: i32): void {
  for (let i = 0; i < 150; i++) {
    words[below(<u32>words.length)] = word(6) + next().toString();
    unchecked((fixed[below(6)] = word(9)));
    chain();
    safepoint(400);
    if (below(20) == 0) resize();
    read(i);
  }
  fresh(round);
}

export function finish(): void {
  mixText(words.join() + fixed.join() + text + swapped.join());
  for (let i = 0; i < rows.length; i++) mixText(rows[i].join("+"));
  for (let i = 0; i < grid.length; i++) mixNumbers(grid[i]);
  for (let i = 0; i < empty.length; i++) mix(length(empty[i]));
  mixText(Cell.table.join());
  mixNumbers(Cell.numbers);
  mixNumbers(bytes.slice<u8[]>(0));
}

/** A static array as the only holder of a list. */
function chain(): void {
  const at = below(8);
  const cell = new Cell(word(4));
  if (below(10)) cell.next = empty[at];
  empty[at] = cell;
  Cell.last = cell;
  rows[below(4)].push(cell.text);
  grid[below(3)].push(<i32>below(99));
  Cell.table[below(3)] = cell.text + "t";
  bytes[below(8)] = <u8>next();
}

/** Arrays whose buffer was static move to the heap; some are emptied, some replaced by what was static. */
function resize(): void {
  const row = below(4);
  if (rows[row].length > 10) rows[row] = ["static again", word(3)];
  if (grid[below(3)].length > 20) grid[below(3)] = [7, 8, 9];
  words.push(text);
  if (words.length > 16) words.length = 8;
  Cell.numbers.push(<f64>next());
  if (Cell.numbers.length > 50) Cell.numbers = Cell.numbers.slice(40);
  text = below(2) ? "static text" : text.slice(0, 20) + word(2);
  swapped = below(2) ? words : [text, "fresh", word(4)];
  safepoint(4);
}

function length(cell: Cell | null): u64 {
  let n: u64 = 0;
  let it: Cell | null = cell;
  while (it) {
    n += 1 + <u64>it.text.length;
    it = it.next;
  }
  return n;
}

function read(i: i32): void {
  mixText(fixed[i % 6]);
  mixText(words[i % words.length]);
  const cell = empty[i & 7];
  mixTextOrNull(cell ? cell.text : null);
  if ((i & 31) == 0) mix(length(cell));
}

/** A literal in a function is copied from its static image each time: images stay as they were written. */
function fresh(round: i32): void {
  const local = ["p", "q", "r"];
  const matrix = [
    [1.5, 2.5],
    [3.5, <f64>round],
  ];
  local[round % 3] = word(5);
  safepoint(3);
  local.push(Cell.last!.text);
  mixText(local.join("|") + matrix.join("|"));
}
