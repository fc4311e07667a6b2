// Objects, closures, arrays and maps that come and go. `size` scales the work.

let seed = 7;
function random(n) {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
  return (seed >>> 8) % n;
}

function grow(depth) {
  return depth ? { left: grow(depth - 1), right: grow(depth - 1), depth } : { depth: 0 };
}
const count = (tree) => (tree.left ? 1 + count(tree.left) + count(tree.right) : 1);

let nodes = 0;
for (let i = 0; i < size; i++) nodes += count(grow(10 + (i % 3)));
print("trees", nodes);

const live = new Map();
let made = 0;
for (let i = 0; i < size * 4000; i++) {
  const key = random(5000);
  if (random(3)) {
    const list = Array.from({ length: random(12) }, (_, j) => ({ j, key }));
    live.set(key, { list, sum: () => list.reduce((s, e) => s + e.j, key) });
    made++;
  } else {
    live.delete(key);
  }
}
let sum = 0;
for (const entry of live.values()) sum += entry.sum();
print("map", made, live.size, sum);

const words = [];
for (let i = 0; i < size * 1500; i++) words.push(`w${random(900).toString(36)}${"x".repeat(random(6))}`);
const tally = {};
for (const word of words) tally[word] = (tally[word] ?? 0) + 1;
const sorted = Object.entries(tally).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
print("words", sorted.length, sorted.slice(0, 8).join(" "));

let text = words.slice(0, 3000).join(" ");
for (let i = 0; i < size; i++)
  text = text
    .split(" ")
    .reverse()
    .map((w) => (w.length > 4 ? w.slice(1) + w[0] : w))
    .join(" ");
print("text", text.length, text.slice(0, 80));

const document = {
  rows: Array.from({ length: 300 }, (_, i) => ({
    i,
    name: `row ${i}`,
    tags: [i % 3, `t${i % 5}`],
    nested: { a: i / 4 },
  })),
};
let json = JSON.stringify(document);
for (let i = 0; i < size; i++) json = JSON.stringify(JSON.parse(json));
print("json", json.length, json.replace(/[0-9]+/g, (d) => d.length).slice(0, 120));

function* numbers(n) {
  for (let i = 0; i < n; i++) yield [i, BigInt(i) * 12345678901234567890n];
}
let big = 0n;
for (const [, b] of numbers(size * 400)) big ^= b;
print("big", big.toString(16));
