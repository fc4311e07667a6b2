/** Strings: what they are made of, cut into, replaced by and encoded as. */
import { collect, fresh, say } from "./say";

function making(): void {
  let text = "";
  for (let i = 0; i < 200; i++) {
    text += String.fromCharCode(97 + (i % 26));
    if (i % 50 == 0) collect();
  }
  say("+=", text.substring(0, 30) + text.length.toString());
  say("fromCodePoint", String.fromCodePoint(0x1f600) + String.fromCharCode(0xd83d, 0xde00) + "é");
  say("fromCharCodes", String.fromCharCodes([104, 105, 0x21]) + String.fromCodePoint(0x1d11e));
  say("repeat", "ab".repeat(5) + "".repeat(9) + fresh("z", 1).repeat(3));
  say("pad", "7".padStart(5, "ab") + "|" + "7".padEnd(6) + "|" + "long".padStart(2));
  const name = fresh("world", 3);
  collect();
  say("template", `hello ${name}, ${1 + 1} and ${[1, 2, 3]} and ${true}`);
}

function cutting(): void {
  const text = fresh("  The quick, brown fox  ", 9);
  say("trim", "[" + text.trim() + "][" + text.trimStart() + "][" + text.trimEnd() + "]");
  const words = text.split(" ");
  collect();
  say("split", words.length.toString() + words.join("/"));
  say("split of nothing", "".split("").length.toString() + "abc".split("").join("-") + "a,b,c".split(",", 2).join(";"));
  say("slice", text.slice(-5, -1) + text.slice(4) + text.substring(6, 2) + text.substr(-6, 3));
  say("charAt", text.charAt(3) + text.at(-1) + text.charCodeAt(2).toString() + "é".codePointAt(0).toString());
  say("indexOf", text.indexOf("quick").toString() + text.lastIndexOf(" ").toString() + text.includes("fox").toString());
  say("starts", text.startsWith("  T").toString() + text.endsWith("9").toString());
}

function replacing(): void {
  const text = fresh("one two one two one", 5);
  say("replace", text.replace("two", "2") + "|" + text.replace("x", "y") + "|" + text.replace("", "^"));
  collect();
  say(
    "replaceAll",
    text.replaceAll("one", "1") + "|" + text.replaceAll("two", "a longer text") + "|" + "aaa".replaceAll("", "-"),
  );
  say("replaceAll, shorter", "abcabcabc".replaceAll("abc", "") + "|" + "xyxyxy".replaceAll("xy", "z"));
  say("cases", "Straße İstanbul ΑΣ".toLowerCase() + "|" + "straße ﬁ ŉ".toUpperCase());
  say("concat", text.concat("!").concat(""));
  say(
    "compare",
    ("a" < "b").toString() + ("a" + "b" == "ab").toString() + ("abc" > "abd").toString() + ("" < "a").toString(),
  );
}

function encoding(): void {
  const texts = ["", "plain", "höher", "€uro", "\u{1f600} smile", "a\0b", "lone \ud800 half"];
  for (let i = 0; i < texts.length; i++) {
    const utf8 = String.UTF8.encode(texts[i]);
    const utf16 = String.UTF16.encode(texts[i]);
    collect();
    const back = String.UTF8.decode(utf8);
    say("UTF-8", utf8.byteLength.toString() + " " + String.UTF8.byteLength(texts[i], true).toString() + " " + back);
    say("UTF-16", utf16.byteLength.toString() + " " + (String.UTF16.decode(utf16) == texts[i]).toString());
  }
  const zeroed = String.UTF8.encode("with a zero", true);
  say("UTF-8 with a zero", String.UTF8.decodeUnsafe(changetype<usize>(zeroed), zeroed.byteLength, true));
  say(
    "URI",
    encodeURIComponent("a b&ü€😀/") + " " + encodeURI("a b&ü/?") + " " + decodeURIComponent("%F0%9F%98%80%20x"),
  );
}

function numbers(): void {
  const floats: f64[] = [0, -0.0, 1, 0.1, 1e21, 1e-7, 123456789.125, 5e-324, f64.MAX_VALUE, NaN, -Infinity];
  for (let i = 0; i < floats.length; i++) say("f64", floats[i].toString());
  say(
    "integers",
    i64.MIN_VALUE.toString() + " " + u64.MAX_VALUE.toString(16) + " " + (-123).toString(2) + " " + (255).toString(36),
  );
  say("f32", f32.MAX_VALUE.toString() + " " + (<f32>0.1).toString());
  say(
    "parse",
    parseInt("0x1F").toString() + " " + parseFloat("-1.5e3x").toString() + " " + F64.parseFloat(".5").toString(),
  );
  say(
    "parse of nothing",
    isNaN(parseInt("zz")).toString() + I32.parseInt("777", 8).toString() + U64.parseInt("ff", 16).toString(),
  );
}

export function run(): void {
  making();
  cutting();
  replacing();
  encoding();
  numbers();
}
