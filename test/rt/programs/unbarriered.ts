/**
 * References that are stored without a barrier: by a host, through the bindings of asc or the loader, into objects that it
 * has pinned or that are static; and by Array#sort of the standard library, whose comparator allocates here. Each function
 * that is given something drops it to collections and garbage first, and then looks at all of it.
 */

class Row {
  name!: string;
  data!: Float64Array;
  kids!: Row[];
  words!: StaticArray<string>;
  raw!: ArrayBuffer;
  next!: Row | null;
}

class Item {
  constructor(
    public key: i32,
    public text: string,
  ) {}
}

export const TEXTS_ID = idof<Array<string>>();
export const FIXED_ID = idof<StaticArray<string>>();
export const LISTS_ID = idof<Array<Array<string>>>();

export const fixed: StaticArray<string> = ["a", "b", "c", "d"];
export const list: string[] = ["a", "b", "c", "d"];
export let words: string[] = [];
let only: StaticArray<string> | null = ["a", "b", "c", "d"];
let kept: string[] | null = null;

/** Live objects, for marking to have steps: a list in which one leads to the next. */
let chain: Item[][] = [];

export function grow(n: i32): void {
  for (let i = 0; i < n; i++) chain.push([new Item(i, "live " + i.toString())]);
}

/** A piece of marking. 0: the cycle has ended. */
export function advance(budget: u32): u32 {
  return __gcStep(budget);
}

/** Objects of all small sizes, to take the place of what was freed. */
function litter(): void {
  for (let i = 0; i < 40; i++) {
    new Item(i, "litter " + i.toString());
    [i, i + 1, i + 2];
    new StaticArray<u64>(i);
  }
}

function settle(): void {
  __collect();
  litter();
  __collect();
  litter();
}

function show(row: Row): string {
  let s = row.name + ":" + row.data.join("+") + ":" + row.words.join("+") + ":" + row.raw.byteLength.toString() + "[";
  for (let i = 0; i < row.kids.length; i++) s += show(row.kids[i]);
  const next = row.next;
  return s + "]" + (next ? ">" + show(next) : "");
}

export function showRows(rows: Row[]): string {
  settle();
  let s = "";
  for (let i = 0; i < rows.length; i++) s += show(rows[i]);
  return s;
}

export function showRow(row: Row): string {
  settle();
  return show(row);
}

export function joinLists(lists: string[][]): string {
  settle();
  let s = "";
  for (let i = 0; i < lists.length; i++) s += lists[i].join("+") + ";";
  return s;
}

export function joinFixed(lists: StaticArray<Array<string>>): string {
  settle();
  let s = "";
  for (let i = 0; i < lists.length; i++) s += lists[i].join("+") + ";";
  return s;
}

export function sums(rows: Float64Array[], text: string): string {
  settle();
  let s = text;
  for (let i = 0; i < rows.length; i++) s += ";" + rows[i].join("+");
  return s;
}

export function newItem(key: i32, text: string): Item {
  return new Item(key, text);
}

export function showItems(items: Item[]): string {
  settle();
  let s = "";
  for (let i = 0; i < items.length; i++) s += items[i].key.toString() + items[i].text + ";";
  return s;
}

export function showWords(): string {
  settle();
  return words.join("+");
}

/** Strings that the host makes within a call of the program's. */
@external("env", "supply")
declare function supply(i: i32): string[];

export function supplied(n: i32): string {
  const all: string[][] = [];
  for (let i = 0; i < n; i++) all.push(supply(i));
  settle();
  let s = "";
  for (let i = 0; i < n; i++) s += all[i].join("+") + ";";
  return s;
}

/** For the loader: a static array that nothing of the program's holds any more. */
export function takeOnly(): StaticArray<string> {
  const taken = only!;
  only = null;
  return taken;
}

export function keep(texts: string[]): void {
  kept = texts;
}

export function showKept(): string {
  settle();
  return kept!.join("+");
}

export function showTexts(texts: string[]): string {
  settle();
  return texts.join("+");
}

export function showStatic(texts: StaticArray<string>): string {
  settle();
  return texts.join("+");
}

export function showLists(): string {
  settle();
  return fixed.join("+") + ";" + list.join("+");
}

// Template literals

/** All calls put their text together in the same static array, which is on the stack of all of them. */
export function templates(depth: i32): string {
  const text = `<${depth}|${depth + 1}>`;
  let inner = "";
  if (depth > 0) inner = templates(depth - 1);
  else {
    for (let i = 0; i < 8; i++) settle();
  }
  settle();
  return text + inner;
}

// Sorts

let stride: u32 = 0;
let countdown: u32 = 0;
let failAt: i32 = -1;

/** A comparison: every so often a piece of marking, and always some garbage. */
function pause(): void {
  if (failAt >= 0 && failAt-- == 0) throw new Error("no comparison");
  if (countdown-- != 0) return;
  countdown = stride;
  if (!__gcStep(1)) litter();
}

export function pace(every: u32): void {
  stride = every;
  countdown = every;
}

export function failAfter(comparisons: i32): void {
  failAt = comparisons;
}

function name(i: i32): string {
  return "k" + i.toString().padStart(5, "0");
}

function byText(a: string, b: string): i32 {
  pause();
  const p = a.toUpperCase() + "!";
  const q = b.toUpperCase() + "!";
  return p < q ? -1 : p > q ? 1 : 0;
}

function byKey(a: Item, b: Item): i32 {
  pause();
  return new Item(a.key - b.key, a.text + b.text).key;
}

/** Permutations of different shapes: scattered, descending, two ascending halves, almost sorted. */
function place(i: i32, n: i32, shape: i32): i32 {
  if (shape == 0) return <i32>((<i64>i * 7919 + 13) % n);
  if (shape == 1) return n - 1 - i;
  if (shape == 2) return i << 1 < n ? i << 1 : ((i - ((n + 1) >> 1)) << 1) + 1;
  return (i | 1) < n && (i & 6) == 0 ? i ^ 1 : i;
}

/** Elements that are not what they should be. `n` is prime to 7919. */
export function sortTexts(n: i32, shape: i32): i32 {
  const texts: string[] = [];
  for (let i = 0; i < n; i++) texts.push(name(place(i, n, shape)));
  texts.sort(byText);
  settle();
  let bad = 0;
  for (let i = 0; i < n; i++) if (texts[i] != name(i)) bad++;
  return bad;
}

export function sortItems(n: i32, shape: i32): i32 {
  const items = new StaticArray<Item>(n);
  for (let i = 0; i < n; i++) {
    const key = place(i, n, shape);
    items[i] = new Item(key, name(key));
  }
  items.sort(byKey);
  settle();
  let bad = 0;
  for (let i = 0; i < n; i++) if (items[i].key != i || items[i].text != name(i)) bad++;
  return bad;
}

/** Arrays of arrays: each comparison sorts copies of both. */
export function sortNested(n: i32): i32 {
  const lists: string[][] = [];
  for (let i = 0; i < n; i++) {
    const texts: string[] = [];
    for (let j = 0; j < 53; j++) texts.push(name(place(j, 53, 0)) + name(place(i, n, 0)));
    lists.push(texts);
  }
  lists.sort((a, b) => {
    const p = a.slice().sort(byText)[0];
    const q = b.slice().sort(byText)[0];
    return p < q ? -1 : p > q ? 1 : 0;
  });
  settle();
  let bad = 0;
  for (let i = 0; i < n; i++) if (lists[i].length != 53 || lists[i][0] != name(13) + name(i)) bad++;
  return bad;
}

const statics: StaticArray<string> = ["d", "b", "a", "c"];
const lists: StaticArray<string>[] = [statics];

/** Sorts what is static: an array of strings from the heap, and an array of numbers whose buffer looks like one of these. */
export function sortStatics(n: i32): i32 {
  for (let i = 0; i < 4; i++) statics[i] = name(3 - i);
  statics.sort(byText);
  lists[0] = statics;
  const numbers: i32[] = [];
  for (let i = 0; i < n; i++) numbers.push(place(i, n, 0));
  numbers.sort((a, b) => {
    pause();
    return new Item(a - b, "").key;
  });
  settle();
  let bad = 0;
  for (let i = 0; i < 4; i++) if (lists[0][i] != name(i)) bad++;
  for (let i = 0; i < n; i++) if (numbers[i] != i) bad++;
  return bad;
}

/** A block that is taken, filled, resized and freed in the way of a sort's, and is none. */
export function likeASort(n: i32): i32 {
  const runs: i32 = 33 - clz(n);
  const table = heap.alloc(runs << 3);
  memory.fill(table, 0xff, runs << 2);
  let block = heap.alloc(n << 2);
  const texts: string[] = [];
  for (let i = 0; i < n; i++) {
    store<u32>(
      block + ((<usize>i) << 2),
      i % 3 ? i * 0x9e3779b1 : <i32>changetype<usize>(new Item(i, name(i))) + (i & 4),
    );
    texts.push(name(i));
    pause();
  }
  block = heap.realloc(block, n << 3);
  settle();
  for (let i = 0; i < n; i++) store<u32>(block + ((<usize>(n + i)) << 2), i);
  let bad = 0;
  for (let i = 0; i < n; i++) {
    if (i % 3 && load<i32>(block + ((<usize>i) << 2)) != i * 0x9e3779b1) bad++;
    if (load<i32>(block + ((<usize>(n + i)) << 2)) != i || texts[i] != name(i)) bad++;
  }
  heap.free(table);
  heap.free(block);
  settle();
  return bad;
}
