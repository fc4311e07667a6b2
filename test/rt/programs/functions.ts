/**
 * Functions as values: tables of them in arrays, maps and fields, calls through them with managed arguments and
 * results, and globals standing in for what closures would hold (AssemblyScript has none).
 */
import { below, mix, mixText, next, safepoint, word } from "./lib";

type Binary = (a: string, b: string) => string;
type Make = (seed: u32) => Node;

class Node {
  run: Binary = join;
  constructor(
    public text: string,
    public left: Node | null,
    public right: Node | null,
  ) {}
  evaluate(): string {
    const l = this.left;
    const r = this.right;
    return this.run(l ? l.evaluate() : this.text, r ? r.evaluate() : this.text).slice(0, 40);
  }
}

class Task {
  constructor(
    public action: (task: Task) => string,
    public subject: string,
  ) {}
}

let captured: string = "";
let seen: string[] = [];
const makers: Make[] = [leaf, pair, (seed) => new Node("lambda" + seed.toString(), leaf(seed + 1), null)];
const operators = new Map<string, Binary>();
let queue: Task[] = [];
let trees: Node[] = [];

export function start(): void {
  operators.set("join", join);
  operators.set("weave", weave);
  operators.set("later", (a, b) => (a > b ? a.concat(b) : b.concat(a)));
  for (let i = 0; i < 40; i++) trees.push(leaf(i));
}

export function step(round: i32): void {
  for (let i = 0; i < 40; i++) {
    trees[below(40)] = makers[below(3)](next());
    const tree = grow(below(5));
    trees[below(40)] = tree;
    safepoint(50);
    mixText(tree.evaluate());
  }
  capture(round);
  work();
}

export function finish(): void {
  for (let i = 0; i < 40; i++) mixText(trees[i].evaluate());
  mixText(seen.join("."));
}

function join(a: string, b: string): string {
  safepoint(900);
  return a + "(" + b + ")";
}

function weave(a: string, b: string): string {
  let out = "";
  for (let i = 0; i < min(a.length, b.length); i++) out += a.charAt(i) + b.charAt(i);
  return out;
}

function leaf(seed: u32): Node {
  return new Node(seed.toString(), null, null);
}

function pair(seed: u32): Node {
  return new Node(word(3), leaf(seed), leaf(seed >> 1));
}

function grow(depth: u32): Node {
  if (depth == 0) return makers[below(3)](below(1000));
  const node = new Node(word(5), grow(depth - 1), grow(depth - 1));
  const names = operators.keys();
  node.run = operators.get(names[below(<u32>names.length)]);
  return node;
}

/** The callback reads and replaces a global while the method that calls it runs. */
function capture(round: i32): void {
  captured = "round " + round.toString();
  const texts = [word(3), word(4), word(5), word(6)];
  texts.forEach((text, i, all) => {
    captured = captured + text + all[(i + 1) & 3];
    safepoint(100);
  });
  seen.push(captured);
  if (seen.length > 100) seen = seen.slice(60);
  texts.sort((a, b) => {
    const x = a + b;
    safepoint(100);
    return x < b + a ? -1 : 1;
  });
  mixText(texts.toString());
}

/** Tasks that add tasks; a task that runs is held by the call alone. */
function work(): void {
  queue.push(new Task(shout, word(8)));
  for (let n = 0; n < 200 && queue.length > 0; n++) {
    const task = queue.shift();
    mixText(task.action(task));
  }
  mix(queue.length);
  queue.length = min(queue.length, 10);
}

function shout(task: Task): string {
  queue.push(new Task(split, task.subject + "!"));
  safepoint(100);
  return task.subject.toUpperCase();
}

function split(task: Task): string {
  const half = task.subject.length >> 1;
  if (half > 0) {
    queue.push(new Task(shout, task.subject.slice(half)));
    queue.push(new Task(split, task.subject.slice(0, half)));
  }
  safepoint(100);
  return task.subject;
}
