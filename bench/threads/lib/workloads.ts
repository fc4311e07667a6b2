/**
 * What runs on threads: the exports of bench/threads/native and the trace of several threads.
 */

import { type Plan, planTrace } from "./trace.ts";

/** A workload of slices. */
export interface Micro {
  readonly kind: "micro";
  readonly name: string;
  readonly about: string;
  /** Exports called with the worker's index, before and after all runs. */
  readonly setup?: string;
  readonly finish?: string;
  readonly run: string;
  /** Slices of a run of fixed length, checked or counted. */
  readonly slices: number;
  /** What one operation is. */
  readonly unit: "call" | "block";
  /** A target says how two threads do over one. */
  readonly scales: boolean;
}

/** The recorded trace of several threads. */
export interface Trace {
  readonly kind: "trace";
  readonly name: string;
  readonly about: string;
  readonly unit: "call";
  readonly scales: false;
  /** The events as so many workers play them. */
  plan(workers: number): Plan;
}

export type Workload = Micro | Trace;

/** Two workers at most: the trace's threads are dealt out to one or two, and a pipe has two ends. */
export type Threads = 1 | 2;

export const PIPE = "producer/consumer";
export const LARSON = "larson";
export const TRACE_NAME = "python-pipeline";

/** The micro workloads in the order of the tables. */
export const MICROS: readonly Micro[] = [
  { name: "pairs 64 B", about: "malloc and free at once", run: "pairs", slices: 50, unit: "call", scales: true },
  { name: "LIFO", about: "10k blocks of 64 B, last in first out", run: "lifo", slices: 50, unit: "call", scales: true },
  {
    name: "alloc-test",
    about: "16k live a thread, skewed sizes and lifetimes",
    setup: "allocTestSetup",
    run: "allocTest",
    finish: "allocTestFinish",
    slices: 125,
    unit: "call",
    scales: true,
  },
  {
    name: LARSON,
    about: "10k live of 1..1024 B a thread, random replacement, one free in 100 is of another thread's block",
    setup: "larsonSetup",
    run: "larson",
    finish: "larsonFinish",
    slices: 125,
    unit: "call",
    scales: true,
  },
  {
    name: PIPE,
    about: "64 B, one allocates, the other frees",
    run: "pipe",
    slices: 125,
    unit: "block",
    scales: false,
  },
].map((micro) => ({ kind: "micro" as const, ...micro }) as Micro);

/** Pairs of 40,000 B: every call needs the heap lock. Not a row; the queueing model takes its service time from it. */
export const LARGE: Micro = {
  kind: "micro",
  name: "pairs 40,000 B",
  about: "malloc and free at once, by the heap itself",
  run: "large",
  slices: 50,
  unit: "call",
  scales: false,
};

/** All workloads whose name matches; the trace is read only if it does. `events` cuts the trace short. */
export async function selectWorkloads(matches: (name: string) => boolean, events = Infinity): Promise<Workload[]> {
  const chosen: Workload[] = MICROS.filter(({ name }) => matches(name));
  if (!matches(TRACE_NAME)) return chosen;
  const { count, plan } = await planTrace(TRACE_NAME, events);
  const about = `recorded trace of 8 threads, ${count} events`;
  return [...chosen, { kind: "trace", name: TRACE_NAME, about, unit: "call", scales: false, plan }];
}
