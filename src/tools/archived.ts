/**
 * Programs that were linked with libgomalloc.a: which of their functions are gomalloc's, so that link can inline them.
 *
 * They go by their names where the module has names, else by their code: a linker changes the indices and addresses in a
 * function and nothing else, so the bytes without those are a fingerprint. lib/fingerprints.json has those of the archives
 * of this package. An optimiser that has been over the program changes the code; then only names tell, and a custom
 * section that the archive brings says why nothing is found.
 *
 * Cost: with names O(names); without, one walk over the code.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { FAMILY, GOMALLOC, sameType } from "../base/family.js";
import { ToolError } from "../wasm/errors.js";
import { IGNORE, walkIfKnown } from "../wasm/instructions.js";
import type { Body, ModuleInfo } from "../wasm/parse.js";
import { INLINED } from "./allocator.js";

export interface Archived {
  /** The members of the family that are there, in the order of their indices. */
  readonly family: readonly { readonly name: string; readonly index: number }[];
  /** The slow halves, which are never inlined. */
  readonly slow: readonly number[];
}

/** Slow halves, by the names that the archive's local symbols have. */
export const SLOW: readonly string[] = ["gomalloc/alloc/malloc/mallocSlow", "gomalloc/alloc/malloc/mallocOrErrno"];
const MARK = SLOW[0]!;
/** The custom section that the archive leaves in a program. */
export const ARCHIVE_MARK = "gomalloc";

/** What allocators that sample import: assembly/base/hooks.ts. */
const SAMPLING_HOOKS: readonly string[] = ["option", "stack", "report"];

/** The functions that have a fingerprint. */
export const FINGERPRINTED: readonly string[] = [...INLINED, ...SLOW];

/** For each flavour the fingerprints of FINGERPRINTED, by their names. */
export type Fingerprints = Readonly<Record<string, Readonly<Record<string, string>>>>;

/**
 * Undefined for a program that was not linked with an archive of ours. Throws ToolError: unknown-import, and
 * inlined-allocator for one whose archive an optimiser has changed.
 */
export async function findArchived(program: Uint8Array, info: ModuleInfo): Promise<Archived | undefined> {
  const found = fromNames(info) ?? (info.named ? undefined : fromCode(program, info, await readFingerprints()));
  const linkedBefore = [...info.functionNames.values()].includes(MARK);
  if (found === undefined && !linkedBefore && info.sections.some(({ name }) => name === ARCHIVE_MARK)) {
    throw new ToolError(
      "inlined-allocator",
      "the program was linked with libgomalloc.a, and its code was optimised since: malloc and free cannot be told in it",
      "Give what the linker itself wrote, which link optimises. clang runs a wasm-opt that it finds in PATH when the " +
        "command that links has -O: compile with -O2 -c, then link without -O. With emcc link with -O1, or keep the " +
        "names with --profiling-funcs.",
    );
  }
  const both = found && info.imports.find(({ module }) => module === GOMALLOC);
  if (both && SAMPLING_HOOKS.includes(both.name)) {
    throw new ToolError(
      "unknown-import",
      "the program was linked with libgomalloc-profile.a, which is whole: it samples and imports its hooks",
      "Run it as it is, by `gomalloc profile` or with the imports of profileImports. For inlined calls compile it with " +
        "native/gomalloc.c instead of the archive, and use `gomalloc link --profile`.",
    );
  }
  if (both) {
    throw new ToolError(
      "unknown-import",
      `the program was linked with libgomalloc.a, and imports gomalloc.${both.name} besides`,
      "Link it with libgomalloc-debug.a, which has statistics and checks, or without native/gomalloc.c.",
    );
  }
  return found;
}

function fromNames({ functionNames, functions, importedFunctions }: ModuleInfo): Archived | undefined {
  const own = [...functionNames].filter(([index]) => index >= importedFunctions);
  if (!own.some(([, name]) => name === MARK)) return undefined;
  const isMember = (index: number, name: string) => {
    const type = functions[index];
    return Object.hasOwn(FAMILY, name) && type !== undefined && sameType(type, FAMILY[name]!);
  };
  const family = own.filter(([index, name]) => isMember(index, name)).map(([index, name]) => ({ name, index }));
  // A second link: all calls are inlined.
  if (family.length === 0) return undefined;
  return {
    family,
    slow: own.filter(([, name]) => SLOW.includes(name)).map(([index]) => index),
  };
}

function fromCode(program: Uint8Array, info: ModuleInfo, known: Fingerprints): Archived | undefined {
  const names = new Map(
    Object.values(known).flatMap((one) => Object.entries(one).map(([name, print]) => [print, name])),
  );
  const found = new Map<string, number>();
  for (const [i, body] of info.bodies.entries()) {
    const name = names.get(fingerprintOf(program, info, body) ?? "");
    if (name !== undefined) found.set(name, info.importedFunctions + i);
  }
  if (!found.has(MARK) || found.size === 1) return undefined;
  const members = [...found].filter(([name]) => !SLOW.includes(name));
  return {
    family: members.map(([name, index]) => ({ name, index })).sort((a, b) => a.index - b.index),
    slow: SLOW.flatMap((name) => found.get(name) ?? []),
  };
}

/** What a function's code is without what linkers change; undefined when it has instructions that are not known. */
export function fingerprintOf(bytes: Uint8Array, info: ModuleInfo, { start, end }: Body): string | undefined {
  const hash = createHash("sha256");
  let from = start;
  const known = walkIfKnown(bytes, start, end, info, {
    ...IGNORE,
    linkedIndex: (kind, _index, at, behind) => {
      hash.update(bytes.subarray(from, at)).update(kind);
      from = behind;
    },
  });
  return known ? hash.update(bytes.subarray(from, end)).digest("base64") : undefined;
}

/** No fingerprints when the package's folder lib is not there: then names tell. */
async function readFingerprints(): Promise<Fingerprints> {
  try {
    return JSON.parse(await readFile(new URL("../../lib/fingerprints.json", import.meta.url), "utf8")) as Fingerprints;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
}
