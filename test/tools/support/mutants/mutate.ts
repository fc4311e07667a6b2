/**
 * Damage done to modules: bytes, lengths, sections, code, names and limits, from a seed. The same module and seed give
 * the same mutant.
 */
import {
  addCustomSection,
  concat,
  encodeName,
  encodeU32,
  removeCustomSections,
  renameExports,
  renameImports,
  replaceSection,
  vector,
} from "../../../../src/wasm/edit.ts";
import { inspect, type ModuleInfo, SECTION } from "../../../../src/wasm/parse.ts";
import { between, type Random, random } from "../../../support/random.ts";

export interface Subject {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly info: ModuleInfo;
}

type Mutation = (subject: Subject, r: Random, others: readonly Subject[]) => Uint8Array;

/** Names that mean something to JavaScript, to the tools, or to nobody. */
const NAMES = [
  ...["__proto__", "constructor", "toString", "valueOf", "then", "hasOwnProperty", "", "malloc", "free", "calloc"],
  ...[
    "realloc",
    "memory",
    "env",
    "gomalloc",
    "dlmalloc",
    "sbrk",
    "__heap_base",
    "gomalloc_on_misuse",
    "init",
    "_start",
  ],
  ...["gomalloc-link:memory", "gomalloc-link:program", "gomalloc:malloc", "gomalloc:probe:1", "gomalloc_heap_base"],
  ...["emscripten_resize_heap", "wasi_thread_start", "\ufeffmemory", "\u0000", "\u001b[31m", "a".repeat(70_000)],
];
const CUSTOM = [
  ...[
    "name",
    "target_features",
    "producers",
    "sourceMappingURL",
    "external_debug_info",
    "linking",
    "dylink.0",
    "reloc.CODE",
  ],
  ...["binaryen.inline", "metadata.code.branch_hint", "metadata.code.inline", ".debug_info", "__proto__", ""],
];
const BYTES = [0, 1, 2, 3, 0x0b, 0x10, 0x1a, 0x20, 0x3f, 0x40, 0x41, 0x5f, 0x60, 0x6f, 0x70, 0x7f, 0x80, 0xff];
/** Numbers as files have them, those that no file should have among them. */
const NUMBERS = [
  [0],
  [1],
  [0x7f],
  [0x80, 0x00],
  [0x80, 0x80, 0x80, 0x80, 0x00],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0x7f],
  [0xff, 0xff, 0x03],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
  [0xfe, 0xff, 0xff, 0xff, 0x0f],
];

const pick = <T>(r: Random, list: readonly T[]): T => list[r() % list.length]!;
const splice = (bytes: Uint8Array, from: number, to: number, put: ArrayLike<number>) =>
  concat(bytes.subarray(0, from), Uint8Array.from(put), bytes.subarray(to));
/** Places in the file where a length or a number of entries stands. */
const lengths = ({ sections, bodies }: ModuleInfo, r: Random): number => {
  const section = pick(r, sections);
  return pick(r, [
    section.start + 1,
    section.body,
    pick(r, bodies)?.start ?? section.body,
    ...bodies.slice(0, 3).map(({ start }) => start - 1),
  ]);
};
/** A place in one section: small ones are met as often as large ones. */
function place({ sections }: ModuleInfo, r: Random): number {
  const { start, end } = pick(r, sections);
  return between(r, start, Math.max(start, end - 1));
}
function endOfNumber(bytes: Uint8Array, at: number): number {
  let end = at;
  while (end < bytes.length && bytes[end]! >= 0x80 && end < at + 10) end++;
  return Math.min(end + 1, bytes.length);
}

/** The code section with body `index` changed by `change`, and all lengths as they should be. */
function withBody({ bytes, info }: Subject, index: number, change: (body: Uint8Array) => Uint8Array): Uint8Array {
  const bodies = info.bodies.map(({ start, end }, i) => {
    const body = bytes.subarray(start, end);
    const now = i === index ? change(body) : body;
    return concat(encodeU32(now.length), now);
  });
  return replaceSection(bytes, info, SECTION.code, vector(bodies)).bytes;
}

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  cut: ({ bytes, info }, r) => bytes.slice(0, r() % 3 === 0 ? between(r, 0, bytes.length) : place(info, r)),
  flip: ({ bytes, info }, r) => {
    const changed = bytes.slice();
    for (let n = between(r, 1, 4); n > 0; n--) {
      const at = place(info, r);
      changed[at] = r() % 2 === 0 ? pick(r, BYTES) : changed[at]! ^ (1 << (r() % 8));
    }
    return changed;
  },
  length: ({ bytes, info }, r) => {
    const at = lengths(info, r);
    return splice(bytes, at, endOfNumber(bytes, at), pick(r, NUMBERS));
  },
  insert: ({ bytes, info }, r) => {
    const at = place(info, r);
    return splice(
      bytes,
      at,
      at,
      Array.from({ length: between(r, 1, 6) }, () => pick(r, BYTES)),
    );
  },
  section: ({ bytes, info }, r) => {
    const parts = info.sections.map(({ start, end }) => bytes.subarray(start, end));
    const [i, j] = [r() % parts.length, r() % parts.length];
    const how = r() % 3;
    if (how === 0) parts.splice(i, 1);
    else if (how === 1) parts.splice(j, 0, parts[i]!);
    else [parts[i], parts[j]] = [parts[j]!, parts[i]!];
    return concat(bytes.subarray(0, 8), ...parts);
  },
  graft: ({ bytes, info }, r, others) => {
    const other = pick(r, others);
    const theirs = pick(r, other.info.sections);
    const ours = info.sections.find(({ id }) => id === theirs.id) ?? pick(r, info.sections);
    return splice(bytes, ours.start, ours.end, other.bytes.subarray(theirs.start, theirs.end));
  },
  opcode: (subject, r) => {
    const { info } = subject;
    if (info.bodies.length === 0) return subject.bytes;
    return withBody(subject, r() % info.bodies.length, (body) => {
      const changed = body.slice();
      for (let n = between(r, 1, 3); n > 0; n--)
        changed[r() % changed.length] = r() % 2 === 0 ? r() % 256 : 0x45 + (r() % 128);
      return changed;
    });
  },
  code: (subject, r) => {
    const { info } = subject;
    if (info.bodies.length === 0) return subject.bytes;
    const block = () =>
      pick(r, [
        [0x02, 0x40],
        [0x03, 0x40],
        [0x0b],
        [0x05],
        [0x00],
        [0x41, 0x80],
        [0x1a],
        [0x10, 0],
        [0x3f, 0, 0x40, 0],
        [0x01],
      ]);
    return withBody(subject, r() % info.bodies.length, (body) => {
      const at = pick(r, [0, 1, body.length, body.length - 1, r() % body.length]);
      const depth = r() % 20 === 0 ? 50_000 : between(r, 1, 3);
      const one = block();
      return splice(body, at, at, Array.from({ length: depth }, () => one).flat());
    });
  },
  imports: ({ bytes, info }, r) => {
    const which = r() % Math.max(1, info.imports.length);
    const [first, second] = [pick(r, NAMES), pick(r, NAMES)];
    let i = 0;
    return renameImports(bytes, ({ module, name }) =>
      i++ === which
        ? pick(r, [
            { module: first, name: second },
            { module, name: second },
            { module: first, name },
          ])
        : undefined,
    ).bytes;
  },
  exports: ({ bytes, info }, r) => {
    const which = r() % Math.max(1, info.exports.length);
    let i = 0;
    return renameExports(bytes, () => (i++ === which ? pick(r, NAMES) : undefined)).bytes;
  },
  names: ({ bytes, info }, r) => {
    const count = info.functions.length;
    const entries = Array.from({ length: between(r, 1, 12) }, () =>
      concat(encodeU32(r() % 4 === 0 ? r() : r() % (count + 1)), encodeName(pick(r, NAMES))),
    );
    const contents = vector(entries);
    const damaged = r() % 3 === 0 ? contents.subarray(0, r() % contents.length) : contents;
    const bare = removeCustomSections(bytes, (name) => name === "name").bytes;
    return addCustomSection(bare, "name", concat(Uint8Array.of(1), encodeU32(contents.length), damaged)).bytes;
  },
  custom: ({ bytes }, r) => {
    const contents = Uint8Array.from({ length: r() % 24 }, () => (r() % 2 === 0 ? pick(r, BYTES) : r() % 256));
    return addCustomSection(bytes, pick(r, CUSTOM), contents).bytes;
  },
  limits: ({ bytes, info }, r) => {
    const memory = info.memories[0];
    if (memory === undefined) return bytes;
    const pages = () => encodeU32(pick(r, [0, 1, 2, 17, 1000, 65535, 65536, 65537, 2 ** 32 - 1, 2 ** 32, 2 ** 40]));
    const flags = pick(r, [0, 1, 1, 2, 3, 4, 5, 8, 16]);
    const limits = concat(Uint8Array.of(flags), pages(), ...(flags & 1 ? [pages()] : []));
    const changed = splice(bytes, memory.start, memory.end, limits);
    const section = info.sections.find(({ start, end }) => start < memory.start && end >= memory.end)!;
    const size = section.end - section.body + limits.length - (memory.end - memory.start);
    return splice(changed, section.start + 1, section.body, encodeU32(size));
  },
};
export const KINDS = Object.keys(MUTATIONS);

/** The mutant of a seed, and what was done to it. */
export function mutate(
  subject: Subject,
  seed: number,
  others: readonly Subject[],
): { bytes: Uint8Array<ArrayBuffer>; kinds: readonly string[] } {
  const r = random(seed);
  const kinds: string[] = [];
  let now = subject;
  for (let n = pick(r, [1, 1, 1, 2, 3]); n > 0; n--) {
    const kind = pick(r, KINDS);
    const bytes = new Uint8Array(MUTATIONS[kind]!(now, r, others));
    kinds.push(kind);
    // Once it cannot be read any more, there is nothing to aim at.
    const info = readable(bytes);
    if (info === undefined) return { bytes, kinds };
    now = { ...now, bytes, info };
  }
  return { bytes: now.bytes, kinds };
}

function readable(bytes: Uint8Array): ModuleInfo | undefined {
  try {
    const info = inspect(bytes);
    return info.sections.length > 0 ? info : undefined;
  } catch {
    return undefined;
  }
}
