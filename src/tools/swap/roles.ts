/**
 * The members of the malloc family: their types, the names under which C libraries have them, and what takes the place
 * of their bodies.
 *
 * A new body calls imports from module "gomalloc" and nothing else, so internal callers and table entries follow.
 */

import type { FunctionType } from "../../wasm/parse.js";
import type { Binaryen } from "../binaryen.js";
import { ROLE_NAMES, type RoleName } from "./rolenames.js";

type Module = InstanceType<Binaryen["Module"]>;

export interface Role {
  readonly type: FunctionType;
  /** Names in name sections and exports. */
  readonly names: readonly string[];
  /** Functions of the family that the new body calls. */
  readonly imports: readonly string[];
  /** The new body; parameters are the first locals, then `locals` i32 ones. */
  readonly body: (module: Module, binaryen: Binaryen) => number;
  readonly locals?: number;
}

function signature(params: number, result: boolean): FunctionType {
  return { params: Array<string>(params).fill("i32"), results: result ? ["i32"] : [] };
}

/** What the module calls gomalloc's function `name` internally; its own functions may have the plain name. */
export function internalName(name: string): string {
  return `gomalloc:${name}`;
}

/** A member that gomalloc has under the same name and type. */
function direct(name: string, params: number, result: boolean, names: readonly string[]): Role {
  return {
    type: signature(params, result),
    names,
    imports: [name],
    body: (m, { i32, none }) =>
      m.call(
        internalName(name),
        Array.from({ length: params }, (_, i) => m.local.get(i, i32)),
        result ? i32 : none,
      ),
  };
}

/** error numbers of the C libraries for WebAssembly (wasi-libc, emscripten), which are not Linux's. */
const EINVAL = 28;
const ENOMEM = 48;
/** gomalloc aligns smaller blocks to 8. */
const ALIGNED_BY_MALLOC = 8;

/** The names of a plain member, its prefixed twins included. */
function variants(name: string): string[] {
  return [name, `dl${name}`, `__libc_${name}`, `emscripten_builtin_${name}`, `emmalloc_${name}`, `__wrap_${name}`];
}

export const ROLES = {
  malloc: direct("malloc", 1, true, variants("malloc")),
  free: direct("free", 1, false, variants("free")),
  calloc: direct("calloc", 2, true, variants("calloc")),
  realloc: direct("realloc", 2, true, variants("realloc")),
  memalign: direct("memalign", 2, true, variants("memalign")),
  aligned_alloc: direct("aligned_alloc", 2, true, variants("aligned_alloc")),
  posix_memalign: {
    type: signature(3, true),
    names: variants("posix_memalign"),
    imports: ["aligned_alloc"],
    locals: 1,
    body: (m, { i32 }) => {
      const [out, align, block] = [m.local.get(0, i32), m.local.get(1, i32), 3];
      const bits = m.i32.and(align, m.i32.sub(m.local.get(1, i32), m.i32.const(1)));
      const small = m.i32.lt_u(m.local.get(1, i32), m.i32.const(4));
      return m.block(null, [
        m.if(m.i32.or(bits, small), m.return(m.i32.const(EINVAL))),
        m.local.set(block, m.call(internalName("aligned_alloc"), [m.local.get(1, i32), m.local.get(2, i32)], i32)),
        m.if(m.i32.eqz(m.local.get(block, i32)), m.return(m.i32.const(ENOMEM))),
        m.i32.store(0, 4, out, m.local.get(block, i32)),
        m.return(m.i32.const(0)),
      ]);
    },
  },
  malloc_usable_size: direct("malloc_usable_size", 1, true, [
    ...variants("malloc_usable_size"),
    "dlmalloc_usable_size",
    "emmalloc_usable_size",
    "__malloc_usable_size",
  ]),
  malloc_trim: direct("malloc_trim", 1, true, ["malloc_trim", "dlmalloc_trim", "emmalloc_trim"]),
  /** Tunes what is gone: says that it does not know the parameter. */
  mallopt: { ...constant(2, 0), names: ["mallopt", "dlmallopt"] },
  /** May always say that the block cannot grow where it is. */
  realloc_in_place: {
    ...constant(2, 0),
    names: ["realloc_in_place", "dlrealloc_in_place", "emmalloc_realloc_try"],
  },
  /** What filled the old allocator's state before the program began. */
  initialiser: {
    type: signature(0, false),
    names: ["initialize_emmalloc_heap", "emmalloc_initialize_heap"],
    imports: [],
    body: (m) => m.nop(),
  },

  // Rust: size and alignment come with every call
  rust_alloc: {
    type: signature(2, true),
    names: ["__rust_alloc", "__rdl_alloc"],
    imports: ["malloc", "aligned_alloc"],
    body: (m, binaryen) => alignedMalloc(m, binaryen, 0, 1),
  },
  rust_dealloc: {
    type: signature(3, false),
    names: ["__rust_dealloc", "__rdl_dealloc"],
    imports: ["free"],
    body: (m, { i32, none }) => m.call(internalName("free"), [m.local.get(0, i32)], none),
  },
  rust_realloc: {
    type: signature(4, true),
    names: ["__rust_realloc", "__rdl_realloc"],
    imports: ["realloc", "aligned_alloc", "free"],
    locals: 1,
    body: (m, { i32, none }) => {
      const [pointer, oldSize, align, newSize] = [0, 1, 2, 3].map((i) => () => m.local.get(i, i32)) as [
        Get,
        Get,
        Get,
        Get,
      ];
      const block = () => m.local.get(4, i32);
      const smaller = m.select(m.i32.lt_u(oldSize(), newSize()), oldSize(), newSize());
      return m.block(null, [
        m.if(
          m.i32.le_u(align(), m.i32.const(ALIGNED_BY_MALLOC)),
          m.return(m.call(internalName("realloc"), [pointer(), newSize()], i32)),
        ),
        m.local.set(4, m.call(internalName("aligned_alloc"), [align(), newSize()], i32)),
        m.if(
          block(),
          m.block(null, [m.memory.copy(block(), pointer(), smaller), m.call(internalName("free"), [pointer()], none)]),
        ),
        m.return(block()),
      ]);
    },
  },
  rust_alloc_zeroed: {
    type: signature(2, true),
    names: ["__rust_alloc_zeroed", "__rdl_alloc_zeroed"],
    imports: ["calloc", "aligned_alloc"],
    locals: 1,
    body: (m, { i32 }) =>
      m.block(null, [
        m.if(
          m.i32.le_u(m.local.get(1, i32), m.i32.const(ALIGNED_BY_MALLOC)),
          m.return(m.call(internalName("calloc"), [m.i32.const(1), m.local.get(0, i32)], i32)),
        ),
        m.local.set(2, m.call(internalName("aligned_alloc"), [m.local.get(1, i32), m.local.get(0, i32)], i32)),
        m.if(m.local.get(2, i32), m.memory.fill(m.local.get(2, i32), m.i32.const(0), m.local.get(0, i32))),
        m.return(m.local.get(2, i32)),
      ]),
  },
} as const satisfies Record<RoleName, Role>;

type Get = () => number;

function constant(params: number, value: number): Omit<Role, "names"> {
  return { type: signature(params, true), imports: [], body: (m) => m.i32.const(value) };
}

function alignedMalloc(m: Module, { i32 }: Binaryen, size: number, align: number): number {
  return m.if(
    m.i32.le_u(m.local.get(align, i32), m.i32.const(ALIGNED_BY_MALLOC)),
    m.call(internalName("malloc"), [m.local.get(size, i32)], i32),
    m.call(internalName("aligned_alloc"), [m.local.get(align, i32), m.local.get(size, i32)], i32),
  );
}

const BY_NAME = new Map(ROLE_NAMES.flatMap((role) => ROLES[role].names.map((name) => [name, role] as const)));

/** The role that a function's name stands for. Rust's own names come mangled, or with the crate in front. */
export function roleOfName(name: string): RoleName | undefined {
  const plain = BY_NAME.get(name);
  if (plain !== undefined) return plain;
  const rust = /(?:^|_R\w*?|::|\d)(__(?:rust|rdl)_(?:alloc_zeroed|alloc|dealloc|realloc))$/.exec(name)?.[1];
  return rust === undefined ? undefined : BY_NAME.get(rust);
}
