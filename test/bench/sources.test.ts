/**
 * apt is asked for the sources of the machine's own archives, or of one other suite of the archive that the machine
 * runs, and of nothing else. Nothing is fetched here.
 */
import { describe, expect, it } from "vitest";
import { asLines, asStanzas } from "../../bench/lib/build/sources.ts";

const SWAP = { from: "bookworm", to: "sid" };

describe("archives asked for sources", () => {
  const stanzas = [
    "Types: deb\nURIs: http://one.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /key",
    "# A comment.\nTypes: deb\nURIs: http://one.example/security\nSuites: bookworm-security\nComponents: main",
  ].join("\n\n");

  it("keeps all archives of a deb822 file", () => {
    expect(asStanzas(stanzas, undefined)).toBe(stanzas.replaceAll("Types: deb", "Types: deb-src"));
  });

  it("takes another suite from the archive that has the machine's", () => {
    expect(asStanzas(stanzas, SWAP)).toBe(
      "Types: deb-src\nURIs: http://one.example/debian\nSuites: sid\nComponents: main\nSigned-By: /key",
    );
    expect(asStanzas(stanzas, { from: "trixie", to: "sid" })).toBe("");
  });

  const lines = [
    "deb [signed-by=/key] http://one.example/debian bookworm main contrib",
    "deb http://one.example/security bookworm-security main",
    "deb-src http://one.example/debian bookworm main",
    "# deb http://two.example/debian bookworm main",
    "deb http://three.example/apt cloud-bookworm main",
  ].join("\n");

  it("keeps the binary archives of a file of lines", () => {
    expect(asLines(lines, undefined)).toBe(
      "deb-src [signed-by=/key] http://one.example/debian bookworm main contrib\n" +
        "deb-src http://one.example/security bookworm-security main\n" +
        "deb-src http://three.example/apt cloud-bookworm main\n",
    );
  });

  it("swaps only a whole name", () => {
    expect(asLines(lines, SWAP)).toBe("deb-src [signed-by=/key] http://one.example/debian sid main contrib\n");
    expect(asLines("", SWAP)).toBe("");
  });
});
