/** Text for a terminal or a pipe: names in modules may have any characters, and none of them may steer the terminal. */

/** Control characters, and those that turn the direction of writing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is replaced
const CONTROLS = /[\0-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Control characters as escapes: \u{1b}. */
export function printable(text: string): string {
  return text.replace(CONTROLS, (one) => `\\u{${one.charCodeAt(0).toString(16)}}`);
}

/** The value as JSON, in lines; control characters as JSON's escapes, also those that JSON allows as they are. */
export function jsonText(value: unknown): string {
  return escaped(JSON.stringify(value, null, 2));
}

/** The same in one line, for what is long and read by programs. */
export function jsonLine(value: unknown): string {
  return escaped(JSON.stringify(value));
}

function escaped(json: string): string {
  return json.replace(CONTROLS, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
