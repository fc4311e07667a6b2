/**
 * The pprof file of a heap profile, which `go tool pprof`, speedscope and others open: a protobuf message,
 * usually compressed by gzip. Field numbers are those of profile.proto.
 *
 * Written here rather than by pprof-format, so that users install nothing; docs/profile.md has the figures. The tests
 * read it back with pprof-format and with Go's own pprof.
 */
import { Message } from "./protobuf.js";
import type { Location, Profile, SourceFrame } from "./types.js";

/** The numbers of a sample, in the order of the file. */
export const SAMPLE_TYPES = ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"] as const;
export type SampleType = (typeof SAMPLE_TYPES)[number];

const UNITS: Record<SampleType, "count" | "bytes"> = {
  alloc_objects: "count",
  alloc_space: "bytes",
  inuse_objects: "count",
  inuse_space: "bytes",
};

export interface PprofOptions {
  /** What viewers show first. Default: "inuse_space"; Go's "allocs" profile has "alloc_space". */
  readonly defaultSampleType?: SampleType | undefined;
  /** Free text that `go tool pprof -comments` shows. */
  readonly comments?: readonly string[] | undefined;
}

/** Number of the only mapping. */
const MAPPING = 1;

/**
 * The file without compression, which pprof reads as well. In Node, gzipSync of node:zlib makes a compressed one of it
 * without waiting.
 */
export function encodePprof(profile: Profile, options: PprofOptions = {}): Uint8Array<ArrayBuffer> {
  const { defaultSampleType = "inuse_space", comments = [] } = options;
  const file = new Message();
  const texts = new Texts();
  const valueType = (type: string, unit: string) => {
    const message = new Message();
    message.int(1, texts.at(type));
    message.int(2, texts.at(unit));
    return message;
  };
  for (const type of SAMPLE_TYPES) file.message(1, valueType(type, UNITS[type]));

  const functions = new Functions(file, texts);
  const ids = new Map<Location, number>();
  const written = new Map<string, number>();
  const idOf = (location: Location): number => {
    let id = ids.get(location);
    if (id === undefined) {
      // In a difference both profiles have it
      const key = `${location.number} ${location.frames.map((frame) => functions.at(frame)).join(" ")}`;
      id = written.get(key) ?? written.size + 1;
      if (id > written.size) writeLocation(file, id, location, functions);
      written.set(key, id);
      ids.set(location, id);
    }
    return id;
  };
  for (const { stack, size, allocObjects, allocBytes, inuseObjects, inuseBytes } of profile.samples) {
    const sample = new Message();
    sample.packed(1, stack.map(idOf));
    sample.packed(2, [allocObjects, allocBytes, inuseObjects, inuseBytes]);
    if (size > 0) {
      const label = new Message();
      label.int(1, texts.at("bytes"));
      label.int(3, size);
      sample.message(3, label);
    }
    file.message(2, sample);
  }
  file.message(3, mapping(profile, texts));
  for (const comment of comments) file.int(13, texts.at(comment));
  file.int(9, profile.timeNanos ?? 0n);
  file.int(10, profile.durationNanos ?? 0n);
  file.message(11, valueType("space", "bytes"));
  file.int(12, profile.rate);
  file.int(14, texts.at(defaultSampleType));
  for (const text of texts.all) file.text(6, text);
  return file.done();
}

/** The file as it is usually kept, compressed. Needs CompressionStream: browsers of 2023, Node 18 and later. */
export async function pprofFile(profile: Profile, options: PprofOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const plain = new Blob([encodePprof(profile, options)]).stream();
  const packed = plain.pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/** The program's file: addresses are offsets in it. */
function mapping({ program }: Profile, texts: Texts): Message {
  const message = new Message();
  message.int(1, MAPPING);
  message.int(3, program.size ?? 0x7fffffff);
  message.int(5, texts.at(program.name ?? "program.wasm"));
  if (program.buildId !== undefined) message.int(6, texts.at(program.buildId));
  // Functions, files, lines and inlined calls are in the file: nobody is to look for the program
  for (const field of [7, 8, 9, 10]) message.int(field, 1);
  return message;
}

function writeLocation(file: Message, id: number, { address, frames }: Location, functions: Functions): void {
  const message = new Message();
  message.int(1, id);
  if (address !== undefined) {
    message.int(2, MAPPING);
    message.int(3, address);
  }
  for (const frame of frames) {
    const line = new Message();
    line.int(1, functions.at(frame));
    line.int(2, frame.line ?? 0);
    line.int(3, frame.column ?? 0);
    message.message(4, line);
  }
  file.message(4, message);
}

/** The string table. */
class Texts {
  readonly #indices = new Map<string, number>([["", 0]]);

  at(text: string): number {
    let index = this.#indices.get(text);
    if (index === undefined) {
      index = this.#indices.size;
      this.#indices.set(text, index);
    }
    return index;
  }

  get all(): Iterable<string> {
    return this.#indices.keys();
  }
}

/** The table of functions, written as they are met. */
class Functions {
  readonly #ids = new Map<string, number>();

  constructor(
    readonly file: Message,
    readonly texts: Texts,
  ) {}

  at({ function: name, systemName, file, startLine }: SourceFrame): number {
    const key = `${name}\n${systemName ?? ""}\n${file ?? ""}\n${startLine ?? ""}`;
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#ids.size + 1;
      this.#ids.set(key, id);
      const message = new Message();
      message.int(1, id);
      message.int(2, this.texts.at(name));
      message.int(3, this.texts.at(systemName ?? name));
      message.int(4, this.texts.at(file ?? ""));
      message.int(5, startLine ?? 0);
      this.file.message(5, message);
    }
    return id;
  }
}
