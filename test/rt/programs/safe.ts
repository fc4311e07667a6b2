/** A program without anything unsafe, for --noUnsafe. */
export function shout(n: i32): string {
  const words: string[] = [];
  for (let i = 0; i < n; i++) words.push(i.toString() + "!");
  return words.join(" ");
}
