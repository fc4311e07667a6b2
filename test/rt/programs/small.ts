/** A program for a memory of one page: strings, arrays, a map, a list, raw blocks and buffers, none of them for long. */

class Item {
  next: Item | null = null;
  constructor(
    public value: f64,
    public name: string,
  ) {}
}

const LAID_OUT: string[] = ["zero", "one", "two"];
let kept: Item | null = null;

/** A digest of what n rounds compute. */
export function run(n: i32): u32 {
  let items: Item[] = [];
  let hash: u32 = 17;
  const index = new Map<string, Item>();
  for (let i = 0; i < n; i++) {
    const item = new Item(i, i.toString());
    item.next = i % 5 ? kept : null;
    kept = item;
    items.push(item);
    if (i % 7 == 0) index.set(item.name, item);
    if (index.size > 20) index.clear();
    if (items.length > 80) items = items.slice(40);
    if (i % 50 == 0) {
      LAID_OUT[i % 3] = LAID_OUT[(i + 1) % 3] + "!";
      if (LAID_OUT[i % 3].length > 60) LAID_OUT[i % 3] = "short";
      const sorted = items.map<string>((it) => it.name).sort();
      hash = hash * 31 + sorted.join(",").length + sorted[0].length;
      const block = heap.alloc(200);
      memory.fill(block, <u8>i, 200);
      const bytes = new Uint8Array(300 + (i & 255));
      bytes[299] = load<u8>(block + 199);
      heap.free(block);
      hash = hash * 31 + bytes[299] + LAID_OUT[(i + 2) % 3].length;
    }
  }
  for (let i = 0; i < items.length; i++) hash = hash * 31 + <u32>items[i].value;
  return hash * 31 + index.size;
}

/** The longest buffer that can be had by steps of 1 KiB. */
export function longest(): i32 {
  let n = 1024;
  while (n < 6 * 1024) n += new ArrayBuffer(n).byteLength > 0 ? 1024 : 0;
  return n;
}

/** Objects of all sizes at once, and the sum of their lengths. */
export function mixture(): i32 {
  const all: ArrayBuffer[] = [];
  let n = 0;
  for (let size = 1; size < 2000; size += size / 8 + 1) all.push(new ArrayBuffer(size));
  for (let i = 0; i < all.length; i++) n += all[i].byteLength;
  return n;
}

/** Static objects in every entry: pinned, unpinned, linked, made longer. Whether all is as it should be. */
export function statics(): bool {
  const p = changetype<usize>(LAID_OUT);
  __pin(p);
  LAID_OUT[0] = "made " + (5).toString();
  __collect();
  new ArrayBuffer(100);
  __unpin(p);
  let same = LAID_OUT[0] == "made 5";
  const text = changetype<usize>("a static text");
  // The compiler leaves room up to the next multiple of 16.
  const longer = changetype<string>(__renew(text, 28));
  same = same && changetype<usize>(longer) == text && longer.length == 14;
  __renew(text, 26);
  const moved = __renew(text, 200);
  same = same && moved != text && changetype<string>(moved).startsWith("a static text");
  __link(p, moved, false);
  __collect();
  return same && LAID_OUT.length == 3;
}

export function drop(): void {
  kept = null;
}
