/**
 * What has changed from one profile to another, as `go tool pprof -diff_base` has it: the second less the first, sample
 * by sample; what has become less is negative. Samples that are the same in both are left out.
 */
import type { Location, Profile, Sample } from "./types.js";

/**
 * `later` less `base`. Both may be of different builds of the program: then functions and lines are compared, else
 * addresses. Two rates give two estimates, whose difference is one too.
 */
export function diffProfiles(base: Profile, later: Profile): Profile {
  const keyOf = sameFile(base, later) ? addressKey : sourceKey;
  const changes = new Map<string, Sample>();
  const add = (sample: Sample, sign: 1 | -1) => {
    const key = `${sample.size} ${sample.stack.map(keyOf).join("\n")}`;
    changes.set(key, plus(changes.get(key), sample, sign));
  };
  for (const sample of later.samples) add(sample, 1);
  for (const sample of base.samples) add(sample, -1);
  const { timeNanos, ...rest } = later;
  const { timeNanos: from } = base;
  return {
    ...rest,
    ...(timeNanos === undefined ? {} : { timeNanos }),
    ...(timeNanos === undefined || from === undefined ? {} : { durationNanos: timeNanos - from }),
    samples: [...changes.values()].filter(
      ({ allocObjects, allocBytes, inuseObjects, inuseBytes }) =>
        allocObjects !== 0 || allocBytes !== 0 || inuseObjects !== 0 || inuseBytes !== 0,
    ),
  };
}

function sameFile({ program: a }: Profile, { program: b }: Profile): boolean {
  return a.buildId === b.buildId && a.size === b.size;
}

const addressKey = ({ number }: Location): string => String(number);

const sourceKey = ({ frames }: Location): string =>
  frames.map(({ function: name, file, line }) => `${name} ${file ?? ""}:${line ?? ""}`).join("\n");

function plus(sum: Sample | undefined, sample: Sample, sign: 1 | -1): Sample {
  const of = (key: "allocObjects" | "allocBytes" | "inuseObjects" | "inuseBytes") =>
    (sum?.[key] ?? 0) + sign * sample[key];
  return {
    stack: (sum ?? sample).stack,
    size: sample.size,
    allocObjects: of("allocObjects"),
    allocBytes: of("allocBytes"),
    inuseObjects: of("inuseObjects"),
    inuseBytes: of("inuseBytes"),
  };
}
