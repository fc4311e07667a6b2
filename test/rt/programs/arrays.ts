/**
 * Array<T> of managed, nullable, unmanaged and nested elements under every method that moves elements or makes a new
 * array. A model in plain numbers would only repeat the methods; what proves them is that all runtimes agree.
 */
import { below, mix, mixNumbers, mixText, mixTextOrNull, next, safepoint, word } from "./lib";

class Item {
  constructor(
    public id: u32,
    public name: string,
  ) {}
}

let items: Item[] = [];
let numbers: f64[] = [];
let sparse: Array<string | null> = [];
let nested: i32[][] = [];
let texts: string[] = [];
let created: u32 = 0;

export function start(): void {
  sparse = new Array<string | null>(100);
  for (let i = 0; i < 50; i++) nested.push([i]);
}

export function step(round: i32): void {
  for (let i = 0; i < 30; i++) {
    managed();
    plain();
    holes();
    nesting();
  }
  derived(round);
  mix(items.length);
}

export function finish(): void {
  for (let i = 0; i < items.length; i++) {
    mix(items[i].id);
    mixText(items[i].name);
  }
  mixNumbers(numbers);
  for (let i = 0; i < sparse.length; i++) mixTextOrNull(sparse[i]);
  mixText(nested.join(";"));
}

function item(): Item {
  return new Item(++created, word(4));
}

/** Both ends, the middle, and several at once; elements that left the array are still used. */
function managed(): void {
  for (let n = below(8); n > 0; n--) items.push(item());
  for (let n = below(4); n > 0; n--) items.unshift(item());
  if (items.length > 40) {
    const first = items.shift();
    const last = items.pop();
    const middle = items.splice(<i32>below(20), <i32>below(20));
    safepoint(30);
    mixText(first.name + last.name);
    for (let i = 0; i < middle.length; i++) mix(middle[i].id);
    const copy = items.slice(5, 25).concat(middle);
    copy.reverse();
    copy.copyWithin(0, 3, 9);
    safepoint(30);
    for (let i = 0; i < copy.length; i++) mixText(copy[i].name);
    if (below(3) == 0) items = copy;
  }
  items.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : <i32>a.id - <i32>b.id));
  mix(items.findIndex((it) => it.id % 7 == 3));
  if (items.length > 60) items.length = 30;
}

function plain(): void {
  for (let n = below(10); n > 0; n--) numbers.push(<f64>(<i32>next()) / 1024.0);
  if (numbers.length > 200) numbers = numbers.slice(<i32>below(150));
  if (numbers.length) {
    mix(reinterpret<u64>(numbers.shift()));
    numbers.sort();
    numbers.fill(0.5, 0, 1);
    mix(numbers.indexOf(0.5) + numbers.lastIndexOf(0.5) * 100);
  }
}

/**
 * Elements of nullable type: holes, cleared places, growth by assignment past the end. Only an array that never shrank
 * may grow like that: std's Array leaves what it drops in the buffer beyond its length, unvisited, and shows it again.
 */
function holes(): void {
  const at = <i32>below(<u32>sparse.length);
  sparse[at] = sparse[at] === null ? word(6) : null;
  sparse[<i32>below(<u32>sparse.length)] = word(3);
  if (below(10) == 0) sparse[sparse.length + 5] = word(2);
  if (sparse.length > 150) {
    const tail = sparse.splice(100);
    safepoint(10);
    for (let i = 0; i < tail.length; i++) mixTextOrNull(tail[i]);
    sparse = sparse.slice(0);
  }
}

function nesting(): void {
  const row = <i32>below(<u32>nested.length);
  nested[row].push(<i32>below(1000));
  if (nested[row].length > 12) nested[row] = [row];
  if (below(8) == 0) {
    const all = nested.flat();
    safepoint(8);
    mixNumbers(all);
  }
}

/** Callbacks that allocate while the method iterates. */
function derived(round: i32): void {
  texts = items.map<string>((it) => {
    safepoint(200);
    return it.name + it.id.toString();
  });
  const some = texts.filter((t) => {
    safepoint(200);
    return t.concat("!").length % 2 == 0;
  });
  mixText(some.join(","));
  mixText(some.reduce<string>((all, t) => (all.length < 200 ? all + t : all), round.toString()));
  mixText(some.reduceRight<string>((all, t) => (t > all ? t : all), ""));
  const pairs = texts.map<string[]>((t) => t.split("")).map<Array<Array<string>>>((t) => [t, [t.join("+")]]);
  for (let i = 0; i < pairs.length; i++) mixText(pairs[i].flat().join(""));
  mix(texts.every((t) => t.length > 1) ? 1 : 0);
  mix(texts.some((t) => t.includes("zz")) ? 1 : 0);
}
