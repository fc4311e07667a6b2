/**
 * JSON: a document of n records, an array of objects of some 600 characters each, is parsed into objects, arrays, maps
 * and strings, and written back, PASSES times. An operation parses one record, or writes one: the parser stands between
 * two elements of the outermost array in the meantime. While a document is being written, all of it lives; it goes when
 * the next pass begins. What is written must be what was read.
 */

import { below, seed } from "../driver/prng";
import { mix } from "../driver/tally";
import { Parser } from "./parser";
import { hash } from "./text";
import { List, quoted } from "./values";

export { checksum } from "../driver/tally";

const PASSES: i32 = 10;
const PLACES: StaticArray<string> = ["north", "south", 'a "quoted" place', "back\\slash", "two\nlines", "west", "east"];

let size: i32 = 0;
let source: string = "";
let parser: Parser = new Parser("");
let root: List = new List();
/** Hash of each record's text in the source. */
let expected: StaticArray<u32> = [];
/** The next record, to be parsed in the first half of a pass and to be written in the second. */
let at: i32 = 0;
let writing: bool = false;

/** A number that is not whole: 1.0 would come back as 1. */
function fraction(): string {
  return (<f64>below(1 << 20) / 64 + 0.0078125).toString();
}

function point(): string {
  return '{"x":' + fraction() + ',"y":' + fraction() + ',"at":' + below(100_000).toString() + "}";
}

function record(id: i32): string {
  const parts = new Array<string>();
  parts.push('{"id":' + id.toString());
  parts.push(',"name":' + quoted("record " + below(1_000_000).toString(36)));
  parts.push(',"active":' + (below(2) ? "true" : "false") + ',"parent":null');
  parts.push(',"score":' + fraction());
  parts.push(',"tags":[');
  const tags = 2 + <i32>below(5);
  for (let i = 0; i < tags; i++) parts.push((i ? "," : "") + quoted(PLACES[below(PLACES.length)]));
  parts.push('],"path":[');
  const points = 6 + <i32>below(5);
  for (let i = 0; i < points; i++) parts.push((i ? "," : "") + point());
  parts.push('],"owner":{"name":' + quoted("owner " + below(1000).toString()));
  parts.push(',"address":{"street":' + quoted(PLACES[below(PLACES.length)] + " street"));
  parts.push(',"number":' + below(200).toString() + ',"empty":[],"none":{}}}}');
  return parts.join("");
}

/** Makes a document of `n` records. */
export function setup(n: i32): void {
  seed(1);
  size = n;
  expected = new StaticArray<u32>(n);
  const records = new Array<string>(n);
  for (let i = 0; i < n; i++) {
    records[i] = record(i);
    expected[i] = hash(records[i]);
  }
  source = "[" + records.join(",") + "]";
  begin();
}

/** A new pass: the document of the last one goes. */
function begin(): void {
  parser = new Parser(source);
  parser.expect(0x5b);
  root = new List();
  at = 0;
  writing = false;
}

export function operations(): i32 {
  return size * 2 * PASSES;
}

/** As many bytes as the document and its source; writing makes more of them than parsing. The least is for 1 MiB. */
export function interval(): i32 {
  return max(size, 100);
}

export function operation(): void {
  if (writing) {
    const out = new Array<string>();
    root.items[at].write(out);
    const sum = hash(out.join(""));
    if (sum != expected[at]) unreachable();
    mix(sum);
    if (++at == size) begin();
    return;
  }
  root.items.push(parser.value());
  if (++at < size) {
    parser.expect(0x2c);
    return;
  }
  parser.expect(0x5d);
  writing = true;
  at = 0;
}

/** Nothing is left when all passes are done. */
export function finish(): void {
  mix(at);
}
