/**
 * Growth in place and by moving (__renew): arrays by push from nothing to megabytes, length set up and down, maps that
 * double, arrays that hold themselves, an array whose buffer moves while an alias looks on, and raw __renew.
 */
import { below, mix, mixBytes, mixNumbers, mixText, next, safepoint, word } from "./lib";

class Holder {
  list: Array<Holder | null> = [];
  bytes: u8[] = [];
  constructor(public name: string) {}
}

let holders: Holder[] = [];
let refs: string[] = [];
let wide: u64[] = [];

export function start(): void {
  for (let i = 0; i < 30; i++) holders.push(new Holder(word(3)));
}

export function step(round: i32): void {
  for (let i = 0; i < 20; i++) {
    lists();
    raw();
  }
  long(round);
  lengths();
}

export function finish(): void {
  for (let i = 0; i < holders.length; i++) {
    mixText(holders[i].name);
    mixNumbers(holders[i].bytes);
    mix(holders[i].list.length);
  }
  mixText(refs.slice(-50).join());
}

/** Lists that hold their owner, and the owners of other lists. */
function lists(): void {
  const holder = holders[below(30)];
  const list = holder.list;
  for (let n = below(40); n > 0; n--) {
    list.push(n & 1 ? holder : new Holder(word(2)));
    holder.bytes.push(<u8>n);
  }
  safepoint(50);
  assert(holder.list === list);
  mix(list.length);
  for (let i = 0; i < list.length; i += 7) {
    const it = list[i];
    if (it) mixText(it.name);
  }
  if (list.length > 300) {
    holder.list = [holder, holders[below(30)]];
    holder.bytes = holder.bytes.slice(-3);
    safepoint(5);
    for (let i = 0; i < list.length; i++) list[i] = i & 3 ? list[i] : null;
    mixText(list[list.length - 2] ? list[list.length - 2]!.name : "null");
  }
}

/** Arrays that outgrow every size class on their way, of references and of numbers. */
function long(round: i32): void {
  const n = 2000 + <i32>below(30000);
  const before = refs;
  refs = [];
  wide = [];
  for (let i = 0; i < n; i++) {
    refs.push(i & 7 ? (before.length > i ? before[i] : "short") : i.toString());
    wide.push(<u64>i * next());
    if (i % 5000 == 4999) safepoint(4);
  }
  let h: u64 = 0;
  for (let i = 0; i < n; i += 3) h = h * 33 + wide[i] + refs[i].length;
  mix(h + round);
  const index = new Map<string, i32>();
  for (let i = 0; i < n; i += 8) index.set(refs[i], i);
  mix(index.size);
  mix(index.get("1000"));
}

function lengths(): void {
  const list: Array<string | null> = [];
  list.length = <i32>below(5000);
  for (let i = 0; i < list.length; i += 9) list[i] = word(2);
  for (let i = list.length >> 1; i < list.length; i++) list[i] = null; // or they would be there again, dangling
  list.length = list.length >> 1;
  safepoint(4);
  list.length = list.length * 3;
  let n = 0;
  for (let i = 0; i < list.length; i++) if (list[i]) n += list[i]!.length;
  mix(n);
}

/** What std itself does when a buffer grows: the old object stays as it is when the new one is elsewhere. */
function raw(): void {
  const size = <usize>below(2000);
  const old = changetype<ArrayBuffer>(__new(size, idof<ArrayBuffer>()));
  memory.fill(changetype<usize>(old), 0x5a, size);
  const grown = size + <usize>below(below(4) ? 100 : 40000);
  const buffer = changetype<ArrayBuffer>(__renew(changetype<usize>(old), grown));
  safepoint(40);
  assert(<usize>buffer.byteLength == grown);
  const bytes = Uint8Array.wrap(buffer, 0, <i32>size);
  mixBytes(bytes);
}
