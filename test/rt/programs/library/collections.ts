/** Map and Set with keys of all kinds, and everything that iterates over them. */
import { collect, fresh, say } from "./say";

class Key {
  constructor(public n: i32) {}
}

function ofStrings(): void {
  const map = new Map<string, string>();
  for (let i = 0; i < 500; i++) {
    map.set(fresh("key", i), fresh("value", i));
    if (i % 100 == 0) collect();
  }
  for (let i = 0; i < 500; i += 3) map.delete("key" + i.toString());
  collect();
  say("Map", map.size.toString() + " " + map.has("key3").toString() + " " + map.get("key400"));
  const keys = map.keys();
  const values = map.values();
  map.clear();
  collect();
  say("keys", keys.slice(0, 4).join(" ") + " " + keys.length.toString());
  say("values", values.slice(-4).join(" "));
  map.set("again", "there");
  say("after clear", map.size.toString() + map.get("again"));
}

function ofNumbers(): void {
  const map = new Map<f64, Key>();
  const numbers: f64[] = [0, -0.0, NaN, 1.5, Infinity, -Infinity, 1e300];
  for (let i = 0; i < numbers.length; i++) map.set(numbers[i], new Key(i));
  collect();
  let text = "";
  for (let i = 0; i < numbers.length; i++) text += map.has(numbers[i]) ? map.get(numbers[i]).n.toString() : "-";
  say("Map of f64", text + " " + map.size.toString());
  const small = new Map<u8, i64>();
  for (let i = 0; i < 1000; i++) small.set(<u8>i, i);
  say("Map of u8", small.size.toString() + " " + small.get(5).toString());
}

function ofObjects(): void {
  const first = new Key(1);
  const map = new Map<Key, Map<string, Key[]>>();
  map.set(first, new Map<string, Key[]>());
  for (let i = 0; i < 60; i++) map.set(new Key(i + 2), new Map<string, Key[]>());
  map.get(first).set("list", [first, new Key(7)]);
  collect();
  say("Map of objects", map.size.toString() + " " + map.get(first).get("list")[1].n.toString());
  const set = new Set<string>();
  for (let i = 0; i < 300; i++) set.add(fresh("m", i % 70));
  for (let i = 0; i < 300; i += 7) set.delete("m" + i.toString());
  collect();
  const members = set.values();
  say(
    "Set",
    set.size.toString() + " " + members.length.toString() + " " + members[0] + " " + members[members.length - 1],
  );
  set.clear();
  say("Set after clear", set.size.toString() + set.has("m1").toString());
}

export function run(): void {
  ofStrings();
  ofNumbers();
  ofObjects();
}
