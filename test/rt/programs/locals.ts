/**
 * Objects that nothing but a local, a parameter, `this` or a temporary holds while collections run: the shadow stack
 * is their only root. Every object's text is read after the collection that would have taken it.
 */
import { below, mix, mixText, next, safepoint, word } from "./lib";

class Box {
  inner: Box | null = null;
  constructor(public text: string) {}
  wrap(): Box {
    const box = new Box(this.text + "w");
    box.inner = this;
    return box;
  }
  /** The receiver is a temporary of the caller. */
  tell(): string {
    churn(20);
    safepoint(20);
    return this.text;
  }
  get deep(): string {
    safepoint(50);
    const inner = this.inner;
    return inner ? inner.deep + this.text.charAt(0) : this.text;
  }
}

let field: Box | null = null;

export function start(): void {}

export function step(round: i32): void {
  for (let i = 0; i < 30; i++) {
    receivers();
    mixText(parameters(new Box(word(3)), make(2), word(5) + word(5)));
    reassigned();
    branches(i);
    mixText(early(below(4)));
    taken();
    deferred(round);
  }
}

export function finish(): void {
  mixText(field!.deep);
}

/** Garbage in sizes that reuse the places of what died. */
function churn(n: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    const box = new Box("garbage");
    box.inner = i & 1 ? new Box(next().toString()) : null;
  }
}

function make(depth: i32): Box {
  let box = new Box(word(4));
  for (let i = 0; i < depth; i++) box = box.wrap();
  return box;
}

function receivers(): void {
  mixText(new Box(word(6)).tell());
  mixText(make(3).inner!.wrap().inner!.tell() + make(1).deep);
  mixText([make(1), make(2)][below(2)].tell());
}

function parameters(a: Box, b: Box, text: string): string {
  churn(10);
  safepoint(20);
  const sum = a.text + text;
  a = b;
  churn(10);
  safepoint(20);
  return sum + a.deep + b.inner!.text + text;
}

/** The old value of a local is garbage, the new one is not, in the middle of its making too. */
function reassigned(): void {
  let box = make(0);
  let other = box;
  for (let n = below(12); n > 0; n--) {
    if (n & 1) other = box;
    box = below(4) ? box.wrap() : new Box(box.tell());
    safepoint(60);
  }
  mixText(other.deep);
  mixText(box.deep);
}

function branches(i: i32): void {
  const box = i % 3 == 0 ? make(1) : i % 3 == 1 ? null : new Box("b" + i.toString());
  churn(5);
  safepoint(20);
  const shown = box || make(2);
  churn(5);
  safepoint(20);
  mixText(shown.text + (box && box.inner ? box.inner!.text : "none"));
  switch (i & 3) {
    case 0: {
      const a = word(3);
      safepoint(20);
      mixText(a);
    }
    case 1: {
      const b = word(4);
      safepoint(20);
      mixText(b + shown.deep);
      break;
    }
    default: {
      mixText(shown.tell());
    }
  }
}

function early(kind: u32): string {
  const a = make(1);
  if (kind == 0) return a.tell();
  const b = a.wrap();
  safepoint(20);
  if (kind == 1) return b.inner!.inner!.text;
  let c = b.wrap();
  while (below(3)) {
    safepoint(20);
    churn(3);
    c = b.wrap();
  }
  return c.deep;
}

/** Out of a field into a local, the field then cleared or overwritten: the barrier's hard case. */
function taken(): void {
  const before = field;
  field = null;
  churn(15);
  safepoint(10);
  const fresh = make(1);
  fresh.inner = before;
  field = before && before.deep.length > 60 ? new Box(before.deep.slice(0, 10)) : fresh;
  const list = [make(0), make(1), make(2)];
  const held = list[1];
  list[1] = fresh;
  safepoint(10);
  churn(15);
  mixText(held.deep + list.pop().deep);
  mixText(list.shift().tell());
}

/** A compound assignment evaluates its target before its allocating right side. */
function deferred(round: i32): void {
  const texts = [word(3), word(3)];
  texts[below(2)] += make(1).tell() + round.toString();
  const box = make(1);
  box.inner!.text = box.wrap().tell() + texts[0];
  make(1).inner = make(0);
  const rows = [[word(1)], [word(2)]];
  rows[below(2)][0] = new Box(texts[1]).tell();
  mixText(rows[0][0] + rows[1][0] + box.deep);
  mix(texts[0].length);
}
