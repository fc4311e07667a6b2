/** Names of functions as people read them, from those that compilers and tools write. */

/** What Rust writes for characters that a symbol cannot have. */
const ESCAPES: Readonly<Record<string, string>> = {
  SP: "@",
  BP: "*",
  RF: "&",
  LT: "<",
  GT: ">",
  LP: "(",
  RP: ")",
  C: ",",
};

/** The hash at the end of a Rust name. */
const HASH = /^h[0-9a-f]{16}$/;

/** A name without what binaryen escapes ("\\20" for a space) and without Rust's hash. */
export function readableName(name: string): string {
  const plain = name.replace(/\\([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
  const rust = demangleRust(plain);
  if (rust !== undefined) return rust;
  const last = plain.lastIndexOf("::");
  return last > 0 && HASH.test(plain.slice(last + 2)) ? plain.slice(0, last) : plain;
}

/**
 * The path in a symbol of Rust's older mangling, _ZN and parts with their lengths, which rustc uses unless told
 * otherwise; undefined for other names: C++ has the same form, but no hash at its end.
 */
export function demangleRust(name: string): string | undefined {
  const body = /^_ZN(.*)E$/.exec(name)?.[1];
  if (body === undefined) return undefined;
  const parts: string[] = [];
  for (let at = 0; at < body.length; ) {
    const length = /^\d+/.exec(body.slice(at, at + 5))?.[0];
    if (length === undefined) return undefined;
    const from = at + length.length;
    at = from + Number(length);
    if (at > body.length || at === from) return undefined;
    parts.push(body.slice(from, at));
  }
  if (!HASH.test(parts.pop() ?? "") || parts.length === 0) return undefined;
  return parts.map(plainPart).join("::");
}

function plainPart(part: string): string {
  // A part may not begin with $
  return part
    .replace(/^_(?=\$)/, "")
    .replace(/\$(?:(SP|BP|RF|LT|GT|LP|RP|C)|u([0-9a-f]{1,6}))\$/g, (whole, short?: string, code?: string) => {
      if (short !== undefined) return ESCAPES[short]!;
      const point = Number.parseInt(code!, 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
    })
    .replaceAll("..", "::");
}
