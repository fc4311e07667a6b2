/** The tests' access to a shared heap: the shared host ABI, and the internals of testing.ts. */

export * from "./testing";
export * from "./hostshared";
