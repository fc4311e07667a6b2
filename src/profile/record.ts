/**
 * A heap's record in the text form that Go serves as /debug/pprof/heap?debug=1: for eyes, and for pprof, which reads it
 * too. The numbers are those of the sampled blocks, unlike in the file: pprof unsamples them itself, by the rate in the
 * first line, which has twice the rate for reasons of history. Addresses behind @ are return addresses by that format,
 * which readers lower by one: they are one more than a frame's number.
 */
import { buildProfile, type ProfileOptions } from "./profile.js";
import { placeOf } from "./table.js";
import type { HeapRecord, Location, Sample, Values } from "./types.js";

export interface RecordTextOptions extends Omit<ProfileOptions, "unscaled"> {
  /** Lines for the end, such as "Alloc" and "Sys" of the heap's statistics, in their order. */
  readonly memStats?: Readonly<Record<string, number | bigint | string>> | undefined;
}

const NONE: Values = { allocObjects: 0, allocBytes: 0, inuseObjects: 0, inuseBytes: 0 };

/** The text. Stacks with most bytes in use come first. */
export function formatRecord(record: HeapRecord, options: RecordTextOptions = {}): string {
  const { samples } = buildProfile(record, { ...options, unscaled: true });
  const sorted = [...samples].sort((a, b) => b.inuseBytes - a.inuseBytes);
  const total = sorted.reduce(
    (sum, sample) => ({
      allocObjects: sum.allocObjects + sample.allocObjects,
      allocBytes: sum.allocBytes + sample.allocBytes,
      inuseObjects: sum.inuseObjects + sample.inuseObjects,
      inuseBytes: sum.inuseBytes + sample.inuseBytes,
    }),
    NONE,
  );
  const head = `heap profile: ${tuple(total)} @ heap/${2 * record.rate}\n`;
  const stats = Object.entries(options.memStats ?? {}).map(([name, value]) => `# ${name} = ${value}\n`);
  const end = stats.length === 0 ? "" : `\n# runtime.MemStats\n${stats.join("")}`;
  return head + sorted.map(row).join("") + end;
}

const tuple = ({ inuseObjects, inuseBytes, allocObjects, allocBytes }: Values): string =>
  `${inuseObjects}: ${inuseBytes} [${allocObjects}: ${allocBytes}]`;

function row(sample: Sample): string {
  const addresses = sample.stack.map(({ number }) => ` 0x${(number + 1).toString(16)}`).join("");
  return `${tuple(sample)} @${addresses}\n${sample.stack.map(lines).join("")}\n`;
}

function lines({ number, frames }: Location): string {
  return frames.map((frame) => `#\t0x${number.toString(16)}\t${frame.function}\t${placeOf(frame)}\n`).join("");
}
