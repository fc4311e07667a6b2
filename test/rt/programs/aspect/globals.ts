/**
 * The globals that test files written for as-pect use (describe, it, expect), given to the compiler by --lib. The host
 * runs each test by its place in the function table, so that one that traps is one that failed, and takes its name.
 */

@external("env", "runTest")
declare function runTest(name: string, index: u32): void;

@external("env", "returns")
declare function returns(index: u32): bool;

let scope: string = "";

/** A function's place in the table; a reference to a function is an object that begins with it. */
@inline
function indexOf<T>(fn: T): u32 {
  return load<u32>(changetype<usize>(fn));
}

export function describe(name: string, body: () => void): void {
  const outer = scope;
  scope = outer + name + " > ";
  body();
  scope = outer;
}

export function it(name: string, body: () => void): void {
  runTest(scope + name, indexOf(body));
}

export function test(name: string, body: () => void): void {
  it(name, body);
}

/** A test that passes when its body does not return. */
export function throws(name: string, body: () => void): void {
  check(!returns(indexOf(body)), "throws", name);
}

/** A test that its author has switched off. */
export function xit(name: string, body: () => void): void {}

/** Values equal by ==, which classes may define; arrays equal by their elements. */
function equal<T>(a: T, b: T): bool {
  if (isFloat<T>()) return a == b || (isNaN(a) && isNaN(b));
  if (isArray<T>()) {
    if (changetype<usize>(a) == 0 || changetype<usize>(b) == 0) return changetype<usize>(a) == changetype<usize>(b);
    const x = a as nonnull<T>;
    const y = b as nonnull<T>;
    if (x.length != y.length) return false;
    for (let i = 0; i < x.length; i++) if (!equal<valueof<nonnull<T>>>(x[i], y[i])) return false;
    return true;
  }
  if (isReference<T>()) {
    if (changetype<usize>(a) == changetype<usize>(b)) return true;
    if (changetype<usize>(a) == 0 || changetype<usize>(b) == 0) return false;
    return (a as nonnull<T>) == (b as nonnull<T>);
  }
  return a == b;
}

function check(holds: bool, what: string, message: string): void {
  if (!holds) throw new Error(what + " " + message);
}

export class Expectation<T> {
  private negated: bool = false;
  constructor(private value: T) {}

  get not(): Expectation<T> {
    const other = new Expectation<T>(this.value);
    other.negated = !this.negated;
    return other;
  }

  toBe(expected: T, message: string = ""): void {
    check(equal<T>(this.value, expected) != this.negated, "toBe", message);
  }

  toStrictEqual(expected: T, message: string = ""): void {
    check(equal<T>(this.value, expected) != this.negated, "toStrictEqual", message);
  }

  toBeNull(message: string = ""): void {
    check((changetype<usize>(this.value) == 0) != this.negated, "toBeNull", message);
  }

  toBeNaN(message: string = ""): void {
    check(isNaN(this.value) != this.negated, "toBeNaN", message);
  }

  toBeTruthy(message: string = ""): void {
    check(!!this.value != this.negated, "toBeTruthy", message);
  }

  toBeFalsy(message: string = ""): void {
    check(!this.value != this.negated, "toBeFalsy", message);
  }

  /** The value is a function, whose call must not return. */
  toThrow(message: string = ""): void {
    check(returns(indexOf(this.value)) == this.negated, "toThrow", message);
  }
}

export function expect<T>(value: T): Expectation<T> {
  return new Expectation<T>(value);
}
