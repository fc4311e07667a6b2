/**
 * A package's own JavaScript API at real work, over the wasm file that it is given: run as a process of its own, so that
 * peak memory and processor time are the work's.
 *
 *   tsx drive.ts <package> <wasm file> <output file>
 *
 * The output file gets everything that the work produced, byte for byte; standard output gets one line of JSON: the
 * wasm memory's size, milliseconds of processor time of the work (loading left out) and peak resident memory.
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { captureMemory, type Work } from "./capture.ts";

const require = createRequire(import.meta.url);

export interface Driven {
  /** Bytes of linear memory at the end, which is its peak: memory never shrinks. */
  readonly memory: number;
  /** Milliseconds, user and system. */
  readonly cpu: number;
  /** Peak resident bytes of the process. */
  readonly resident: number;
}

/** What a scanner of TypeScript looks for at every place, in the spirit of a TextMate grammar. */
const PATTERNS = [
  "\\b(?:interface|declare|type|readonly|extends|var|function|namespace|enum|const)\\b",
  "//.*$|/\\*(?:[^*]|\\*(?!/))*\\*/",
  "(['\"`])(?:\\\\.|(?!\\1).)*\\1",
  "(?<name>[A-Za-z_$][\\w$]*)(?=\\s*[?]?\\s*:)",
  "(?<![\\w.])(?:0x[0-9a-f]+|\\d+(?:\\.\\d+)?)(?![\\w.])",
  "(?i:\\bhtml\\w*element\\b)",
  "(?<call>\\b[a-z]\\w*)\\s*(?=\\()",
  "[{}()<>\\[\\];,|&=?:]+",
  "\\p{Lu}\\p{Ll}+(?:\\p{Lu}\\p{Ll}+)*",
];

/** vscode-oniguruma: the DOM's type declarations cut into tokens, with scanners and strings made and freed all along. */
async function oniguruma(wasm: Uint8Array<ArrayBuffer>): Promise<Work> {
  const { loadWASM, OnigScanner, OnigString } = require("vscode-oniguruma") as typeof import("vscode-oniguruma");
  await loadWASM({ data: wasm });
  const text = await readFile(require.resolve("typescript/lib/lib.dom.d.ts"), "utf8");
  const lines = text.split("\n").slice(0, 12_000);
  return () => {
    const found: string[] = [];
    let scanner = new OnigScanner(PATTERNS);
    for (const [number, line] of lines.entries()) {
      if (number % 200 === 199) {
        scanner.dispose();
        scanner = new OnigScanner([...PATTERNS, `\\b(?:w${number}|x{${number % 7},}|[a-f]+${number})\\b`]);
      }
      const string = new OnigString(line);
      for (let at = 0; at <= line.length; ) {
        const match = scanner.findNextMatchSync(string, at);
        if (match === null) break;
        const { start, end } = match.captureIndices[0]!;
        found.push(`${number}:${match.index}:${match.captureIndices.map((one) => `${one.start}-${one.end}`).join()}`);
        at = end > start ? end : end + 1;
      }
      string.dispose();
    }
    scanner.dispose();
    // long texts with characters of several bytes, for which memory has to grow
    const long = [1, 2, 3, 4].map((count) => new OnigString(`${"é€𝄞x".repeat(250_000 * count)}needle`));
    const last = new OnigScanner(["needle", "never\\d"]);
    for (const string of long) found.push(JSON.stringify(last.findNextMatchSync(string, 0)));
    last.dispose();
    for (const string of long) string.dispose();
    return [Buffer.from(found.join("\n"))];
  };
}

/** The little of sqlite-wasm's API that is used here; the package has no types. */
interface Sqlite {
  readonly oo1: { DB: new (name: string, flags: string) => SqliteDb };
  readonly capi: { sqlite3_js_db_export(db: unknown): Uint8Array; sqlite3_libversion(): string };
}
interface SqliteDb {
  exec(options: string | { sql: string; bind?: unknown[]; rowMode?: string; returnValue?: string }): unknown;
  prepare(sql: string): { bind(values: unknown[]): { stepReset(): void }; finalize(): void };
  transaction(run: () => void): void;
  close(): void;
}

/** @sqlite.org/sqlite-wasm: tables, indices, JSON, text sorts, windows, blobs, and the database's own bytes. */
async function sqlite(wasm: Uint8Array<ArrayBuffer>): Promise<Work> {
  // It is written for browsers and asks for these.
  Object.assign(globalThis, { self: globalThis, location: { href: "file:///" }, window: globalThis });
  const untyped: string = "@sqlite.org/sqlite-wasm";
  const { default: init } = (await import(untyped)) as {
    default: (options: object) => Promise<Sqlite>;
  };
  const sqlite3 = await init({ wasmBinary: wasm, print: () => {}, printErr: () => {} });
  return () => {
    const results: Uint8Array[] = [];
    const db = new sqlite3.oo1.DB(":memory:", "c");
    const query = (sql: string) => {
      const rows = db.exec({ sql, rowMode: "array", returnValue: "resultRows" });
      results.push(
        Buffer.from(
          `${sql}\n${JSON.stringify(rows, (_, value) => (typeof value === "bigint" ? `${value}n` : value))}\n`,
        ),
      );
    };
    db.exec("CREATE TABLE word(id INTEGER PRIMARY KEY, text TEXT, length INT, meta TEXT, raw BLOB)");
    const insert = db.prepare("INSERT INTO word(text, length, meta, raw) VALUES(?, ?, ?, ?)");
    let seed = 12345;
    const next = () => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return seed >>> 8;
    };
    db.transaction(() => {
      for (let i = 0; i < 60_000; i++) {
        const text = Array.from({ length: 3 + (next() % 12) }, () => String.fromCharCode(97 + (next() % 26))).join("");
        const meta = JSON.stringify({ n: i, tags: [text.slice(0, 2), next() % 100], deep: { half: i / 2 } });
        insert.bind([text, text.length, meta, new Uint8Array(next() % 200).fill(i)]).stepReset();
      }
    });
    insert.finalize();
    db.exec("CREATE INDEX by_text ON word(text COLLATE NOCASE, length DESC); CREATE INDEX by_length ON word(length)");
    query("SELECT text, length FROM word ORDER BY text COLLATE NOCASE DESC, id LIMIT 500 OFFSET 20000");
    query("SELECT length, count(*), min(text), max(text), sum(length(raw)) FROM word GROUP BY length ORDER BY length");
    query(
      "SELECT json_extract(meta, '$.tags[0]') t, count(*) c, avg(json_extract(meta, '$.deep.half')) FROM word GROUP BY t ORDER BY c DESC, t LIMIT 300",
    );
    query(
      "SELECT id, text, sum(length) OVER (PARTITION BY substr(text, 1, 1) ORDER BY id ROWS 5 PRECEDING) FROM word ORDER BY text, id LIMIT 400",
    );
    query("SELECT group_concat(text, '-') FROM (SELECT text FROM word WHERE text GLOB 'qu*' ORDER BY text)");
    query(
      "WITH RECURSIVE fib(a, b, n) AS (SELECT 0, 1, 1 UNION ALL SELECT b, a + b, n + 1 FROM fib WHERE n < 80) SELECT n, a FROM fib",
    );
    query("SELECT a.id, b.id FROM word a JOIN word b ON a.text = b.text AND a.id < b.id ORDER BY a.id, b.id LIMIT 500");
    db.exec("UPDATE word SET text = upper(text) || '-' || id, raw = zeroblob(length * 10) WHERE id % 3 = 0");
    db.exec("DELETE FROM word WHERE length IN (4, 9)");
    query("PRAGMA integrity_check");
    query("SELECT text, hex(substr(raw, 1, 4)) FROM word ORDER BY text LIMIT 500");
    results.push(sqlite3.capi.sqlite3_js_db_export(db));
    db.close();
    return results;
  };
}

/** quickjs-emscripten: programs in JavaScript, in several runtimes, each freed when it is done. */
async function quickjs(wasm: Uint8Array<ArrayBuffer>): Promise<Work> {
  const { newQuickJSWASMModuleFromVariant, newVariant } = await import("quickjs-emscripten-core");
  const { default: variant } = await import("@jitl/quickjs-wasmfile-release-sync");
  const quick = await newQuickJSWASMModuleFromVariant(newVariant(variant, { wasmBinary: wasm.buffer }));
  return () => {
    const results: Uint8Array[] = [];
    for (const program of QUICKJS_PROGRAMS) {
      const runtime = quick.newRuntime();
      const context = runtime.newContext();
      const log = context.newFunction("log", (...parts) => {
        results.push(Buffer.from(`${parts.map((part) => context.getString(part)).join(" ")}\n`));
      });
      context.setProp(context.global, "log", log);
      log.dispose();
      const result = context.evalCode(program);
      const value = context.unwrapResult(result);
      results.push(Buffer.from(`${JSON.stringify(context.dump(value))}\n`));
      value.dispose();
      context.dispose();
      runtime.dispose();
    }
    return results;
  };
}

const QUICKJS_PROGRAMS = [
  // strings and maps
  `const words = new Map(); let x = 7;
   for (let i = 0; i < 150000; i++) { x = (x * 1103515245 + 12345) & 0x7fffffff; const k = "w" + (x % 5000).toString(36); words.set(k, (words.get(k) ?? 0) + 1); }
   [...words].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 200)`,
  // trees of objects, a third of which become garbage with cycles
  `function tree(d) { const n = { d, kids: [] }; if (d) for (let i = 0; i < 3; i++) { const k = tree(d - 1); k.up = n; n.kids.push(k); } return n; }
   const kept = []; for (let i = 0; i < 12; i++) { const t = tree(7); if (i % 3) kept.push(t); }
   const count = (t) => 1 + t.kids.reduce((s, k) => s + count(k), 0); kept.map(count)`,
  // JSON, regular expressions, big integers, typed arrays
  `const rows = Array.from({ length: 8000 }, (_, i) => ({ i, name: "n" + i, list: [i, i * i, String(i).repeat(3)] }));
   const again = JSON.parse(JSON.stringify(rows)); let f = 1n; for (let i = 1n; i <= 900n; i++) f *= i;
   log(String(f)); const big = new Uint8Array(30_000_000).map((_, i) => i * 31); let sum = 0; for (let i = 0; i < big.length; i += 4096) sum += big[i];
   [again.filter((r) => /9.*9/.test(r.name)).length, JSON.stringify(again).replace(/"n(\\d+)"/g, "<$1>").length, sum]`,
  // closures, generators, exceptions
  `function* gen(n) { for (let i = 0; i < n; i++) yield { i, text: "t".repeat(i % 50) + i }; }
   let total = 0, caught = 0; for (const { i, text } of gen(120000)) { total += text.length; if (i % 1000 === 0) try { null.x; } catch (e) { caught += e.message.length; } }
   class P { #v; constructor(v) { this.#v = v; } get v() { return this.#v; } } const ps = []; for (let i = 0; i < 40000; i++) ps.push(new P(i));
   [total, caught, ps.reduce((s, p) => s + p.v, 0), [..."zyx"].sort().join("")]`,
];

const PACKAGES: Record<string, (wasm: Uint8Array<ArrayBuffer>) => Promise<Work>> = { oniguruma, sqlite, quickjs };

const [name, file, output] = process.argv.slice(2);
const prepare = PACKAGES[name ?? ""];
if (prepare === undefined || file === undefined || output === undefined) {
  throw new Error(`usage: drive.ts ${Object.keys(PACKAGES).join("|")} <wasm file> <output file>`);
}
const memoryOf = captureMemory();
const work = await prepare(new Uint8Array(await readFile(file)));
const before = process.cpuUsage();
const results = work();
const { user, system } = process.cpuUsage(before);
const bytes = Buffer.concat(results);
await writeFile(output, bytes);
const driven: Driven = {
  memory: memoryOf(),
  cpu: (user + system) / 1000,
  resident: process.resourceUsage().maxRSS * 1024,
};
console.log(
  JSON.stringify({ ...driven, digest: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length }),
);
