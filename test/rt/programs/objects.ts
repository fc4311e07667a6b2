/**
 * Classes: inheritance, interfaces, virtual calls, generics, fields of every width next to references, cycles of
 * objects that die together, classes that only a subclass gives references.
 */
import { below, mix, mixFloat, mixText, mixTextOrNull, next, safepoint, word } from "./lib";

interface Drawable {
  draw(depth: i32): string;
}

interface Sized {
  readonly area: f64;
}

abstract class Shape implements Drawable, Sized {
  parent: Group | null = null;
  tag: u8 = 0;
  constructor(public name: string) {}
  abstract get area(): f64;
  draw(depth: i32): string {
    return "<" + this.name + depth.toString() + ">";
  }
}

class Circle extends Shape {
  private r: f64;
  constructor(name: string, r: f64) {
    super(name);
    this.r = r;
  }
  get area(): f64 {
    return this.r * this.r * 3;
  }
}

class Label extends Circle {
  flag: bool = true;
  text: string | null = null;
  wide: u64 = 0;
  lines: string[] = [];
  narrow: i16 = 0;
  draw(depth: i32): string {
    safepoint(500);
    const text = this.text;
    return super.draw(depth) + (text ? text : "?") + this.lines.join("\n");
  }
}

/** Its members point back at it: cycles that die as a whole. */
class Group extends Shape {
  members: Shape[] = [];
  first: Shape | null = null;
  add(shape: Shape): this {
    shape.parent = this;
    this.members.push(shape);
    if (!this.first) this.first = shape;
    return this;
  }
  get area(): f64 {
    let sum = 0.0;
    for (let i = 0; i < this.members.length; i++) sum += this.members[i].area;
    return sum;
  }
  draw(depth: i32): string {
    let text = super.draw(depth);
    for (let i = 0; i < this.members.length; i++) text += this.members[i].draw(depth + 1);
    return text;
  }
}

/** A ring whose every node holds its own text. */
class Link<T> {
  next!: Link<T>;
  prev!: Link<T>;
  constructor(public value: T) {
    this.next = this;
    this.prev = this;
  }
  insert(value: T): Link<T> {
    const link = new Link<T>(value);
    safepoint(400);
    link.next = this.next;
    link.prev = this;
    this.next.prev = link;
    this.next = link;
    return link;
  }
  remove(): T {
    this.prev.next = this.next;
    this.next.prev = this.prev;
    return this.value;
  }
}

/** Objects without a byte have nothing but their identity. */
class Token {}

const GROUPS = 24;
const TOKENS = 200;
let tokens: Token[] = [];
const known = new Map<Token, u32>();
const empties: ArrayBuffer[] = [];
let groups: Group[] = [];
let ring: Link<string> = new Link<string>("");
let pairs: Link<Drawable> | null = null;

export function start(): void {
  for (let i = 0; i < GROUPS; i++) groups.push(new Group("g" + i.toString()));
}

export function step(round: i32): void {
  for (let i = 0; i < 60; i++) {
    const group = groups[below(GROUPS)];
    group.add(shape());
    if (group.members.length > 12) replace();
    turn();
  }
  token();
  look(round);
}

export function finish(): void {
  for (let i = 0; i < GROUPS; i++) {
    mixText(groups[i].draw(0));
    mixFloat(groups[i].area);
  }
}

/** Each token is in the map under its own number, and equal to no other; neither is a buffer of no bytes. */
function token(): void {
  for (let i = 0; i < 20; i++) {
    const fresh = new Token();
    assert(!known.has(fresh));
    if (tokens.length < TOKENS) {
      known.set(fresh, <u32>tokens.length);
      tokens.push(fresh);
      empties.push(new ArrayBuffer(0));
    } else {
      const at = below(TOKENS);
      mix(known.get(tokens[at]));
      known.delete(tokens[at]);
      known.set(fresh, at);
      tokens[at] = fresh;
      const buffer = new ArrayBuffer(0);
      assert(!empties.includes(buffer) && empties[at].byteLength == 0);
      empties[at] = buffer;
    }
    safepoint(300);
  }
}

function shape(): Shape {
  const kind = below(4);
  if (kind == 0) return new Circle(word(3), <f64>below(10));
  if (kind == 1) return new Group("in").add(new Circle(word(2), 1)).add(label());
  return label();
}

function label(): Label {
  const it = new Label(word(5), 2);
  it.text = below(3) ? next().toString() : null;
  it.wide = ((<u64>next()) << 32) | next();
  it.narrow = <i16>next();
  for (let n = below(3); n > 0; n--) it.lines.push(word(4));
  return it;
}

/** A group may become a member of another: trees, and sometimes deep ones. */
function replace(): void {
  const at = below(GROUPS);
  const old = groups[at];
  groups[at] = new Group(word(2));
  safepoint(20);
  mixTextOrNull(old.first ? old.first!.name : null);
  if (below(3) == 0 && old.members.length < 30) groups[at].add(old);
  else if (old.members.length) mix(old.members[0].parent === old ? 1 : 2);
}

function turn(): void {
  ring = ring.insert(word(4));
  for (let n = below(5); n > 0; n--) ring = ring.next;
  if (below(5) < 4) {
    const gone = ring.next;
    if (gone !== ring) mixText(gone.remove());
  }
}

function look(round: i32): void {
  const drawables: Drawable[] = [];
  for (let i = 0; i < GROUPS; i++) drawables.push(groups[i]);
  const link = new Link<Drawable>(label());
  if (pairs) link.insert(pairs!.value);
  pairs = link;
  for (let i = 0; i < GROUPS; i++) {
    const text = drawables[i].draw(round & 7);
    mix(text.length);
    mixText(text.slice(0, 64));
    const group = groups[i];
    for (let j = 0; j < group.members.length; j++) {
      const member = group.members[j];
      if (member instanceof Label) {
        const it = member as Label;
        mixTextOrNull(it.text);
        mix(it.wide ^ (<u64>it.narrow));
        mix(it.flag ? 1 : 0);
      } else if (member instanceof Circle) mixFloat(member.area);
    }
  }
  mixText(pairs!.next.value.draw(9));
}
