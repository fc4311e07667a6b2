/** The name by which console.log of Node and Deno asks an object for its text. */
export const INSPECT: unique symbol = Symbol.for("nodejs.util.inspect.custom");
