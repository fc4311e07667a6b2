/** Whether the long form of the tests runs. A file of its own, because pages of a browser use random.ts and have no environment. */
import { env } from "./random.ts";

/** GOMALLOC_LONG=1: what `npm run test:long` runs. */
export const LONG = env("GOMALLOC_LONG", 0) !== 0;
