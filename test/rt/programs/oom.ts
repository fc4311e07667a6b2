/** The end of memory, reached in every way that a program has; and data that must be intact afterwards. */
export { alloc, realloc, free } from "./outside";

class Record {
  next: Record | null = null;
  bytes: Uint8Array;
  constructor(
    public id: u32,
    n: i32,
  ) {
    this.bytes = new Uint8Array(n);
    this.bytes.fill(<u8>(id * 7));
  }
}

let records: Record[] = [];
const keys: string[] = [];
const names = new Map<string, Record>();
type Rows = Array<string[] | null>;

class Holder {
  rows: Rows | null = null;
  other: Holder | null = null;
}

/** Arrays that the compiler lays out; of heap objects' alone once prepareWide() has run. */
let rows: Rows = [null, null, null, null];
let row0: string[] = ["a", "b"];
let row1: string[] = ["c", "d"];
let row2: string[] = ["e", "f"];
let row3: string[] = ["g", "h"];
let wide: Holder[] = [];
let hoard: Record | null = null;
let hoarded: u32 = 0;

/** Data of some 200 KB, linked every way. */
export function prepare(): void {
  for (let i: u32 = 0; i < 500; i++) {
    const record = new Record(i, <i32>((i * 37) % 700));
    record.next = i ? records[(i * 13) % i] : null;
    records.push(record);
    keys.push("record " + i.toString());
    names.set(keys[i], record);
  }
}

/** The number of records that are as prepare() made them; 500. Allocates nothing. */
export function intact(): i32 {
  let n = 0;
  for (let i: u32 = 0; i < 500; i++) {
    const record = names.get(keys[i]);
    let same = record === records[i] && record.id == i && record.bytes.length == <i32>((i * 37) % 700);
    for (let j = 0; j < record.bytes.length; j++) same = same && record.bytes[j] == <u8>(i * 7);
    if (i) same = same && record.next === records[(i * 13) % i];
    if (same) n++;
  }
  return n;
}

/**
 * More objects side by side than a marker's queue holds in little memory, each with a way to static objects behind static
 * objects, at whose end are texts of the heap.
 */
export function prepareWide(): void {
  assert(changetype<usize>(rows) < __heap_base && changetype<usize>(row3) < __heap_base);
  rows[0] = row0;
  rows[1] = row1;
  rows[2] = row2;
  rows[3] = row3;
  row0 = row1 = row2 = row3 = new Array<string>();
  for (let i = 0; i < 8; i++) rows[i >> 1]![i & 1] = "row " + (i + 10).toString();
  for (let i = 0; i < 6000; i++) {
    const holder = new Holder();
    holder.rows = rows;
    holder.other = i & 7 ? null : new Holder();
    wide.push(holder);
  }
  rows = [];
}

/** Texts of the static rows that are as prepareWide() made them; 8. Allocates nothing. */
export function wideIntact(): i32 {
  let n = 0;
  const rows = wide[wide.length >> 1].rows!;
  for (let i = 0; i < 8; i++) {
    const text = rows[i >> 1]![i & 1];
    if (text.length == 6 && text.startsWith("row 1") && text.charCodeAt(5) == 48 + i) n++;
  }
  return n;
}

/** An object of this many bytes by the runtime's own call. */
export function raw(bytes: usize): usize {
  return __new(bytes, idof<ArrayBuffer>());
}

export function buffer(bytes: i32): i32 {
  return new ArrayBuffer(bytes).byteLength;
}

export function staticArray(length: i32): i32 {
  return new StaticArray<u64>(length).length;
}

export function text(times: i32): i32 {
  return "0123456789abcdef".repeat(times).length;
}

/** A string that doubles until there is no memory for it. */
export function doubling(): i32 {
  let t = "ab";
  for (let i = 0; i < 40; i++) t += t;
  return t.length;
}

/** An array whose buffer moves until there is no memory for it. */
export function pushing(): i32 {
  const list: u64[] = [];
  for (let i = 0; i < 1 << 30; i++) list.push(i);
  return list.length;
}

/** Small objects that stay, until there is no memory. */
export function hoarding(bytes: i32): void {
  for (let i: u32 = 0; i < 1 << 30; i++) {
    const record = new Record(hoarded, bytes);
    record.next = hoard;
    hoard = record;
    hoarded++;
  }
}

/** How many records the hoard has by now, each of them checked. */
export function hoardSize(): u32 {
  let n: u32 = 0;
  let it = hoard;
  while (it) {
    assert(it.id == hoarded - 1 - n);
    const bytes = it.bytes;
    for (let i = 0; i < bytes.length; i++) assert(bytes[i] == <u8>(it.id * 7));
    n++;
    it = it.next;
  }
  return n;
}

/**
 * For the host after a call that did not return: what the frames of that call held is let go. The compiler's shadow
 * stack is unwound by returning alone.
 */
export function unwind(): void {
  if (ASC_RUNTIME == 2) __stack_pointer = __heap_base;
}

/** Cycles whose queue found no memory, where the runtime tells. */
export function overflows(): f64 {
  if (isDefined(__gcStat)) return __gcStat(12);
  return -1;
}

export function release(): void {
  hoard = null;
  hoarded = 0;
}

/** Garbage of this many bytes, in objects of all sizes, of which none lives long. */
export function garbage(bytes: u32): void {
  let n: u32 = 0;
  let size: u32 = 1;
  while (n < bytes) {
    n += <u32>new Uint8Array(<i32>size).length + 40;
    size = (size * 5 + 3) & 0x3fff;
  }
}

/** Buffers of one size that die at once, each overwritten whole. */
export function smallGarbage(bytes: i32, n: i32): void {
  for (let i = 0; i < n; i++) memory.fill(changetype<usize>(new ArrayBuffer(bytes)), 0xff, bytes);
}
