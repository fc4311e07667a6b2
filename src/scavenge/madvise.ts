/**
 * Memory goes back by the system's own calls, through the optional package koffi. Node (and what runs Node's addons) on
 * Linux and macOS.
 *
 *   Linux   madvise(MADV_DONTNEED): the pages are gone at once, and read as zero
 *   macOS   there that keeps the bytes; a new private mapping over the old one has the same effect (mmap, MAP_FIXED)
 *
 * Windows is refused: there V8's memories are committed by calls of its own. Loaded only when madvise() is called.
 * Cost: some 2 us a call, and what the system needs to take the pages, some 5 us for 64 KiB.
 */
import { ScavengeError } from "../base/errors.js";
import type { Release } from "./release.js";

const MADV_DONTNEED = 4;
const PROT_READ_WRITE = 3;
/** MAP_PRIVATE, MAP_FIXED and MAP_ANON of macOS. */
const MACOS_MAP = 0x2 | 0x10 | 0x1000;

type Native = (...args: unknown[]) => unknown;

/** What is used of koffi. */
interface Koffi {
  load(path: string | null): { func(prototype: string): Native };
}

interface Process {
  readonly platform: string;
  readonly versions?: { readonly node?: string };
}

/**
 * A way to give memory back by system calls. Rejects with ScavengeError outside of Node, on systems other than Linux and
 * macOS, and without the package koffi (npm install koffi).
 */
export async function madvise(): Promise<Release> {
  const { process } = globalThis as { process?: Process };
  if (process?.versions?.node === undefined) {
    const remedy = "in other engines pass a function of your own as the option release";
    throw new ScavengeError("unavailable", "madvise() needs Node", remedy);
  }
  const { platform } = process;
  if (platform !== "linux" && platform !== "darwin") {
    const remedy = "copy what is live into a new heap and drop this one, docs/scavenge.md shows how";
    throw new ScavengeError("unavailable", `madvise() knows Linux and macOS, not ${platform}`, remedy);
  }
  const libc = (await loadKoffi()).load(null);
  return platform === "linux" ? byAdvice(libc) : byMapping(libc);
}

async function loadKoffi(): Promise<Koffi> {
  // A name that is put together, so that bundlers do not look for an optional package.
  const name = ["kof", "fi"].join("");
  try {
    const found = (await import(/* @vite-ignore */ name)) as { default?: Koffi } & Koffi;
    return found.default ?? found;
  } catch (cause) {
    throw new ScavengeError("koffi", "the package koffi cannot be loaded", "npm install koffi", { cause });
  }
}

type Library = ReturnType<Koffi["load"]>;

/** The bytes as an argument of a native function: their address. */
function bytesOf(memory: WebAssembly.Memory, address: number, bytes: number): Uint8Array {
  return new Uint8Array(memory.buffer, address, bytes);
}

function byAdvice(libc: Library): Release {
  const call = libc.func("int madvise(void *addr, size_t length, int advice)");
  return (memory, address, bytes) => call(bytesOf(memory, address, bytes), bytes, MADV_DONTNEED) === 0;
}

function byMapping(libc: Library): Release {
  const call = libc.func("intptr_t mmap(void *addr, size_t length, int prot, int flags, int fd, int64_t offset)");
  return (memory, address, bytes) => {
    const at = call(bytesOf(memory, address, bytes), bytes, PROT_READ_WRITE, MACOS_MAP, -1, 0);
    return Number(at) !== -1;
  };
}
