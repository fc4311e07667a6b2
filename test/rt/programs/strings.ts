/** Strings: concatenation, cutting, searching, templates, codecs, numbers as text. Live: 256 strings, the rest dies. */
import { below, mix, mixBytes, mixFloat, mixText, next, safepoint, word } from "./lib";

const KEPT = 256;
let kept: string[] = [];

export function start(): void {
  for (let i = 0; i < KEPT; i++) kept.push(word(12));
}

export function step(round: i32): void {
  for (let i = 0; i < 12; i++) {
    concatenate();
    cut();
    codecs();
    numbers(round);
  }
}

export function finish(): void {
  for (let i = 0; i < KEPT; i++) mixText(kept[i]);
  mixText(kept.join("/"));
}

function keep(text: string): void {
  kept[below(KEPT)] = text;
}

/** Grows a string piece by piece: each step leaves its predecessor to the collector. */
function concatenate(): void {
  let text = "";
  const other = kept[below(KEPT)];
  for (let n = below(60); n > 0; n--) {
    text = text + kept[below(KEPT)].slice(0, 6) + ", ";
    if ((n & 15) == 0) safepoint(40);
  }
  keep(text.length > 200 ? text.substring(<i32>below(100), 180) : text);
  mixText(`${text.length}:${other}|${text}` + other.concat(text.charAt(3)));
  mixText(
    other
      .repeat(<i32>below(4))
      .padStart(20, "-+")
      .padEnd(30, text.length ? text : "*"),
  );
}

function cut(): void {
  const line = kept[below(KEPT)] + " " + word(5) + ",  " + kept[below(KEPT)] + "\t";
  const parts = line.split(below(2) ? " " : "");
  safepoint(30);
  let longest = "";
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i].trim();
    if (part > longest) longest = part;
  }
  mixText(longest.toUpperCase() + parts.join("_"));
  mixText(line.replace(",", ";").replaceAll("a", "<a>").replaceAll("  ", ""));
  mix(line.indexOf("b") + line.lastIndexOf("c") * 1000 + (line.includes("ab") ? 1000000 : 0));
  mixText(line.trimStart() + line.trimEnd() + line.at(-2) + line.substr(-5, 3));
  keep(longest.slice(0, 40).toLowerCase());
}

/** UTF-8 and UTF-16 there and back, with characters of one to four bytes. */
function codecs(): void {
  let text = "";
  for (let n = below(30); n > 0; n--) {
    const kind = below(4);
    const base = kind == 0 ? 0x20 : kind == 1 ? 0x80 : kind == 2 ? 0x800 : 0x10000;
    text += String.fromCodePoint(base + <i32>below(kind == 0 ? 0x5f : kind == 1 ? 0x700 : kind == 2 ? 0xc000 : 0xffff));
  }
  const utf8 = String.UTF8.encode(text);
  const utf16 = String.UTF16.encode(text);
  safepoint(20);
  mixBytes(Uint8Array.wrap(utf8));
  assert(utf8.byteLength == String.UTF8.byteLength(text));
  assert(String.UTF8.decode(utf8) == text);
  assert(String.UTF16.decode(utf16) == text);
  mixText(String.UTF8.decode(utf8.slice(0, 1)) + text);
}

function numbers(round: i32): void {
  const value = <f64>(<i32>next()) / <f64>(below(100000) + 1);
  const text = value.toString();
  const back = parseFloat(text);
  assert(back == value);
  mixText(text + "|" + (<f32>value).toString() + "|" + (<f64>round * 1e300 * 1e10).toString());
  mixText((<i64>next() * -7919).toString(10) + next().toString(16) + ((<u64>next()) << 17).toString(36));
  mixFloat(parseFloat("  -1" + text + "e-3x"));
  mix(<u64>parseInt((<u32>below(0xffff)).toString(2), 2));
  mixFloat(F64.parseInt("0x" + word(3)));
  keep(text);
}
