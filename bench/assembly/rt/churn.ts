/**
 * A map whose entries come and go: a key that is there is looked up and deleted, one that is not is inserted with a new
 * entry. With keys drawn evenly, half of them are there in the long run.
 */

import { mix } from "../driver/tally";

/** What the map holds. */
export class Entry {
  constructor(
    public key: u32,
    public born: u32,
  ) {}
}

export class Churn<K> {
  private readonly map: Map<K, Entry> = new Map<K, Entry>();
  private turn: u32 = 0;

  /** Deletes or inserts; `value` stands for the key in the checksum. */
  toggle(key: K, value: u32): void {
    const map = this.map;
    if (map.has(key)) {
      const entry = map.get(key);
      mix(entry.key * 31 + entry.born);
      map.delete(key);
    } else {
      map.set(key, new Entry(value, this.turn++));
    }
  }

  /** Folds all entries into the checksum. */
  finish(): void {
    const entries = this.map.values();
    for (let i = 0; i < entries.length; i++) mix(entries[i].key * 31 + entries[i].born);
    mix(this.map.size);
  }
}
