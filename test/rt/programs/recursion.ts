/**
 * Deep recursion with references in the frames of every level: what a frame holds must outlive the collections of the
 * levels below. A quarter of a megabyte of shadow stack is in use at the deepest point (asconfig.json gives it).
 */
import { below, mix, mixText, next, safepoint, word } from "./lib";

class Tree {
  constructor(
    public key: u32,
    public text: string,
    public left: Tree | null,
    public right: Tree | null,
  ) {}
}

let last = "";
let root: Tree | null = null;

export function start(): void {}

export function step(round: i32): void {
  switch (round % 6) {
    case 0:
      mixText(descend(4000, word(6)).slice(0, 50));
      break;
    case 1:
      mix(even(3000, [word(2)]));
      break;
    case 2:
      root = null;
      for (let i = 0; i < 400; i++) root = insert(root, next());
      mix(sum(root));
      break;
    case 3:
      mixText(merge(texts(300)).join(""));
      break;
    case 4:
      mixText(hanoi(9, "a", "b", "c").slice(-60));
      break;
    case 5:
      mixText(nested(14) + ackermann(2, 5, round.toString()));
  }
}

export function finish(): void {
  mix(sum(root));
  mixText(last);
}

/** Each level makes a string before and uses it after the descent. */
function descend(depth: i32, outer: string): string {
  const mine = outer.slice(0, 4) + depth.toString();
  safepoint(3000);
  if (depth == 0) return mine;
  const inner = descend(depth - 1, mine);
  if ((depth & 255) == 0) last = mine + outer;
  return mine.length > inner.length ? mine : inner;
}

function even(depth: i32, list: string[]): i32 {
  if (depth == 0) return list.length;
  const copy = list.slice(0);
  while (copy.length > 6) copy.shift();
  copy.push(depth.toString());
  const n = odd(depth - 1, copy);
  return n + copy[0].length + list[0].length;
}

function odd(depth: i32, list: string[]): i32 {
  if (depth == 0) return -list.length;
  const mine = [list[list.length - 1], word(1)];
  safepoint(3000);
  return even(depth - 1, mine.concat(list)) + mine[0].length;
}

/** A tree whose path is copied at each insertion: the old version is garbage. */
function insert(tree: Tree | null, key: u32): Tree {
  if (!tree) return new Tree(key, key.toString(), null, null);
  if (key < tree.key) return new Tree(tree.key, tree.text, insert(tree.left, key), tree.right);
  safepoint(9000);
  return new Tree(tree.key, tree.text, tree.left, insert(tree.right, key));
}

function sum(tree: Tree | null): u64 {
  if (!tree) return 0;
  return sum(tree.left) * 3 + sum(tree.right) + <u64>tree.key + <u64>tree.text.length;
}

function texts(n: i32): string[] {
  const list = new Array<string>();
  for (let i = 0; i < n; i++) list.push(word(3));
  return list;
}

/** Merge sort by new arrays. */
function merge(list: string[]): string[] {
  if (list.length < 2) return list;
  const a = merge(list.slice(0, list.length >> 1));
  const b = merge(list.slice(list.length >> 1));
  safepoint(500);
  const out = new Array<string>();
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (j >= b.length || (i < a.length && a[i] <= b[j])) out.push(a[i++]);
    else out.push(b[j++]);
  }
  return out;
}

function hanoi(n: i32, from: string, to: string, via: string): string {
  if (n == 0) return "";
  const moves = hanoi(n - 1, from, via, to) + from + to + hanoi(n - 1, via, to, from);
  return moves.length > 200 ? moves.slice(-200) : moves;
}

/** Several temporaries of one expression are live across the calls of the others. */
function nested(depth: i32): string {
  if (depth == 0) return word(2);
  safepoint(4000);
  const text = pick(nested(depth - 1) + word(1), pick(word(3) + "x", nested(depth - 2 < 0 ? 0 : depth - 2)));
  return text.length > 30 ? text.slice(5, 20) : text;
}

function pick(a: string, b: string): string {
  return a < b ? a + b : b + a;
}

function ackermann(m: i32, n: i32, trail: string): string {
  if (m == 0) return trail.slice(-20) + (n + 1).toString();
  if (n == 0) return ackermann(m - 1, 1, trail + "-");
  const inner = ackermann(m, n - 1, trail + "+");
  safepoint(5000);
  return ackermann(m - 1, inner.length % 5, inner + trail.slice(-3));
}
