/** The known word that a misspelt one is nearest to. Words of a command line: short, and few. */

/** Undefined when none is near: more than a third of the letters would have to change. */
export function closest(word: string, known: readonly string[]): string | undefined {
  const near = known.map((one) => ({ one, changes: distance(word, one) })).sort((a, b) => a.changes - b.changes)[0];
  const starts = known.find((one) => word.length > 3 && one.startsWith(word));
  return near !== undefined && near.changes <= (word.length > 3 ? Math.max(2, Math.floor(word.length / 3)) : 1)
    ? near.one
    : starts;
}

/** Letters to be added, removed or changed to make one of the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
