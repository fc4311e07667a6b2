/** The tests' access to a heap with the collector: that of testing.ts, and the collector's ABI. */

export * from "./testing";
export * from "./collector";
