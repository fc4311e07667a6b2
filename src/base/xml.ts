/** Text in XML: names in modules and labels of snapshots may have any characters. */

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** For an element's text or an attribute. What XML has no place for, and what turns text around, becomes U+FFFD. */
export function xmlText(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is replaced
      .replace(/[\0-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g, "\ufffd")
      .replace(/\p{Surrogate}/gu, "\ufffd")
      .replace(/[&<>"]/g, (one) => ENTITIES[one]!)
  );
}
