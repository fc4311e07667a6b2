/**
 * A heap's statistics in Prometheus' text exposition format, version 0.0.4, and a handler that serves them.
 *
 * Each family has its HELP and TYPE line once, then the samples of all heaps. Cost: stats() of each heap, which walks
 * its spans, and some 5 KB of text for each heap.
 */
import { boolean, namesOf, object, reading, readOptions, show, text } from "../base/check.js";
import type { HeapSnapshot } from "../snapshot/snapshot.js";
import { families, OWN_LABELS } from "./families.js";
import { checkSource, type HeapFigures, type HeapSource } from "./source.js";

/** The media type of the text. */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Names and values of labels: any text as value, letters, digits and underscores in a name. */
export type Labels = Readonly<Record<string, string>>;

/** A heap of several, with labels that tell it from the others. */
export interface LabelledHeap {
  readonly heap: HeapSource;
  readonly labels?: Labels | undefined;
}

export interface PrometheusOptions {
  /** Labels of every sample. Default none. */
  readonly labels?: Labels | undefined;
  /** Also the counts of each size class: some 200 lines more. Default false. */
  readonly bySize?: boolean | undefined;
}

const OPTIONS = namesOf<PrometheusOptions>({ labels: 0, bySize: 0 });
const LABELLED = namesOf<LabelledHeap>({ heap: 0, labels: 0 });

/** A heap with its labels as they are printed. */
interface Subject {
  readonly heap: HeapSource;
  readonly labels: readonly string[];
}

/**
 * The statistics of a heap, or of several with labels of their own, as text: one call of stats() each. Throws TypeError
 * for bad options and labels, and for heaps that have the same labels; and what stats() throws.
 */
export function prometheusText(heaps: HeapSource | readonly LabelledHeap[], options: PrometheusOptions = {}): string {
  return prepare(heaps, options)();
}

/** The same of a snapshot, for a heap that nobody can ask: the families that a snapshot has figures for. O(1). */
export function snapshotText({ totals }: HeapSnapshot): string {
  const figures = { ...totals, alloc: totals.heapAlloc };
  return families(false)
    .filter(({ field }) => field !== undefined && Object.hasOwn(figures, field))
    .map((family) => printFamily(family, [{ labels: [] }], [figures as unknown as HeapFigures]))
    .join("");
}

/** What a listener of node:http is given, as far as the handler uses it. */
export interface MetricsRequest {
  readonly method?: string | undefined;
}

/** The same of a response. */
export interface MetricsResponse {
  writeHead(status: number, headers: Record<string, string>): unknown;
  end(body?: string): unknown;
}

/**
 * A listener for node:http that answers GET and HEAD with prometheusText, whatever the path is. A heap that cannot be
 * read (damaged, or disposed of) is a response 500 that says why, so that the scrape fails and the program goes on.
 * Throws as prometheusText does for bad options.
 */
export function prometheusHandler(
  heaps: HeapSource | readonly LabelledHeap[],
  options: PrometheusOptions = {},
): (request: MetricsRequest, response: MetricsResponse) => void {
  const read = prepare(heaps, options);
  return ({ method = "GET" }, response) => {
    if (method !== "GET" && method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD", "content-type": "text/plain; charset=utf-8" });
      response.end(`${method} is not allowed: use GET\n`);
      return;
    }
    let body: string;
    try {
      body = read();
    } catch (error) {
      response.writeHead(500, { "content-type": "text/plain; charset=utf-8" });
      response.end(`${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}\n`);
      return;
    }
    response.writeHead(200, { "content-type": PROMETHEUS_CONTENT_TYPE, "cache-control": "no-store" });
    response.end(method === "HEAD" ? undefined : body);
  };
}

/** Checks everything once; the result prints. */
function prepare(heaps: HeapSource | readonly LabelledHeap[], options: PrometheusOptions): () => string {
  const { labels = {}, bySize = false } = readOptions(options, OPTIONS, "prometheusText");
  const common = checkLabels(labels, "labels");
  const list = boolean(bySize, "bySize") ? families(true) : families(false);
  const subjects = Array.isArray(heaps)
    ? (heaps as readonly LabelledHeap[]).map((entry, i) => subjectOf(entry, common, `heaps[${i}]`))
    : [{ heap: checkSource(heaps as HeapSource), labels: printLabels(common) }];
  const seen = new Set<string>();
  for (const [i, { labels: own }] of subjects.entries()) {
    const key = [...own].sort().join();
    if (seen.has(key))
      throw new TypeError(`heaps[${i}] has the labels of another one: give each heap labels of its own`);
    seen.add(key);
  }
  return () => {
    const figures = subjects.map(({ heap }) => heap.stats());
    return list.map((family) => printFamily(family, subjects, figures)).join("");
  };
}

function subjectOf(entry: LabelledHeap, common: Labels, name: string): Subject {
  const { heap, labels = {} } = readOptions(entry, LABELLED, name);
  const own = checkLabels(labels, `${name}.labels`);
  const twice = Object.keys(own).find((label) => Object.hasOwn(common, label));
  if (twice !== undefined) throw new TypeError(`${name}.labels has ${twice}, which the option labels has, too`);
  return { heap: checkSource(heap), labels: printLabels({ ...common, ...own }) };
}

function printFamily(
  { name, kind, help, read }: ReturnType<typeof families>[number],
  subjects: readonly Pick<Subject, "labels">[],
  figures: readonly HeapFigures[],
): string {
  const lines = subjects.flatMap(({ labels }, i) =>
    read(figures[i]!).map(({ value, labels: own = {}, suffix = "" }) => {
      const all = [...labels, ...printLabels(own)];
      return `${name}${suffix}${all.length === 0 ? "" : `{${all.join()}}`} ${printValue(value)}\n`;
    }),
  );
  return lines.length === 0 ? "" : `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${kind}\n${lines.join("")}`;
}

/** A copy of labels whose names are good. Throws TypeError. */
function checkLabels(labels: Labels, name: string): Labels {
  const copy: Record<string, string> = {};
  object(labels, name);
  for (const [label, value] of reading(name, () => Object.entries(labels))) {
    if (!/^[A-Za-z_]\w*$/.test(label) || label.startsWith("__")) {
      throw new TypeError(
        `${name}: a label has letters, digits and _, and begins with no digit and no __: ${show(label)}`,
      );
    }
    if (OWN_LABELS.includes(label)) {
      throw new TypeError(`${name}: ${label} is a label that some metrics have of their own: choose another name`);
    }
    copy[label] = text(value, `${name}.${label}`);
  }
  return copy;
}

function printLabels(labels: Labels): string[] {
  return Object.entries(labels).map(([label, value]) => `${label}="${escapeValue(value)}"`);
}

function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

/** The value of a label. */
function escapeValue(value: string): string {
  return escapeHelp(value).replaceAll('"', '\\"');
}

function printValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return String(value);
}
