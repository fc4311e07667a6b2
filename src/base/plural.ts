/** Counts in messages. Pure. */

/** "1 stack", "2 stacks"; `plural` is for words that do not just take an s. */
export function many(count: number, one: string, plural = `${one}s`): string {
  return `${count} ${count === 1 ? one : plural}`;
}
