/**
 * A strict reader of Prometheus' text exposition format 0.0.4, written from its published grammar and not from what we
 * print: it takes nothing that the format does not allow, and no two samples with the same name and labels.
 */

export interface Metric {
  readonly kind: string;
  readonly help: string;
  readonly samples: { readonly name: string; readonly labels: Record<string, string>; readonly value: number }[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const SAMPLE = new RegExp(`^(${NAME})(?:\\{([^\\n]*)\\})? (\\S+)$`);
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(,|$)/y;
const VALUE = /^(?:[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?)|NaN|[+-]Inf)$/;
const KINDS = ["counter", "gauge", "histogram", "summary", "untyped"];

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
}

function readLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const match = LABEL.exec(text);
    if (match === null) throw new Error(`bad labels: ${line}`);
    if (Object.hasOwn(labels, match[1]!)) throw new Error(`a label twice: ${line}`);
    labels[match[1]!] = unescaped(match[2]!);
  }
  return labels;
}

/** The metrics of a text, by name. Throws Error at the first line that is wrong. */
export function readExposition(text: string): Map<string, Metric> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const metrics = new Map<string, Metric>();
  const seen = new Set<string>();
  let help: { name: string; text: string } | null = null;
  let current: [name: string, Metric] | null = null;
  for (const line of text.slice(0, -1).split("\n")) {
    const comment = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`).exec(line);
    if (comment !== null) {
      const [, what, name, rest] = comment as unknown as [string, string, string, string];
      if (what === "HELP") {
        if (metrics.has(name)) throw new Error(`HELP twice, or after the samples: ${line}`);
        if (/\\(?![\\n])/.test(rest)) throw new Error(`bad escape: ${line}`);
        help = { name, text: unescaped(rest) };
      } else {
        if (help?.name !== name || metrics.has(name)) throw new Error(`TYPE without its HELP before it: ${line}`);
        if (!KINDS.includes(rest)) throw new Error(`bad type: ${line}`);
        current = [name, { kind: rest, help: help.text, samples: [] }];
        metrics.set(...current);
      }
      continue;
    }
    const match = SAMPLE.exec(line);
    if (match === null || !VALUE.test(match[3]!)) throw new Error(`bad line: ${line}`);
    const [, name, labels = "", value] = match;
    if (current === null) throw new Error(`a sample before its TYPE: ${line}`);
    const [family, metric] = current;
    const suffixes = metric.kind === "summary" ? ["", "_sum", "_count"] : [""];
    if (!suffixes.some((suffix) => name === family + suffix)) throw new Error(`not a sample of ${family}: ${line}`);
    const read = readLabels(labels, line);
    const key = JSON.stringify([name, Object.entries(read).sort()]);
    if (seen.has(key)) throw new Error(`a sample twice: ${line}`);
    seen.add(key);
    if (metric.kind === "counter" && !(Number(value) >= 0)) throw new Error(`a counter below 0: ${line}`);
    metric.samples.push({ name: name!, labels: read, value: Number(value!.replace("Inf", "Infinity")) });
  }
  return metrics;
}
