/** What the flavour for the TypeScript host of one thread exports: the host ABI and the collector. */

export * from "./host";
export * from "./collector";
