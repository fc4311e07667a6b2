/**
 * JSON values as objects, and their text: members in the order in which they came, no white space, so that a canonical
 * document comes back as it was.
 */

export abstract class Value {
  /** Appends the value's text to `out`, in pieces. */
  abstract write(out: Array<string>): void;
}

export class Literal extends Value {
  constructor(public text: string) {
    super();
  }

  write(out: Array<string>): void {
    out.push(this.text);
  }
}

export class Num extends Value {
  constructor(public value: f64) {
    super();
  }

  write(out: Array<string>): void {
    const whole = <i32>this.value;
    out.push(<f64>whole == this.value ? whole.toString() : this.value.toString());
  }
}

export class Text extends Value {
  constructor(public value: string) {
    super();
  }

  write(out: Array<string>): void {
    out.push(quoted(this.value));
  }
}

export class List extends Value {
  readonly items: Array<Value> = [];

  write(out: Array<string>): void {
    out.push("[");
    for (let i = 0; i < this.items.length; i++) {
      if (i) out.push(",");
      this.items[i].write(out);
    }
    out.push("]");
  }
}

export class Dictionary extends Value {
  readonly members: Map<string, Value> = new Map<string, Value>();

  write(out: Array<string>): void {
    const names = this.members.keys();
    out.push("{");
    for (let i = 0; i < names.length; i++) {
      out.push((i ? "," : "") + quoted(names[i]) + ":");
      this.members.get(names[i]).write(out);
    }
    out.push("}");
  }
}

const QUOTE: i32 = 0x22;
const BACKSLASH: i32 = 0x5c;
const NEWLINE: i32 = 0x0a;

/** A string's text: quotes, backslashes and line feeds are escaped, other control characters do not occur here. */
export function quoted(value: string): string {
  let text = '"';
  let from = 0;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit != QUOTE && unit != BACKSLASH && unit != NEWLINE) continue;
    text += value.substring(from, i) + (unit == QUOTE ? '\\"' : unit == BACKSLASH ? "\\\\" : "\\n");
    from = i + 1;
  }
  return text + (from ? value.substring(from) : value) + '"';
}
