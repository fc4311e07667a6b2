/**
 * The line table of one unit: which file, line and column the code from an address on comes from. A program of small
 * steps in .debug_line, run once and kept as rows; DWARF 2 to 5. A damaged one ends at its damage.
 */
import { malformed } from "../../wasm/reader.js";
import { lastBefore } from "../search.js";
import { Cursor } from "./cursor.js";
import { FORM, readForm } from "./forms.js";
import { type Bases, type DwarfSections, textOf } from "./sections.js";

export interface Row {
  /** A path; undefined when the table does not say. */
  readonly file: string | undefined;
  /** From 1; 0: code that no line is the source of. */
  readonly line: number;
  /** From 1; 0: unknown. */
  readonly column: number;
}

/** Rows of increasing addresses, from the index `first` to before `last`, for code from `start` to before `end`. */
interface Sequence {
  readonly start: number;
  readonly end: number;
  readonly first: number;
  readonly last: number;
}

/** Contents of a table of files or folders in DWARF 5. */
const CONTENT = { path: 1, directory: 2 } as const;

const STANDARD = {
  extended: 0,
  copy: 1,
  advancePc: 2,
  advanceLine: 3,
  setFile: 4,
  setColumn: 5,
  constAddPc: 8,
  fixedAdvancePc: 9,
} as const;
const EXTENDED = { endSequence: 1, setAddress: 2, defineFile: 3 } as const;

export class LineTable {
  readonly #folders: string[] = [];
  readonly #files: { name: string; folder: number }[] = [];
  /** The number of the first file: 0 from DWARF 5 on. */
  #firstFile = 1;
  /** Address, file, line and column of every row, in turn. */
  readonly #rows: number[] = [];
  readonly #sequences: Sequence[] = [];

  /** The table at `offset`; `codeSize` is where code ends. */
  constructor(
    sections: DwarfSections,
    bases: Bases,
    offset: number,
    readonly folder: string,
    codeSize: number,
  ) {
    try {
      this.#read(sections, bases, offset, codeSize);
    } catch {
      // What came before the damage counts
    }
    this.#sequences.sort((a, b) => a.start - b.start);
  }

  /** The row for the instruction at an address. */
  row(address: number): Row | undefined {
    const sequence = this.#sequences[lastBefore(this.#sequences.length, (i) => this.#sequences[i]!.start <= address)];
    if (sequence === undefined || address >= sequence.end) return undefined;
    const { first, last } = sequence;
    const row = first + lastBefore(last - first, (i) => this.#rows[4 * (first + i)]! <= address);
    if (row < first) return undefined;
    const [, file, line, column] = this.#rows.slice(4 * row, 4 * row + 4);
    return { file: this.file(file!), line: line!, column: column! };
  }

  /** Every row with its address, and at the end of each sequence one of no file, in the order of addresses. */
  *rows(): Iterable<Row & { readonly address: number }> {
    for (const { end, first, last } of this.#sequences) {
      for (let row = first; row < last; row++) {
        const [address, file, line, column] = this.#rows.slice(4 * row, 4 * row + 4);
        yield { address: address!, file: this.file(file!), line: line!, column: column! };
      }
      yield { address: end, file: undefined, line: 0, column: 0 };
    }
  }

  /** The path of a file's number. */
  file(number: number): string | undefined {
    const file = this.#files[number - this.#firstFile];
    if (file === undefined) return undefined;
    // In older tables folder 0 is the unit's own, which is not in the list
    const folder = this.#firstFile === 0 ? this.#folders[file.folder] : this.#folders[file.folder - 1];
    return joinPath(this.folder, folder ?? "", file.name);
  }

  #read(sections: DwarfSections, unit: Bases, offset: number, codeSize: number): void {
    const head = new Cursor(sections.line, offset);
    const { length, offsetSize } = head.unitLength();
    const cursor = new Cursor(sections.line, head.at, Math.min(head.at + length, sections.line.length));
    const version = cursor.fixed(2);
    if (version < 2 || version > 5) throw malformed(offset, `a line table of version ${version}`);
    const addressSize = version >= 5 ? cursor.byte() : unit.addressSize;
    if (version >= 5) cursor.byte();
    const encoding = { ...unit, version, offsetSize, addressSize };
    const headerLength = cursor.fixed(offsetSize);
    const program = cursor.at + headerLength;
    const minLength = cursor.byte();
    if (version >= 4) cursor.byte();
    cursor.byte();
    const lineBase = cursor.s8();
    const lineRange = cursor.byte();
    const opcodeBase = cursor.byte();
    if (lineRange === 0 || opcodeBase === 0) throw malformed(cursor.at, "a line table without steps");
    const lengths = cursor.take(opcodeBase - 1);
    if (version >= 5) this.#readTables(cursor, sections, encoding);
    else this.#readLists(cursor);
    cursor.skip(program - cursor.at);
    this.#run(cursor, { minLength, lineBase, lineRange, opcodeBase, lengths, addressSize, codeSize });
  }

  /** Folders and files of DWARF 2 to 4. */
  #readLists(cursor: Cursor): void {
    for (let name = cursor.zeroEnded(); name !== ""; name = cursor.zeroEnded()) this.#folders.push(name);
    for (let name = cursor.zeroEnded(); name !== ""; name = cursor.zeroEnded()) this.#addFile(cursor, name);
  }

  #addFile(cursor: Cursor, name: string): void {
    this.#files.push({ name, folder: cursor.u64() });
    cursor.u64();
    cursor.u64();
  }

  /** Folders and files of DWARF 5. */
  #readTables(cursor: Cursor, sections: DwarfSections, encoding: Bases): void {
    this.#firstFile = 0;
    const table = (add: (name: string, folder: number) => void) => {
      const formats = Array.from({ length: cursor.byte() }, () => [cursor.u64(), cursor.u64()] as const);
      // Every entry takes a byte at least
      const count = formats.length === 0 ? 0 : cursor.count();
      if (formats.length === 0) cursor.u64();
      for (let i = 0; i < count; i++) {
        let name = "";
        let folder = 0;
        for (const [content, form] of formats) {
          const at = cursor.at;
          const value = readForm(cursor, form, encoding);
          if (content === CONTENT.directory) folder = value;
          else if (content === CONTENT.path) {
            name =
              form === FORM.string
                ? new Cursor(sections.line, at).zeroEnded()
                : (textOf(sections, encoding, { form, value }) ?? "");
          }
        }
        add(name, folder);
      }
    };
    table((name) => this.#folders.push(name));
    table((name, folder) => this.#files.push({ name, folder }));
  }

  #run(
    cursor: Cursor,
    header: {
      minLength: number;
      lineBase: number;
      lineRange: number;
      opcodeBase: number;
      lengths: Uint8Array;
      addressSize: number;
      codeSize: number;
    },
  ): void {
    const { minLength, lineBase, lineRange, opcodeBase, lengths, addressSize, codeSize } = header;
    const rows = this.#rows;
    let [address, file, line, column] = [0, 1, 1, 0];
    let first = rows.length / 4;
    const emit = () => rows.push(address, file, line, column);
    while (!cursor.done) {
      const opcode = cursor.byte();
      if (opcode >= opcodeBase) {
        const step = opcode - opcodeBase;
        address += Math.floor(step / lineRange) * minLength;
        line += lineBase + (step % lineRange);
        emit();
      } else if (opcode === STANDARD.extended) {
        const length = cursor.u64();
        const next = cursor.at + length;
        const code = length > 0 ? cursor.byte() : 0;
        if (code === EXTENDED.setAddress) address = cursor.fixed(Math.min(length - 1, addressSize));
        else if (code === EXTENDED.defineFile) this.#addFile(cursor, cursor.zeroEnded());
        else if (code === EXTENDED.endSequence) {
          const start = rows[4 * first];
          const last = rows.length / 4;
          // Code that the linker has left out begins at 0 or behind all code
          if (start !== undefined && start > 0 && start < codeSize && address > start) {
            this.#sequences.push({ start, end: address, first, last });
          } else rows.length = 4 * first;
          first = rows.length / 4;
          [address, file, line, column] = [0, 1, 1, 0];
        }
        cursor.skip(next - cursor.at);
      } else if (opcode === STANDARD.copy) emit();
      else if (opcode === STANDARD.advancePc) address += cursor.u64() * minLength;
      else if (opcode === STANDARD.advanceLine) line += cursor.sleb();
      else if (opcode === STANDARD.setFile) file = cursor.u64();
      else if (opcode === STANDARD.setColumn) column = cursor.u64();
      else if (opcode === STANDARD.constAddPc) address += Math.floor((255 - opcodeBase) / lineRange) * minLength;
      else if (opcode === STANDARD.fixedAdvancePc) address += cursor.fixed(2);
      else for (let left = lengths[opcode - 1]!; left > 0; left--) cursor.u64();
    }
  }
}

const ABSOLUTE = /^(\/|\\|[A-Za-z]:[\\/]|[a-z][a-z0-9+.-]+:)/;

/** The parts as one path, from the last that is absolute on, without "." and "..". */
export function joinPath(...parts: readonly string[]): string {
  let from = 0;
  for (const [i, part] of parts.entries()) if (ABSOLUTE.test(part)) from = i;
  const path = parts
    .slice(from)
    .filter((part) => part !== "")
    .join("/");
  if (!/(^|[\\/])\.{1,2}[\\/]/.test(path)) return path;
  const names: string[] = [];
  for (const name of path.split("/")) {
    const last = names.at(-1);
    if (name === ".." && last !== undefined && last !== "" && last !== "..") names.pop();
    else if (name !== ".") names.push(name);
  }
  return names.join("/");
}
