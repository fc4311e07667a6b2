/**
 * File names that texts mention. A name is a word with a folder or a known extension in it; it resolves when some file or
 * folder of the repository is meant: from the top, from assembly/, from the text's own folder or one above it, or for a
 * name without folders by itself. What programs of users are called ("app.wasm") is on a list of the test.
 */
import { posix } from "node:path";

export interface Mention {
  /** The text's path, from the repository. */
  readonly from: string;
  readonly line: number;
  readonly name: string;
}

/** Extensions of this repository's files: a word that ends in one of them is a file's name. */
const EXTENSIONS = "ts|mts|mjs|cjs|js|md|json|c|cpp|h|rs|zig|toml|yml|gz";

/** The top folders: a word that begins with one of them is a path. */
const TOPS = "assembly|bench|docs|native|scripts|src|test";

const NAME = new RegExp(
  String.raw`(?<![\w./@:\\$*<{-])(?:(?:\.{1,2}/)*(?:[\w.-]+/)*[\w-][\w.-]*\.(?:${EXTENSIONS})|(?:${TOPS})/(?:[\w.-]+/)*[\w.-]*)(?![\w/*<{$-])(?!\.[a-z])`,
  "g",
);

/** Lines of a text with the names in them: of Markdown outside of fenced blocks, of a source in its comments. */
export function mentions(from: string, text: string): Mention[] {
  const prose = from.endsWith(".md") ? withoutFences(text) : comments(text);
  return prose.split("\n").flatMap((line, i) =>
    [...line.replaceAll(/\b[a-z]+:\/\/\S+/g, "").matchAll(NAME)].map(([name]) => ({
      from,
      line: i + 1,
      name: name.replace(/[./]+$/, ""),
    })),
  );
}

/** Everything but the lines of a kind, whose places stay as empty lines. */
function blanked(text: string): string {
  return text.replaceAll(/[^\n]/g, "");
}

function withoutFences(text: string): string {
  return text.replaceAll(/^```.*?^```$/gms, blanked);
}

/** The comments of TypeScript: those between marks begin a line, others follow a space or begin a line. */
function comments(text: string): string {
  let end = 0;
  let out = "";
  for (const match of text.matchAll(/^ *\/\*.*?\*\/|(?<=^| )\/\/ [^\n]*/gms)) {
    out += blanked(text.slice(end, match.index)) + match[0];
    end = match.index + match[0].length;
  }
  return out;
}

/** Whether the name means a file or folder of these, which are all paths of the repository. */
export function resolves({ from, name }: Mention, paths: ReadonlySet<string>): boolean {
  if (paths.has(posix.join("assembly", name))) return true;
  if (!name.includes("/")) return [...paths].some((path) => path === name || path.endsWith(`/${name}`));
  for (let folder = posix.dirname(from); ; folder = posix.dirname(folder)) {
    if (paths.has(posix.join(folder, name))) return true;
    if (folder === ".") return false;
  }
}

/** All paths that a list of files has, their folders among them. */
export function withFolders(files: readonly string[]): Set<string> {
  const paths = new Set(files);
  for (const file of files) {
    for (let folder = posix.dirname(file); folder !== "."; folder = posix.dirname(folder)) paths.add(folder);
  }
  return paths;
}
