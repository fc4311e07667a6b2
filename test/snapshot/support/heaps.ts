/** A heap whose snapshots tests draw and compare: some of everything, the same at each run. */
import { type HeapSnapshot, readSnapshot } from "../../../src/snapshot/index.ts";
import { between, random } from "../../support/random.ts";
import { open } from "../../support/wasm.ts";

/** What the series starts at, milliseconds of Unix time. */
export const TIME = 1_764_500_000_000;

/** Memory and snapshots of a host heap that grows, and then shrinks, in `rounds` rounds. */
export function series(rounds = 4): { memory: Uint8Array<ArrayBuffer>; snapshots: HeapSnapshot[] } {
  const r = random(11);
  const o = open("host", { initial: 3 });
  const live: number[] = [];
  const snapshots: HeapSnapshot[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < 800; i++) {
      if (live.length > 0 && r() % 10 < (round < rounds / 2 ? 2 : 7)) o.e.free(live.splice(r() % live.length, 1)[0]!);
      else live.push(o.e.malloc(between(r, 1, i % 40 === 0 ? 90_000 : 2000)));
      if (i % 8 === 0) o.e.mallocgc(between(r, 4, 500), (i >> 3) & 1, 1);
    }
    const samples = [
      { address: live[0]!, size: 77, age: 65_000, stack: ["parse (json.c:12)", "<b>main</b> (main.c:3)"] },
    ];
    snapshots.push(readSnapshot(o.mem.memory, { time: TIME + round * 1500, samples, label: `round ${round}` }));
  }
  return { memory: o.mem.u8.slice(), snapshots };
}

/** A core dump of a program: the memory's pages that are not zero as data, after the layout of tool-conventions. */
export function coredump(memory: Uint8Array, executable = "app.wasm"): Uint8Array<ArrayBuffer> {
  const leb = (value: number): number[] => {
    const bytes: number[] = [];
    do {
      bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
      value = Math.floor(value / 128);
    } while (value > 0);
    return bytes;
  };
  const signed = (value: number): number[] => {
    const bytes: number[] = [];
    for (let left = value | 0; ; ) {
      const byte = left & 0x7f;
      left >>= 7;
      if ((left === 0 && (byte & 0x40) === 0) || (left === -1 && (byte & 0x40) !== 0)) return [...bytes, byte];
      bytes.push(byte | 0x80);
    }
  };
  const text = (value: string) => [...leb(value.length), ...Buffer.from(value)];
  const section = (id: number, body: Uint8Array | number[]) => [
    Buffer.from([id, ...leb(body.length)]),
    Buffer.from(body),
  ];
  const parts: Buffer[] = [];
  let count = 0;
  for (let at = 0; at < memory.length; at += 4096) {
    const page = memory.subarray(at, at + 4096);
    if (page.every((byte) => byte === 0)) continue;
    parts.push(Buffer.from([0, 0x41, ...signed(at), 0x0b, ...leb(page.length)]), Buffer.from(page));
    count++;
  }
  const pages = memory.length / 65536;
  return new Uint8Array(
    Buffer.concat([
      Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
      ...section(0, [...text("core"), 0, ...text(executable)]),
      ...section(0, [...text("corestack"), 0, ...text("main"), 0]),
      ...section(5, [1, 1, ...leb(pages), ...leb(pages)]),
      ...section(11, Buffer.concat([Buffer.from(leb(count)), ...parts])),
    ]),
  );
}
