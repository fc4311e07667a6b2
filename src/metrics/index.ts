/** gomalloc/metrics: a heap's figures for the tools that people have. Needs no Node, and no wasm of its own. */
export { type CounterOptions, CounterRecorder } from "./counters.js";
export {
  type MeasureOptions,
  type MemoryAttribution,
  type MemoryBreakdownEntry,
  type MemoryMeasurement,
  measureHeapMemory,
} from "./measure.js";
export {
  type LabelledHeap,
  type Labels,
  type MetricsRequest,
  type MetricsResponse,
  PROMETHEUS_CONTENT_TYPE,
  type PrometheusOptions,
  prometheusHandler,
  prometheusText,
} from "./prometheus.js";
export type { HeapFigures, HeapSource } from "./source.js";
