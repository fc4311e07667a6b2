/**
 * An interpreter: reader, environments in maps, closures and lists of a small Lisp, playing programs that build lists,
 * sort them, and count by recursion. The objects of a real program, with lifetimes of all kinds.
 */
import { below, mix, mixText, next, safepoint } from "./lib";

abstract class Value {
  abstract show(): string;
}

class Num extends Value {
  constructor(public value: i64) {
    super();
  }
  show(): string {
    return this.value.toString();
  }
}

class Sym extends Value {
  constructor(public name: string) {
    super();
  }
  show(): string {
    return this.name;
  }
}

class Cons extends Value {
  constructor(
    public head: Value,
    public tail: Value,
  ) {
    super();
  }
  show(): string {
    let text = "(";
    let it: Value = this;
    while (it instanceof Cons) {
      text += (it as Cons).head.show() + " ";
      it = (it as Cons).tail;
    }
    return text + (it === NIL ? ")" : ". " + it.show() + ")");
  }
}

class Closure extends Value {
  constructor(
    public params: Value,
    public body: Value,
    public env: Env,
  ) {
    super();
  }
  show(): string {
    return "#fn" + this.params.show();
  }
}

class Env {
  bindings: Map<string, Value> = new Map<string, Value>();
  constructor(public outer: Env | null) {}
  find(name: string): Value {
    let env: Env | null = this;
    while (env) {
      if (env.bindings.has(name)) return env.bindings.get(name);
      env = env.outer;
    }
    return NIL;
  }
}

const NIL: Value = new Sym("nil");
const PRELUDE: string[] = [
  "(def map (fn (f l) (if l (cons (f (car l)) (map f (cdr l))) nil)))",
  "(def filter (fn (p l) (if l (if (p (car l)) (cons (car l) (filter p (cdr l))) (filter p (cdr l))) nil)))",
  "(def append (fn (a b) (if a (cons (car a) (append (cdr a) b)) b)))",
  "(def sort (fn (l) (if l (append (sort (filter (fn (x) (< x (car l))) (cdr l))) (cons (car l)" +
    " (sort (filter (fn (x) (if (< x (car l)) nil 1)) (cdr l))))) nil)))",
  "(def range (fn (a b) (if (< a b) (cons a (range (+ a 1) b)) nil)))",
  "(def fib (fn (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))))",
  "(def twice (fn (f) (fn (x) (f (f x)))))",
  "(def fold (fn (f z l) (if l (fold f (f z (car l)) (cdr l)) z)))",
];

let source: string = "";
let at: i32 = 0;
let globals: Env = new Env(null);

export function start(): void {
  for (let i = 0; i < PRELUDE.length; i++) run(PRELUDE[i]);
}

export function step(round: i32): void {
  let list = "";
  for (let i = 0; i < 40; i++) list += " (cons " + below(1000).toString();
  list += " nil" + ")".repeat(40);
  mixText(run("(def data (sort " + list + "))"));
  mixText(run("(map ((twice twice) (fn (x) (+ x " + (next() & 0xff).toString() + "))) data)"));
  mixText(run("(fib " + (10 + below(3)).toString() + ")"));
  mixText(run("(fold (fn (a b) (+ (* a 3) b)) " + round.toString() + " (filter (fn (x) (< 300 x)) data))"));
  mixText(run("(map (fn (f) (f 7)) (map (fn (x) (fn (y) (* x y))) (range 0 60)))"));
  if (round % 16 == 15) {
    const kept = globals.find("data");
    globals = new Env(null);
    start();
    globals.bindings.set("data", kept);
  }
}

export function finish(): void {
  mixText(globals.find("data").show());
  mix(globals.bindings.size);
}

function run(text: string): string {
  source = text;
  at = 0;
  return evaluate(read(), globals).show();
}

function skip(): void {
  while (at < source.length && source.charCodeAt(at) == 32) at++;
}

function read(): Value {
  skip();
  if (source.charCodeAt(at) == 40) {
    at++;
    return readList();
  }
  const from = at;
  while (at < source.length && source.charCodeAt(at) != 32 && source.charCodeAt(at) != 41) at++;
  const token = source.substring(from, at);
  const code = token.charCodeAt(0);
  if (code >= 48 && code <= 57) return new Num(I64.parseInt(token));
  return token == "nil" ? NIL : new Sym(token);
}

function readList(): Value {
  skip();
  if (source.charCodeAt(at) == 41) {
    at++;
    return NIL;
  }
  return new Cons(read(), readList());
}

function head(v: Value): Value {
  return v instanceof Cons ? (v as Cons).head : NIL;
}

function tail(v: Value): Value {
  return v instanceof Cons ? (v as Cons).tail : NIL;
}

function number(v: Value): i64 {
  return v instanceof Num ? (v as Num).value : 0;
}

function evaluate(form: Value, env: Env): Value {
  while (form instanceof Cons) {
    const first = head(form);
    const rest = tail(form);
    const name = first instanceof Sym ? (first as Sym).name : "";
    if (name == "if") {
      form = evaluate(head(rest), env) === NIL ? head(tail(tail(rest))) : head(tail(rest));
      continue;
    }
    if (name == "fn") return new Closure(head(rest), head(tail(rest)), env);
    if (name == "def") {
      const value = evaluate(head(tail(rest)), env);
      globals.bindings.set(head(rest).show(), value);
      return value;
    }
    const args: Value[] = [];
    for (let it = rest; it !== NIL; it = tail(it)) args.push(evaluate(head(it), env));
    if (name.length && name.length < 5) {
      const result = primitive(name, args);
      if (result) return result;
    }
    const callee = evaluate(first, env);
    if (!(callee instanceof Closure)) return NIL;
    const closure = callee as Closure;
    env = new Env(closure.env);
    safepoint(20000);
    let params = closure.params;
    for (let i = 0; params !== NIL; i++, params = tail(params)) {
      env.bindings.set(head(params).show(), i < args.length ? args[i] : NIL);
    }
    form = closure.body;
  }
  return form instanceof Sym && form !== NIL ? env.find((form as Sym).name) : form;
}

/** Null when the name is none of the built-in functions. */
function primitive(name: string, args: Value[]): Value | null {
  if (name == "+") return new Num(number(args[0]) + number(args[1]));
  if (name == "-") return new Num(number(args[0]) - number(args[1]));
  if (name == "*") return new Num(number(args[0]) * number(args[1]));
  if (name == "<") return number(args[0]) < number(args[1]) ? new Num(1) : NIL;
  if (name == "cons") return new Cons(args[0], args[1]);
  if (name == "car") return head(args[0]);
  if (name == "cdr") return tail(args[0]);
  return null;
}
