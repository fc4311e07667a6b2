/**
 * Map and Set with keys of text, integers, floats and objects: churn, deletion, growth and the rehash that gets rid of
 * deleted entries, clear, iteration by keys() and values(). An object as key is compared by address, but entries keep
 * the order of insertion, so nothing here depends on the addresses.
 */
import { below, mix, mixFloat, mixNumbers, mixText, next, safepoint, word } from "./lib";

class Key {
  constructor(public id: u32) {}
}

class Value {
  seen: u32 = 0;
  owner: Key | null = null;
  constructor(public text: string) {}
}

const byText = new Map<string, Value>();
const byNumber = new Map<i32, string>();
const byFloat = new Map<f64, u64>();
const byObject = new Map<Key, Value>();
const members = new Set<string>();
const objects = new Set<Key>();
let keys: Key[] = [];
let made: u32 = 0;

export function start(): void {}

export function step(round: i32): void {
  for (let i = 0; i < 120; i++) {
    text();
    integer();
    float();
    object();
    set();
  }
  iterate(round);
}

export function finish(): void {
  iterate(-1);
  mixText(byNumber.values().join(","));
  mixText(members.values().join(","));
}

function text(): void {
  const key = word(3);
  if (byText.has(key)) {
    const value = byText.get(key);
    if (++value.seen > 3) mix(byText.delete(key) ? 1 : 0);
    safepoint(300);
    mixText(value.text);
  } else {
    byText.set(key, new Value(key + next().toString()));
    safepoint(300);
  }
}

function integer(): void {
  const key = <i32>below(700) - 350;
  if (below(3)) byNumber.set(key, next().toString(16));
  else mix(byNumber.delete(key) ? 1 : 0);
  if (byNumber.has(key)) mixText(byNumber.get(key));
}

function float(): void {
  const key = <f64>below(400) / 8.0;
  byFloat.set(key, byFloat.has(key) ? byFloat.get(key) + 1 : 1);
  if (byFloat.size > 300) byFloat.clear();
}

/** Keys that only the map holds, once they have left the list, must stay in it. */
function object(): void {
  const key = new Key(++made);
  const value = new Value("v" + made.toString());
  value.owner = key;
  byObject.set(key, value);
  objects.add(key);
  if (keys.length < 200) keys.push(key);
  else {
    const at = below(200);
    const old = keys[at];
    keys[at] = key;
    if (below(4)) {
      const gone = byObject.get(old);
      safepoint(300);
      mix(byObject.delete(old) ? 1 : 0);
      mix(objects.delete(old) ? 1 : 0);
      mixText(gone.text);
      assert(gone.owner === old);
    }
  }
  if (byObject.size > 900) {
    byObject.clear();
    objects.clear();
    keys = [];
  }
}

function set(): void {
  members.add(word(2));
  if (members.size > 400) {
    const all = members.values();
    for (let i = 0; i < all.length; i += 2) members.delete(all[i]);
    safepoint(10);
    mixText(all.join(""));
  }
}

function iterate(round: i32): void {
  const names = byText.keys();
  const values = byText.values();
  safepoint(4);
  for (let i = 0; i < names.length; i++) {
    mixText(names[i]);
    mixText(values[i].text);
    mix(values[i].seen);
  }
  const owners = byObject.keys();
  for (let i = 0; i < owners.length; i++) {
    assert(byObject.get(owners[i]).owner === owners[i]);
    mix(owners[i].id);
  }
  mixNumbers(byNumber.keys());
  const floats = byFloat.keys();
  for (let i = 0; i < floats.length; i++) mixFloat(floats[i] * <f64>byFloat.get(floats[i]));
  mix(objects.size + members.size * 1000 + round);
  if (round % 20 == 19) byText.clear();
}
