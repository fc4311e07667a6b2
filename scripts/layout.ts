/**
 * The layout of the heap's records, read out of files of assembly/: constants by name, and the fields of each record
 * with offset and size. gen-layout.ts writes what readers from outside need of it; a test that walks the records word by
 * word goes along with every change of them.
 */
import { readFileSync } from "node:fs";

export interface Field {
  name: string;
  offset: number;
  size: number;
}

export interface Layout {
  /** Value of each constant. */
  constants: Readonly<Record<string, number>>;
  /** Fields of each class, in order. */
  records: ReadonlyMap<string, readonly Field[]>;
}

/** The switches of assembly/base/config.ts that decide on the layout. */
export interface Switches {
  host?: boolean;
  shared?: boolean;
  asc?: boolean;
  finalize?: boolean;
  samples?: boolean;
}

const SIZES: Record<string, number> = { u8: 1, u16: 2, u32: 4, i32: 4, u64: 8, i64: 8, f64: 8 };

/** In an order in which each file only uses constants of those before it. */
const FILES = ["abinumbers", "config", "layout", "gcstate", "pacer", "counters", "samples", "hooks"]
  .map((name) => `base/${name}.ts`)
  .concat(["heap/pagealloc.ts", "heap/persistent.ts", "heap/runs.ts"]);

const read = (file: string) => readFileSync(new URL(`../assembly/${file}`, import.meta.url), "utf8");

/** The layout of a host flavour. */
export const hostLayout = (shared: boolean): Layout => layoutOf({ host: true, shared });

/** The layout of the flavour that these switches make. Throws what a constant's expression throws. */
export function layoutOf(switches: Switches): Layout {
  const { host = false, shared = false, asc = false, finalize = false, samples = false } = switches;
  const flags = { HOST: host, SHARED: shared, ASC: asc, FINALIZE: finalize, SAMPLES: samples };
  const constants: Record<string, number> = {};
  for (const [name, on] of Object.entries(flags)) constants[name] = Number(on);
  const records = new Map<string, Field[]>();
  for (const file of FILES) {
    const source = read(file);
    for (const [, name = "", expression = ""] of source.matchAll(/@inline export const (\w+): \w+ =([^;]+);/g)) {
      if (name in constants || /[<"]\w|isDefined/.test(expression)) continue;
      const names = Object.keys(constants);
      constants[name] = Number(new Function(...names, `return (${expression})`)(...names.map((n) => constants[n])));
    }
    for (const [, name = "", body = ""] of source.matchAll(/export class (\w+) \{\n([\s\S]+?)\n\}/g)) {
      let offset = 0;
      const fields: Field[] = [];
      for (const [, field = "", type = ""] of body.matchAll(/^ {2}(\w+): (\w+);/gm)) {
        const size = SIZES[type] ?? 4;
        offset = Math.ceil(offset / size) * size;
        fields.push({ name: field, offset, size });
        offset += size;
      }
      records.set(name, fields);
    }
  }
  return { constants, records };
}

/** The field at byte `offset` of a record, as "Record.field". */
export function fieldAt(layout: Layout, record: string, offset: number): string {
  const field = layout.records.get(record)?.find((f) => offset >= f.offset && offset < f.offset + f.size);
  return `${record}.${field?.name ?? `+${offset}`}`;
}
