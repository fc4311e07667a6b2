/**
 * A JSON parser by recursive descent over UTF-16. It traps on what is no JSON; \u escapes are left out, the documents
 * here have none.
 */

import { Dictionary, List, Literal, Num, Text, Value } from "./values";

export class Parser {
  constructor(
    private readonly source: string,
    /** Where it stands. */
    public at: i32 = 0,
  ) {}

  /** The next code unit that is not white space, not consumed; -1 at the end. */
  peek(): i32 {
    const source = this.source;
    while (this.at < source.length) {
      const unit = source.charCodeAt(this.at);
      if (unit > 0x20) return unit;
      this.at++;
    }
    return -1;
  }

  /** Consumes `unit`; traps if something else comes. */
  expect(unit: i32): void {
    if (this.peek() != unit) unreachable();
    this.at++;
  }

  /** Consumes `unit` if it comes. */
  take(unit: i32): bool {
    if (this.peek() != unit) return false;
    this.at++;
    return true;
  }

  value(): Value {
    switch (this.peek()) {
      case 0x7b: // {
        return this.dictionary();
      case 0x5b: // [
        return this.list();
      case 0x22: // "
        return new Text(this.text());
      case 0x74: // t
        return this.literal("true");
      case 0x66: // f
        return this.literal("false");
      case 0x6e: // n
        return this.literal("null");
      default:
        return this.number();
    }
  }

  private dictionary(): Value {
    const made = new Dictionary();
    this.expect(0x7b);
    if (this.take(0x7d)) return made;
    do {
      this.peek();
      const name = this.text();
      this.expect(0x3a);
      made.members.set(name, this.value());
    } while (this.take(0x2c));
    this.expect(0x7d);
    return made;
  }

  private list(): Value {
    const made = new List();
    this.expect(0x5b);
    if (this.take(0x5d)) return made;
    do {
      made.items.push(this.value());
    } while (this.take(0x2c));
    this.expect(0x5d);
    return made;
  }

  private literal(text: string): Value {
    if (!this.source.substr(this.at, text.length).startsWith(text)) unreachable();
    this.at += text.length;
    return new Literal(text);
  }

  private number(): Value {
    const source = this.source;
    const from = this.at;
    while (this.at < source.length) {
      const unit = source.charCodeAt(this.at);
      const part =
        (unit >= 0x30 && unit <= 0x39) || unit == 0x2d || unit == 0x2b || unit == 0x2e || (unit | 0x20) == 0x65;
      if (!part) break;
      this.at++;
    }
    if (this.at == from) unreachable();
    return new Num(F64.parseFloat(source.substring(from, this.at)));
  }

  /** A string: in one piece if nothing in it is escaped. */
  private text(): string {
    const source = this.source;
    this.expect(0x22);
    let made = "";
    let from = this.at;
    while (true) {
      if (this.at >= source.length) unreachable();
      const unit = source.charCodeAt(this.at++);
      if (unit == 0x22) break;
      if (unit != 0x5c) continue;
      made += source.substring(from, this.at - 1) + this.escaped();
      from = this.at;
    }
    const rest = source.substring(from, this.at - 1);
    return made.length ? made + rest : rest;
  }

  private escaped(): string {
    switch (this.source.charCodeAt(this.at++)) {
      case 0x22:
        return '"';
      case 0x5c:
        return "\\";
      case 0x2f:
        return "/";
      case 0x62:
        return "\b";
      case 0x66:
        return "\f";
      case 0x6e:
        return "\n";
      case 0x72:
        return "\r";
      case 0x74:
        return "\t";
      default:
        return unreachable();
    }
  }
}
