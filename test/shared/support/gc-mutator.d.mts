/** Types of gc-mutator.mjs. */
import type { HostSharedExports } from "../../support/wasm.ts";

export const MAIL_WORDS: number;
export interface GcType {
  type: number;
  n: number;
}
export function makeTypes(e: HostSharedExports, memory: WebAssembly.Memory): GcType[];
export interface MutatorOptions {
  e: HostSharedExports;
  memory: WebAssembly.Memory;
  types: GcType[];
  mail: Int32Array;
  seed: number;
  index: number;
  most: number;
}
export class Mutator {
  constructor(options: MutatorOptions);
  readonly steps: number;
  readonly taken: number;
  readonly freed: number;
  readonly ended: number;
  step(): void;
  inside<T>(play: () => T): T;
  check(): void;
  finish(): void;
  drop(): void;
}
export interface Memory {
  nodes: Map<number, object>;
  roots: Map<number, number>;
  loose: Map<number, number>;
  hung: Map<number, object>;
  weak: Map<number, object>;
  finalized: Set<number>;
}
export function remember(mutator: Mutator): Memory;
export function recall(options: MutatorOptions, memory: Memory): Mutator;
