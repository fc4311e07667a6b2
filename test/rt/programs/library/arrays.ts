/** Array and StaticArray: every method that makes, moves or drops references, with collections in between. */
import { collect, fresh, say } from "./say";

class Ref {
  constructor(public n: i32) {}
}

function refs(n: i32): Ref[] {
  const list = new Array<Ref>();
  for (let i = 0; i < n; i++) list.push(new Ref(i));
  return list;
}

function show(list: Ref[]): string {
  return "[" + list.map<string>((ref) => ref.n.toString()).join(" ") + "]";
}

function growing(): void {
  const list: string[] = [];
  for (let i = 0; i < 300; i++) {
    list.push(fresh("s", i));
    if (i % 64 == 0) collect();
  }
  say("push", list.length.toString() + " " + list[0] + " " + list[299]);
  while (list.length > 3) list.pop();
  collect();
  say("pop", list.join(","));
  for (let i = 0; i < 50; i++) list.unshift(fresh("u", i));
  collect();
  say("unshift", list.slice(0, 4).join(",") + " " + list.length.toString());
  let shifted = "";
  for (let i = 0; i < 48; i++) shifted = list.shift();
  collect();
  say("shift", shifted + " " + list.join(","));
  list.length = 2;
  list.length = 4;
  list[2] = fresh("a", 1);
  list[3] = fresh("b", 2);
  collect();
  say("length", list.join(","));
}

function moving(): void {
  let list = refs(20);
  collect();
  say("splice", show(list.splice(5, 10)) + show(list));
  list = list.concat(refs(3));
  collect();
  say("concat", show(list));
  list.copyWithin(0, 8, 11);
  collect();
  say("copyWithin", show(list));
  list.reverse();
  collect();
  say("reverse", show(list));
  list.fill(new Ref(99), 2, 5);
  collect();
  say("fill", show(list));
  const few = list.filter((ref) => ref.n % 2 == 1);
  list = refs(0);
  collect();
  say("filter", show(few));
  const nested: Ref[][] = [refs(2), refs(3), refs(0), refs(1)];
  collect();
  say("flat", show(nested.flat()));
  say(
    "reduce",
    few.reduce<string>((text, ref) => text + ref.n.toString() + ";", "") +
      few.reduceRight<i32>((sum, ref) => sum * 3 + ref.n, 1).toString(),
  );
  say("find", few.findIndex((ref) => ref.n == 99).toString() + few.some((ref) => ref.n < 0).toString());
}

function sorting(): void {
  const n = [0, 1, 2, 3, 10, 47, 48, 49, 300];
  for (let k = 0; k < n.length; k++) {
    const list = refs(n[k]);
    for (let i = 0; i < list.length; i++) list[i].n = (i * 7919 + 13) % 1009;
    list.sort((a, b) => a.n - b.n);
    collect();
    let inOrder = true;
    for (let i = 1; i < list.length; i++) inOrder = inOrder && list[i - 1].n <= list[i].n;
    say("sort", list.length.toString() + " " + inOrder.toString());
  }
  const words = ["pear", "fig", "apple", "date", "cherry", "banana"].map<string>((word, i) => fresh(word, i));
  words.sort();
  collect();
  say("sort of strings", words.join(" "));
  const numbers: f64[] = [3.5, -0.0, NaN, 0.0, -1.25, Infinity, -Infinity, 2.0];
  numbers.sort();
  say("sort of numbers", numbers.join(" "));
}

function texts(): void {
  say("join", [1.5, -2.25, 1e21, NaN].join("|") + " " + [true, false].join("") + " " + [<u8>255, 0].join("+"));
  say("toString", [["a", "b"], ["c"]].toString() + " " + ([] as i32[]).toString());
  const holes: Array<string | null> = [null, "x", null];
  collect();
  say("nulls", holes.join(",") + holes.includes(null).toString() + holes.indexOf("x").toString());
  say("literals", [[1, 2], [3]].map<i32>((inner) => inner.length).join());
}

function fixed(): void {
  const list = new StaticArray<Ref>(5);
  for (let i = 0; i < 5; i++) list[i] = new Ref(i * i);
  collect();
  const slice = list.slice<Ref[]>(1, 4);
  const both = list.concat<Ref[]>(slice);
  collect();
  say("StaticArray", show(slice) + show(both) + StaticArray.fromArray<Ref>(both).length.toString());
  const copy = StaticArray.slice<Ref>(list, -2);
  copy.reverse();
  collect();
  say("StaticArray.slice", copy[0].n.toString() + " " + copy[1].n.toString() + " " + list[4].n.toString());
}

export function run(): void {
  growing();
  moving();
  sorting();
  texts();
  fixed();
}
