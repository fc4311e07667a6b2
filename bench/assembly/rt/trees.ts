/**
 * Binary trees, after the benchmark game: a stretch tree of depth n + 1, a tree of depth n that lives throughout, and
 * for each even depth from 4 to n as many trees as make 2^(n + 4) leaves.
 *
 * An operation grows and counts the nodes of one tree of depth 8, or of as many smaller trees; larger trees are joined
 * of subtrees of depth 8, one an operation, and go when they are complete. So all operations allocate about 2^9 nodes,
 * whatever the depth.
 */

import { mix } from "../driver/tally";

export { checksum } from "../driver/tally";

/** Depth of what one operation grows. */
const PIECE: i32 = 8;

const LEAST_DEPTH: i32 = 4;

class Node {
  constructor(
    public left: Node | null,
    public right: Node | null,
  ) {}
}

/** The depth that lives throughout; at least PIECE. */
let depth: i32 = 0;
let kept: Node | null = null;

/** Subtrees that wait for another of their depth, by depth. */
const waiting = new StaticArray<Node | null>(32);

/** The depth that operations are at, and how many are left of it. */
let current: i32 = 0;
let left: i32 = 0;

function grow(levels: i32): Node {
  return levels ? new Node(grow(levels - 1), grow(levels - 1)) : new Node(null, null);
}

function nodes(tree: Node): u32 {
  const first = tree.left;
  const second = tree.right;
  return first && second ? 1 + nodes(first) + nodes(second) : 1;
}

/** Joins a subtree of depth PIECE to those that wait; the tree when it has reached depth `levels`, otherwise null. */
function join(piece: Node, levels: i32): Node | null {
  let tree = piece;
  let level = PIECE;
  while (level < levels) {
    const first = waiting[level];
    if (!first) {
      waiting[level] = tree;
      return null;
    }
    waiting[level++] = null;
    tree = new Node(first, tree);
  }
  return tree;
}

function growWhole(levels: i32): Node {
  while (true) {
    const tree = join(grow(PIECE), levels);
    if (tree) return tree;
  }
}

/** Operations of one depth: 2^(n + 4) leaves by 2^PIECE each. */
function operationsOfDepth(): i32 {
  return 1 << (depth + 4 - PIECE);
}

/** Grows and drops the stretch tree, grows the one that is kept; `n` is the depth, PIECE at least. */
export function setup(n: i32): void {
  depth = n;
  mix(nodes(growWhole(n + 1)));
  kept = growWhole(n);
  current = LEAST_DEPTH;
  left = operationsOfDepth();
}

export function operations(): i32 {
  return operationsOfDepth() * (((depth - LEAST_DEPTH) >> 1) + 1);
}

/** As many nodes as live: 2^(n + 1) of them, 2^(PIECE + 1) an operation. The least interval is for 1 MiB. */
export function interval(): i32 {
  return max(1 << (depth - PIECE), 64);
}

export function operation(): void {
  if (current <= PIECE) {
    for (let i = (1 << (PIECE - current)) - 1; i >= 0; i--) mix(nodes(grow(current)));
  } else {
    const piece = grow(PIECE);
    mix(nodes(piece));
    const tree = join(piece, current);
    // The oldest leaf of a complete tree must be at its depth.
    if (tree) mix(leftmost(tree));
  }
  if (--left) return;
  current += 2;
  left = operationsOfDepth();
}

function leftmost(tree: Node): u32 {
  let levels: u32 = 0;
  let node: Node | null = tree.left;
  while (node) {
    node = node.left;
    levels++;
  }
  return levels;
}

/** Counts the tree that has lived throughout. */
export function finish(): void {
  mix(nodes(kept!));
}
