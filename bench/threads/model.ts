/**
 * How many threads the locks carry: a closed queueing network worked out by mean value analysis from counters of a run
 * on this machine. docs/threads-benchmark.md explains the formulas and what they leave out.
 *
 * `npx tsx bench/threads/model.ts [figures.json]` prints the table again from what bench/threads/main.ts has left.
 */

import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { RESULTS } from "../lib/paths.ts";
import { cell, columns, type Table, text } from "../lib/table.ts";

/** A customer's circle: some time that needs nobody else, and visits to servers that serve one at a time. */
export interface Network {
  /** Time of a circle outside the servers. */
  readonly think: number;
  /** Each server's demand: visits in a circle times the time of one. */
  readonly demands: readonly number[];
}

/** What mean value analysis says of a number of customers. */
export interface Solution {
  readonly customers: number;
  /** Circles per unit of time, of all customers together. */
  readonly throughput: number;
  /** Part of the time that each server is busy. */
  readonly busy: readonly number[];
}

/**
 * Exact mean value analysis of a closed network with one class of customers and exponential service. With one server
 * it is the machine repairman, M/M/1//N. A customer who arrives finds what a network with one customer less has on
 * average, hence the recursion.
 */
export function solve({ think, demands }: Network, customers: number): Solution {
  let queues = demands.map(() => 0);
  let throughput = 0;
  for (let n = 1; n <= customers; n++) {
    const residence = demands.map((demand, k) => demand * (1 + queues[k]!));
    throughput = n / (think + residence.reduce((sum, time) => sum + time, 0));
    queues = residence.map((time) => throughput * time);
  }
  return { customers, throughput, busy: demands.map((demand) => throughput * demand) };
}

/** One workload through one allocator, as the model takes it. Times in nanoseconds, per call of the malloc family. */
export interface ModelInput {
  readonly workload: string;
  readonly allocator: string;
  /** Measured on one thread. */
  readonly alone: number;
  /** Acquisitions per call of the heap lock, and of the mcentral locks, which count as one. */
  readonly visits: readonly number[];
  /** Time that a lock is held, at most. */
  readonly service: number;
  /** Measured throughput of two threads over one. */
  readonly measured: number | undefined;
  /** Measured part of the acquisitions, on two threads, that found the lock held. */
  readonly contended: number | undefined;
}

/** The numbers of threads in the table. */
export const THREADS = [2, 8, 16, 64] as const;

/** One line of the table. */
export interface ModelRow extends ModelInput {
  /** Throughput over that of one thread, for each of THREADS. */
  readonly scaling: readonly number[];
  /** What `contended` should be: the part of two threads' acquisitions that meet the other one inside. */
  readonly expected: number | undefined;
  /** Part of the time that the busiest lock is held with the most threads. */
  readonly busy: number;
  /** Threads from which on the busiest lock decides: (think + demands) / largest demand. */
  readonly knee: number;
}

/** The network of one input. */
export function networkOf({ alone, visits, service }: ModelInput): Network {
  const demands = visits.map((visit) => visit * service);
  return { think: Math.max(0, alone - demands.reduce((sum, demand) => sum + demand, 0)), demands };
}

/** Works one line out. */
export function modelRow(input: ModelInput): ModelRow {
  const network = networkOf(input);
  const one = solve(network, 1).throughput;
  const solutions = THREADS.map((threads) => solve(network, threads));
  const largest = Math.max(...network.demands);
  const visits = input.visits.reduce((sum, visit) => sum + visit, 0);
  // Who arrives finds what the other one alone would show: each server busy for its part of a circle.
  const meeting = network.demands.map((demand, k) => (input.visits[k]! / visits) * demand * one);
  return {
    ...input,
    scaling: solutions.map(({ throughput }) => throughput / one),
    expected: visits > 0 ? meeting.reduce((sum, part) => sum + part, 0) : undefined,
    busy: Math.max(...solutions.at(-1)!.busy),
    knee: largest > 0 ? 1 / (one * largest) : Number.POSITIVE_INFINITY,
  };
}

/** The table of the model. */
export function modelTable(rows: readonly ModelRow[]): Table {
  return {
    columns: [
      { name: "workload" },
      { name: "allocator" },
      { name: "ns a call", digits: 1 },
      { name: "locks/1000", digits: 2 },
      { name: "held, ns", digits: 1 },
      ...columns(["met: measured", "model"], 2, " %"),
      { name: "x2 measured", digits: 2 },
      ...columns(
        THREADS.map((threads) => `x${threads}`),
        2,
      ),
      { name: `busy at ${THREADS.at(-1)}`, digits: 2, unit: " %" },
      { name: "knee", digits: 0 },
    ],
    rows: rows.map((row) => [
      row.workload,
      row.allocator,
      ...[
        row.alone,
        row.visits.reduce((sum, visit) => sum + visit, 0) * 1000,
        row.service,
        row.contended && row.contended * 100,
        row.expected && row.expected * 100,
        row.measured,
        ...row.scaling,
        row.busy * 100,
        row.knee,
      ].map(cell),
    ]),
  };
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const file = process.argv[2] ?? join(RESULTS, "threads.json");
  const { model } = JSON.parse(await readFile(file, "utf8")) as { model: ModelInput[] };
  console.log(text(modelTable(model.map(modelRow))));
}
