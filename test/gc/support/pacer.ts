/**
 * The pacer compiled alone: its functions, and its record's fields by name. The offsets come from the class in the
 * source, whose fields are 8 bytes but the last two; the test of the layout compares them with the compiler's size.
 */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT, runTool } from "../../../scripts/build-tools.ts";

const SOURCE = "test/assembly/pacer.assembly.ts";
/** Where the record lies: anywhere 8-aligned. */
const RECORD = 64;
export const NONE = 2n ** 64n - 1n;
export const MIB = 1 << 20;

export const pacerSource = readFileSync(join(ROOT, "assembly/base/pacer.ts"), "utf8");

interface Field {
  offset: number;
  type: string;
}

function readFields(): Map<string, Field> {
  const body = /export class Pacer \{\n([^}]*)\n\}/.exec(pacerSource)![1]!;
  const fields = new Map<string, Field>();
  let offset = 0;
  for (const [, name, type] of body.matchAll(/^ {2}(\w+): (u64|i64|f64|u32|i32);/gm)) {
    fields.set(name!, { offset, type: type! });
    offset += type!.endsWith("32") ? 4 : 8;
  }
  return fields;
}

export const FIELDS = readFields();

type P = number;
/** What the test module exports; counts of bytes are bigint. */
export interface PacerExports {
  memory: WebAssembly.Memory;
  declaredSize(): number;
  recordSize(): number;
  initPacer(p: P): void;
  setGCPercent(p: P, percent: number): number;
  setMemoryLimit(p: P, bytes: bigint): bigint;
  setHeapMinimum(p: P, bytes: bigint): bigint;
  setWorkRatio(p: P, k: number): number;
  noteMemory(p: P, mappedReady: bigint, heapFree: bigint, heapAlloc: bigint): void;
  commit(p: P, done: number, ready: bigint, free: bigint, alloc: bigint, inUse: bigint, swept: bigint): void;
  startCycle(p: P): void;
  revise(p: P): void;
  endCycle(p: P, assistTime: number, idleTime: number, duration: number, procs: number): void;
  endCycleUntimed(p: P): void;
  resetLive(p: P, bytesMarked: bigint): void;
  shouldStart(p: P): number;
  assistWork(p: P, bytes: bigint): bigint;
  assistCredit(p: P, work: bigint): bigint;
  takeCredit(p: P, work: bigint): bigint;
  sweepDebt(p: P, spanBytes: bigint, callerPages: bigint, pagesSwept: bigint): bigint;
  sweepFinished(p: P): void;
  workDone(p: P): bigint;
  expectedWork(p: P): bigint;
  largestWork(p: P): bigint;
}

/** Compiles the pacer; about a second. */
export async function buildPacer(): Promise<WebAssembly.Module> {
  const dir = await mkdtemp(join(tmpdir(), "gomalloc-pacer-"));
  try {
    const file = join(dir, "pacer.wasm");
    const config = ["--config", "test/assembly/asconfig.json"];
    // Conversions that do not fit trap, as they do in programs compiled for older engines.
    const strict = ["--disable", "nontrapping-f2i"];
    await runTool("assemblyscript/bin/asc.js", [SOURCE, ...config, ...strict, "--outFile", file]);
    return new WebAssembly.Module(readFileSync(file));
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** One pacer in an instance of its own. Bytes go in as numbers or bigints, and come out as numbers, NONE as 2^64. */
export class Pacing {
  readonly e: PacerExports;
  #view: DataView;

  constructor(module: WebAssembly.Module) {
    this.e = new WebAssembly.Instance(module).exports as unknown as PacerExports;
    if (this.e.memory.buffer.byteLength === 0) this.e.memory.grow(1);
    this.#view = new DataView(this.e.memory.buffer);
    // What lay there before is none of initPacer's business.
    new Uint8Array(this.e.memory.buffer).fill(0xa5, 0, 4096);
    this.e.initPacer(RECORD);
  }

  readonly at = RECORD;

  #field(name: string): Field {
    const field = FIELDS.get(name);
    if (field === undefined) throw new Error(`Pacer has no field ${name}`);
    return field;
  }

  /** A field as it is: an unsigned bigint of a u64. */
  word(name: string): bigint {
    return this.#view.getBigUint64(RECORD + this.#field(name).offset, true);
  }

  get(name: string): number {
    const { offset, type } = this.#field(name);
    const at = RECORD + offset;
    if (type === "f64") return this.#view.getFloat64(at, true);
    if (type === "i64") return Number(this.#view.getBigInt64(at, true));
    if (type === "u64") return Number(this.#view.getBigUint64(at, true));
    return type === "i32" ? this.#view.getInt32(at, true) : this.#view.getUint32(at, true);
  }

  set(name: string, value: number | bigint): void {
    const { offset, type } = this.#field(name);
    const at = RECORD + offset;
    if (type === "f64") this.#view.setFloat64(at, Number(value), true);
    else if (type.endsWith("64")) this.#view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
    else this.#view.setInt32(at, Number(value), true);
  }

  /** Counts a field of bytes up. */
  add(name: string, value: number): void {
    this.set(name, this.word(name) + BigInt(value));
  }

  /** A commit of a heap whose memory nobody limits and whose sweep, if there is one, has no pages. */
  commit(sweepDone = true): void {
    this.e.commit(RECORD, Number(sweepDone), 0n, 0n, 0n, 0n, 0n);
  }

  /** The next cycle as if allocation had just reached the trigger; `fraction` of what was allocated is scannable. */
  startAtTrigger(fraction: number): void {
    const marked = this.word("heapMarked");
    const trigger = this.word("trigger");
    const live = trigger > marked ? trigger : marked;
    this.set("heapLive", live);
    this.add("heapScan", Math.trunc(Number(live - marked) * fraction));
    this.e.startCycle(RECORD);
  }
}
