/**
 * The programs as one module: a host plays program i by start(i, seed), step(i, round) for its rounds, and finish(i),
 * which returns the digest. One instance plays one program.
 */
import * as aborts from "./aborts";
import * as arrays from "./arrays";
import * as buffers from "./buffers";
import * as functions from "./functions";
import * as graphs from "./graphs";
import * as growth from "./growth";
import { digest, reset } from "./lib";
import * as lisp from "./lisp";
import * as lists from "./lists";
import * as locals from "./locals";
import * as maps from "./maps";
import * as objects from "./objects";
import * as pins from "./pins";
import * as recursion from "./recursion";
import * as sizes from "./sizes";
import * as statics from "./statics";
import * as strings from "./strings";

class Program {
  constructor(
    public name: string,
    public start: () => void,
    public step: (round: i32) => void,
    public finish: () => void,
  ) {}
}

const PROGRAMS: Program[] = [
  new Program("strings", strings.start, strings.step, strings.finish),
  new Program("arrays", arrays.start, arrays.step, arrays.finish),
  new Program("buffers", buffers.start, buffers.step, buffers.finish),
  new Program("maps", maps.start, maps.step, maps.finish),
  new Program("objects", objects.start, objects.step, objects.finish),
  new Program("functions", functions.start, functions.step, functions.finish),
  new Program("statics", statics.start, statics.step, statics.finish),
  new Program("recursion", recursion.start, recursion.step, recursion.finish),
  new Program("lists", lists.start, lists.step, lists.finish),
  new Program("graphs", graphs.start, graphs.step, graphs.finish),
  new Program("locals", locals.start, locals.step, locals.finish),
  new Program("pins", pins.start, pins.step, pins.finish),
  new Program("growth", growth.start, growth.step, growth.finish),
  new Program("lisp", lisp.start, lisp.step, lisp.finish),
  new Program("aborts", aborts.start, aborts.step, aborts.finish),
  new Program("sizes", sizes.start, sizes.step, sizes.finish),
];

export function count(): i32 {
  return PROGRAMS.length;
}

export function nameOf(program: i32): string {
  return PROGRAMS[program].name;
}

export function start(program: i32, seed: u32): void {
  reset(seed);
  PROGRAMS[program].start();
}

export function step(program: i32, round: i32): void {
  PROGRAMS[program].step(round);
}

export function finish(program: i32): u64 {
  PROGRAMS[program].finish();
  return digest();
}

/** Bytes that the stub runtime, which frees nothing, has handed out: its allocations are one after the other. */
export function allocated(): usize {
  return heap.alloc(1) - __heap_base;
}

/** Ways that provoke() has to end a call. */
export function kinds(): i32 {
  return aborts.KINDS;
}

export function provoke(kind: i32): void {
  aborts.provoke(kind);
}
