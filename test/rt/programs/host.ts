/** What a JavaScript host exchanges with a program: text, arrays, typed arrays, objects, callbacks into the host. */

export class Person {
  tags: string[] = [];
  constructor(
    public name: string,
    public age: i32,
  ) {}
  describe(): string {
    return this.name + " (" + this.age.toString() + ") " + this.tags.join("/");
  }
}

export const PERSON_ID = idof<Person>();
export const INT_ARRAY_ID = idof<Array<i32>>();
export const TEXT_ARRAY_ID = idof<Array<string>>();
export const BYTES_ID = idof<Uint8Array>();

const people: Person[] = [];

export function reverse(text: string): string {
  return text.split("").reverse().join("");
}

export function sum(numbers: Array<i32>): i32 {
  return numbers.reduce<i32>((a, b) => a + b, 0);
}

export function words(text: string): string[] {
  return text.split(" ");
}

export function joinAll(texts: string[], by: string): string {
  return texts.join(by);
}

export function squares(n: i32): Float64Array {
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) out[i] = <f64>i * i;
  return out;
}

export function invert(bytes: Uint8Array): Uint8Array {
  return bytes.map((b) => ~b);
}

export function newPerson(name: string, age: i32): Person {
  return new Person(name, age);
}

export function tag(person: Person, tags: string[]): Person {
  person.tags = person.tags.concat(tags);
  return person;
}

export function describe(person: Person): string {
  return person.describe();
}

/** Keeps a person; returns how many are kept. */
export function keep(person: Person): i32 {
  people.push(person);
  return people.length;
}

export function everyone(): string {
  return people.map<string>((p) => p.describe()).join(";");
}

/** Garbage that would take the place of what the host holds without a pin. */
export function churn(n: i32): void {
  for (let i = 0; i < n; i++) newPerson("churn" + i.toString(), i).tags.push(i.toString());
}
