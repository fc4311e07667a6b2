/**
 * What a file is that is no WebAssembly module, told by its first bytes, for error messages. Cost: a look at 1 KiB.
 */

interface Kind {
  /** With its article, for "is not a WebAssembly module but ...". */
  readonly what: string;
  /** What to do: a sentence. */
  readonly fix: string;
}

const LINK = "Link the program first and give the .wasm that comes out.";
const COMPILE = "Compile it first, and give the .wasm that the compiler or linker wrote.";
const ASSEMBLE = "Turn it into a binary first: npx wasm-as app.wat -o app.wasm, or wat2wasm.";
const UNPACK = "Unpack it first, and give the .wasm in it.";
const NATIVE = "Compile for wasm32: for clang --target=wasm32-wasip1.";
const AGAIN = "Build or download it again, as a binary file.";

/** Bytes as Latin-1 text that the file begins with, and what it is then. */
const MAGIC: readonly (readonly [start: string, what: string, fix: string])[] = [
  ["\x7fELF", "a native program or object (ELF)", NATIVE],
  ["MZ", "a Windows program", NATIVE],
  ["\xcf\xfa\xed\xfe", "a macOS program or object (Mach-O)", NATIVE],
  ["\xca\xfe\xba\xbe", "a macOS program (Mach-O) or a Java class", NATIVE],
  ["!<arch>", "a library of object files", LINK],
  ["!<thin>", "a library of object files", LINK],
  ["BC\xc0\xde", "LLVM bitcode", LINK],
  ["\xde\xc0\x17\x0b", "LLVM bitcode", LINK],
  ["; ModuleID", "LLVM assembly", LINK],
  ["\x1f\x8b", "gzip data", "Unpack it first: gunzip -c app.wasm.gz > app.wasm."],
  ["\x28\xb5\x2f\xfd", "zstd data", "Unpack it first: zstd -d app.wasm.zst."],
  ["\xfd7zXZ", "xz data", "Unpack it first: unxz app.wasm.xz."],
  ["BZh", "bzip2 data", "Unpack it first: bunzip2 app.wasm.bz2."],
  ["PK\x03\x04", "a zip archive", UNPACK],
  ["7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK],
  ["version https://git-lfs", "a pointer of Git LFS in the place of the file", "Fetch the file itself: git lfs pull."],
  ["AGFzbQ", "WebAssembly as base64 text", "Decode it first: base64 -d < app.txt > app.wasm."],
  ["data:", "a data URL", "Decode it first: the text behind base64, is the file."],
  ["asm\x01\0\0\0", "WebAssembly whose first byte is missing", AGAIN],
  ["\xef\xbf\xbdasm", "WebAssembly that was changed by a text tool", AGAIN],
  ["\xef\xbb\xbf\0asm", "WebAssembly with a byte order mark in front", AGAIN],
  ["\xff\xfe", "text in UTF-16", AGAIN],
  ["\xfe\xff", "text in UTF-16", AGAIN],
  ["\x89PNG", "a picture (PNG)", "Give the .wasm file that the compiler or linker wrote."],
];

/** Text by what it begins with, or has a line of. The first that fits is taken. */
const TEXT: readonly (readonly [like: RegExp, what: string, fix: string])[] = [
  [/^(\(module|\(component|\(;|;;)/, "WebAssembly text (.wat)", ASSEMBLE],
  [
    /^(<!doctype|<html|<head|<body)/i,
    "HTML",
    "A server answered with a page: check the address it was downloaded from.",
  ],
  [/^(<\?xml|<svg)/i, "XML", "A server answered with a document: check the address it was downloaded from."],
  [/^target (datalayout|triple) =/m, "LLVM assembly", LINK],
  [/^#!/, "a script", "Give the .wasm file that it makes or runs."],
  [/^\s*(#include|#define|#ifn?def|#pragma)\b/m, "C or C++ source", COMPILE],
  [/^package \w+\s*$/m, "Go source", COMPILE],
  [/^\s*(pub )?(fn \w+\s*[<(]|use [\w:]+|mod \w+)|^#!?\[\w+/m, "Rust source", COMPILE],
  [/^\s*(pub )?(const \w+ = @import|fn \w+\()/m, "Zig source", COMPILE],
  [
    /^\s*("use strict"|import [^\n]*from|import\s*["'{*]|export (default |const |function |class |async |\{|\*)|(async )?function[ *(]|const \w+|let \w+|var \w+|\(\(\)|require\()/m,
    "JavaScript or TypeScript source",
    "Give the .wasm file beside it; if it holds the module itself (emscripten's SINGLE_FILE), build without that.",
  ],
  [/^(int|void|static|typedef|struct|extern|unsigned|char) [^;\n]*[({;]/m, "C or C++ source", COMPILE],
  [/^[{[][\s\S]*["}\]]/, "JSON", "Give the .wasm file that the compiler or linker wrote."],
];

/** `bytes`: a file that does not begin as a module does, and is not empty. */
export function whatItIs(bytes: Uint8Array): Kind {
  const text = String.fromCharCode(...bytes.subarray(0, 1024));
  const magic = MAGIC.find(([start]) => text.startsWith(start));
  if (magic !== undefined) return { what: magic[1], fix: magic[2] };
  const fix = "Give the .wasm file that the compiler or linker wrote.";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what tells text from other bytes
  if (/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text)) return { what: "binary data of another kind", fix };
  const plain = text.replace(/^\xef\xbb\xbf/, "").trimStart();
  const [, what, how] = TEXT.find(([like]) => like.test(plain)) ?? ["", "text", fix];
  return { what, fix: how };
}
