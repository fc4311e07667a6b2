/**
 * The runtime of rt.ts for programs from which no folder node_modules/gomalloc is in sight: the benchmarks here.
 * asc takes these files for the user's own, so that --noUnsafe refuses them.
 */
import "./abi/asc";
