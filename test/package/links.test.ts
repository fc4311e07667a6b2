/** The relative links of the package's pages lead to files that are in the package. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";

it("every relative link of a packed page is to a packed file", () => {
  const output = execFileSync("npm", ["pack", "--dry-run", "--ignore-scripts", "--json"], { cwd: ROOT });
  const [{ files }] = JSON.parse(output.toString()) as [{ files: { path: string }[] }];
  const packed = new Set(files.map(({ path }) => path));
  const pages = [...packed].filter((path) => path.endsWith(".md"));
  expect(pages).toContain("README.md");
  const dead = pages.flatMap((page) => {
    const text = readFileSync(join(ROOT, page), "utf8");
    const links = [...text.matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)].map(([, link]) => link!);
    const within = (path: string) => packed.has(path) || [...packed].some((one) => one.startsWith(`${path}/`));
    return links
      .filter((link) => !within(posix.join(posix.dirname(page), link).replace(/\/$/, "")))
      .map((link) => `${page}: ${link}`);
  });
  expect(dead).toEqual([]);
});
