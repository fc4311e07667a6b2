/**
 * docs/inside.md: its commands exist with the options that it gives them, each picture is written by one of them, and its
 * tables are what the commands print, in shape. With GOMALLOC_LONG=1 all of it runs (scripts/pictures.ts --check).
 */
import { execFile, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";
import { topFunctions } from "../../scripts/pictures.ts";
import { LONG } from "../support/long.ts";
import { CLANG } from "../support/needs.ts";
import { blocksOf } from "./support/pages.ts";

const PAGE = "docs/inside.md";
const text = readFileSync(join(ROOT, PAGE), "utf8");
const blocks = blocksOf(PAGE);
const commands = blocks.filter(({ language }) => language === "sh").flatMap(({ code }) => code.trim().split("\n"));
const scripts = blocks.filter(({ language }) => language === "js").map(({ code }) => code);
const pictures = [...text.matchAll(/!\[[^\]]+\]\(pictures\/([\w-]+\.svg)\)/g)].map(([, name]) => name!);

describe("commands", () => {
  const ours = commands.filter((line) => line.startsWith("npx gomalloc "));
  it.each(ours)("%s", (line) => {
    const [, command] = /^npx gomalloc (\w+)/.exec(line)!;
    const { stdout: help } = spawnSync(process.execPath, [join(ROOT, "dist/cli/main.js"), "help", command!], {
      encoding: "utf8",
    });
    const words = line.replace(/'[^']*'/g, "X").split(" ");
    const end = words.indexOf("--");
    for (const option of (end < 0 ? words : words.slice(0, end)).filter((word) => word.startsWith("-"))) {
      expect(help, option).toMatch(new RegExp(`^ .*${option.replace(/^-O.$/, "-O")}[ ,]`, "m"));
    }
  });

  it("are of three programs, one for each way", () => {
    for (const way of ["link --profile", "profile --rate", "swap --profile"]) {
      expect(ours.filter((line) => line.startsWith(`npx gomalloc ${way}`)).length, way).toBeGreaterThan(0);
    }
  });
});

describe("pictures", () => {
  it("are all shown, and each is written by a command or a script", () => {
    expect(readdirSync(join(ROOT, "docs/pictures")).sort()).toEqual([...pictures].sort());
    for (const name of pictures) {
      const written =
        commands.some((line) => line.includes(`--svg ${name}`)) || scripts.some((one) => one.includes(`"${name}"`));
      expect(written, name).toBe(true);
    }
  });

  it.each(pictures)("%s is small, and a picture alone", (name) => {
    const path = join(ROOT, "docs/pictures", name);
    expect(statSync(path).size).toBeLessThan(150_000);
    const svg = readFileSync(path, "utf8");
    expect(svg).toMatch(/^<svg xmlns="[^"]*" width="\d+" height="\d+" viewBox="[^"]*"/);
    expect(svg).not.toMatch(/<script|href=|url\(|<foreignObject|<image/);
    expect(svg.match(/<(rect|path) /g)!.length).toBeGreaterThan(5);
  });
});

describe("tables", () => {
  const tables = blocks.filter(({ language }) => language === "text").map(({ code }) => code);
  it.each(tables)("%#", (table) => {
    const [program, file, type, total, shown, head, ...rows] = table.trimEnd().split("\n");
    expect(program).toMatch(/\d/);
    expect(file).toMatch(/^File: (sqlite|lua|jq)\.wasm$/);
    expect(type).toBe("Type: inuse_space");
    expect(total).toMatch(/^Showing nodes accounting for [\d.]+MB, [\d.]+% of [\d.]+MB total$/);
    expect(shown).toMatch(/^Showing top 10 nodes out of \d+$/);
    expect(head).toBe("      flat  flat%   sum%        cum   cum%");
    expect(
      rows.slice(0, 10).filter((row) => /^ *[\d.]+(B|kB|MB)? +[\d.]+% +[\d.]+% +[\d.]+[kM]?B +[\d.]+% {2}\S/.test(row)),
    ).toHaveLength(10);
    // Lines came through link, swap and the map of DWARF.
    expect(rows[0]).toMatch(/\.c:\d+$/);
  });

  it("are explained: the prose names what holds most", () => {
    const prose = text.replace(/^```.*?^```$/gms, "");
    const tops = topFunctions(text);
    expect(tops).toHaveLength(3);
    for (const [first] of tops) expect(prose).toContain(first!);
  });
});

it.skipIf(!LONG || CLANG.missing !== null)("is what its commands give (GOMALLOC_LONG=1, clang-19)", async () => {
  const args = ["--import", "tsx", join(ROOT, "scripts/pictures.ts"), "--check"];
  await promisify(execFile)(process.execPath, args, { cwd: ROOT, maxBuffer: 1 << 26 });
});
