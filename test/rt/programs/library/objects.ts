/** What the language does with objects: fields, statics, inheritance, closures over nothing, arguments on their way. */
import { collect, fresh, say } from "./say";

abstract class Shape {
  static made: i32 = 0;
  static last: Shape | null = null;
  tag: string = fresh("shape", Shape.made);
  constructor() {
    Shape.made++;
    Shape.last = this;
  }
  abstract area(): f64;
  toString(): string {
    return this.tag + "=" + this.area().toString();
  }
}
class Square extends Shape {
  constructor(private side: f64) {
    super();
    collect();
  }
  area(): f64 {
    return this.side * this.side;
  }
}
class Pair<A, B> extends Shape {
  constructor(
    public a: A,
    public b: B,
  ) {
    super();
  }
  area(): f64 {
    return 0;
  }
}
interface Named {
  name(): string;
}
class Dog implements Named {
  name(): string {
    return fresh("dog", 1);
  }
}
class Cat implements Named {
  constructor(private own: string) {}
  name(): string {
    return this.own;
  }
}
class Node {
  next: Node | null = null;
  constructor(public text: string) {}
  @operator("+") plus(other: Node): Node {
    collect();
    return new Node(this.text + other.text);
  }
  @operator("[]") get(i: i32): string {
    return this.text.charAt(i);
  }
}

function collected(text: string): string {
  collect();
  return text;
}

function three(a: string, b: string, c: string): string {
  collect();
  return a + b + c;
}

function arguments_(): void {
  say("arguments", three(fresh("a", 1), collected(fresh("b", 2)), collected(fresh("c", 3))));
  say("nested", three(three("x", fresh("y", 1), "z"), fresh("w", 2), three(fresh("p", 1), "q", "r")));
  say("ternary", collected(Shape.made > 0 ? fresh("yes", 1) : fresh("no", 2)));
  const list = [fresh("one", 1), collected(fresh("two", 2)), collected("three")];
  say("literal", list.join(" "));
  say("operators", (new Node("a") + new Node("b") + new Node("c")).text + (new Node("xyz") + new Node("w"))[2]);
}

function classes(): void {
  const shapes: Shape[] = [new Square(2), new Square(3), new Pair<string, Square>(fresh("in", 1), new Square(4))];
  collect();
  say("classes", shapes.join(" ") + " " + Shape.made.toString());
  const pair = <Pair<string, Square>>shapes[2];
  say(
    "generic",
    pair.a + pair.b.toString() + (shapes[0] instanceof Square).toString() + (shapes[2] instanceof Square).toString(),
  );
  const named: Named[] = [new Dog(), new Cat(fresh("cat", 5))];
  collect();
  say("interfaces", named[0].name() + named[1].name());
  shapes.length = 0;
  collect();
  say("static", Shape.last!.toString());
  Shape.last = null;
}

function loops(): void {
  let head: Node | null = null;
  for (let i = 0; i < 50; i++) {
    const node = new Node(fresh("n", i));
    node.next = head;
    head = node;
    if (i % 10 == 0) collect();
  }
  let n = 0;
  do {
    head = head!.next;
    n++;
    if (n % 7 == 0) collect();
  } while (head != null && head.text != "n5");
  say("do", n.toString() + (head ? head.text : "null"));
  let text = fresh("w", 0);
  while (text.length < 40) text = collected(text + text.length.toString());
  say("while", text);
  for (let i = 0; i < 5; i++) {
    for (let j = fresh("j", i); ; j = j + "!") {
      text = collected(j);
      if (j.length < i + 2) continue;
      if (i == 3) i++;
      break;
    }
  }
  switch (fresh("case", 2).length) {
    case 5:
      text = fresh("five", 5);
    default:
      text = text + "!";
  }
  say("switch", collected(text));
}

function functions(): void {
  const by: ((text: string) => string)[] = [(text) => text + fresh("!", 1), collected, (text) => text.toUpperCase()];
  let text = "f";
  for (let i = 0; i < 9; i++) text = by[i % 3](text);
  say("functions", text + " " + by[0].index.toString().length.toString());
}

function numbers(): void {
  // The compiler's own numbers for classes, and the flags that visitors go by.
  say("ids", idof<Object>().toString() + idof<ArrayBuffer>().toString() + idof<String>().toString());
  const node = new Node("header");
  const p = changetype<usize>(node);
  say("header", (load<u32>(p - 8) == idof<Node>()).toString() + load<u32>(p - 4).toString());
  say("string header", load<u32>(changetype<usize>(fresh("1234", 5)) - 4).toString());
}

export function run(): void {
  arguments_();
  classes();
  loops();
  functions();
  numbers();
  trace("traced", 3, 1.5, -2, 3e10);
}
