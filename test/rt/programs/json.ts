/**
 * json-as at work: random documents of several schemas made, written, read back, compared with what they were, changed
 * and written again; documents of unknown shape through JSON.Value and JSON.Obj; one document of some 200 KB.
 */
import { JSON } from "json-as";
import { below, digest, mix, mixFloat, mixText, next, reset, safepoint, word } from "./lib";

@json
class Point {
  x: f64 = 0;
  y: f64 = 0;
}

@json
class Product {
  id: u32 = 0;
  @alias("product name")
  name: string = "";
  price: f64 = 0;
  tags: string[] = [];
  @omitnull()
  origin: Point | null = null;
  @omitif((self: Product) => self.stock == 0)
  stock: i32 = 0;
  available: bool = false;
}

@json
class Order {
  number: u64 = 0;
  customer: string = "";
  lines: Product[] = [];
  counts: Map<string, i32> = new Map<string, i32>();
  path: Point[] = [];
  matrix: f64[][] = [];
  note: JSON.Box<i32> | null = null;
}

@json
class Message {
  kind: string = "";
  body: JSON.Value = JSON.Value.from<i32>(0);
}

let orders: Order[] = [];
let texts: string[] = [];

export function start(seed: u32): void {
  reset(seed);
  for (let i = 0; i < 16; i++) {
    orders.push(order(i));
    texts.push(JSON.stringify(orders[i]));
  }
}

export function step(round: i32): void {
  for (let i = 0; i < 12; i++) {
    roundTrip(below(16));
    unknown();
    message(i);
  }
  if (round % 10 == 5) large();
}

export function finish(): u64 {
  for (let i = 0; i < 16; i++) mixText(texts[i]);
  return digest();
}

/** Bytes that the stub runtime has handed out. */
export function allocated(): usize {
  return heap.alloc(1) - __heap_base;
}

/** The last document written, for the host's own parser. */
export function sample(): string {
  return texts[0];
}

function point(): Point {
  const p = new Point();
  p.x = <f64>(<i32>next()) / 1024;
  p.y = <f64>below(100);
  return p;
}

/** Letters, quotes, line ends, and beyond ASCII. */
function phrase(): string {
  let text = word(8);
  if (below(3) == 0) text += ' "' + word(3) + '"\n\\' + word(2);
  if (below(4) == 0) text += String.fromCharCode(0x20ac) + String.fromCodePoint(0x1f600 + <i32>below(40)) + "\t";
  return text;
}

function product(): Product {
  const p = new Product();
  p.id = next();
  p.name = phrase();
  p.price = <f64>below(100000) / 100;
  for (let n = below(5); n > 0; n--) p.tags.push(word(6));
  if (below(2)) p.origin = point();
  p.stock = <i32>below(4);
  p.available = p.stock > 1;
  safepoint(400);
  return p;
}

function order(n: u32): Order {
  const it = new Order();
  it.number = ((<u64>n) << 32) | next();
  it.customer = phrase();
  for (let i = below(6); i > 0; i--) it.lines.push(product());
  for (let i = below(6); i > 0; i--) it.counts.set(word(4), <i32>next());
  for (let i = below(6); i > 0; i--) it.path.push(point());
  for (let i = below(4); i > 0; i--) it.matrix.push([<f64>i, 0.5, <f64>below(9)]);
  if (below(2)) it.note = new JSON.Box<i32>(<i32>below(1000));
  return it;
}

function roundTrip(slot: u32): void {
  const text = texts[slot];
  const back = JSON.parse<Order>(text);
  safepoint(40);
  const original = orders[slot];
  assert(back.number == original.number && back.customer == original.customer);
  assert(back.lines.length == original.lines.length && back.counts.size == original.counts.size);
  for (let i = 0; i < back.lines.length; i++) {
    const a = back.lines[i];
    const b = original.lines[i];
    assert(a.name == b.name && a.price == b.price && a.tags.join() == b.tags.join());
    const origin = a.origin;
    if (origin) mixFloat(origin.x);
  }
  mixText(JSON.stringify(back));
  assert(JSON.stringify(back) == text);
  if (back.lines.length > 3 || below(3) == 0) orders[slot] = order(slot);
  else {
    back.lines.push(product());
    back.customer += "+";
    orders[slot] = back;
  }
  safepoint(40);
  texts[slot] = JSON.stringify(orders[slot]);
}

/** Text whose shape the program does not know. */
function unknown(): void {
  const obj = JSON.parse<JSON.Obj>(texts[below(16)]);
  safepoint(40);
  const keys = obj.keys();
  for (let i = 0; i < keys.length; i++) {
    mixText(keys[i]);
    mixText(obj.get(keys[i])!.toString());
  }
  const values = JSON.parse<JSON.Value[]>('["a",1.5,true,null,["x",{"y":[2,3]}],{"k":"' + word(9) + '"}]');
  safepoint(40);
  for (let i = 0; i < values.length; i++) mixText(JSON.stringify(values[i]));
  mix(values.length);
}

function message(i: i32): void {
  const it = new Message();
  it.kind = phrase();
  if (i % 3 == 0) it.body = JSON.Value.from<i32>(<i32>next());
  else if (i % 3 == 1) it.body = JSON.Value.from(phrase());
  else it.body = JSON.parse<JSON.Value>('{"list":[1,2,"' + word(4) + '"],"deep":{"deeper":[[],[{}]]}}');
  const text = JSON.stringify(it);
  safepoint(40);
  const back = JSON.parse<Message>(text);
  assert(back.kind == it.kind);
  mixText(JSON.stringify(back));
}

function large(): void {
  const all: Order[] = [];
  for (let i = 0; i < 300; i++) all.push(order(i));
  const text = JSON.stringify(all);
  safepoint(2);
  const back = JSON.parse<Order[]>(text);
  safepoint(2);
  assert(back.length == 300 && back[299].number == all[299].number);
  mix(text.length);
  mixText(JSON.stringify(back.slice(100, 110)));
}
