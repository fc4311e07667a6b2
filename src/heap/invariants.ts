/**
 * What the heap checks in validate(), by the numbers of assembly/check/invariants.ts. A number that is missing here is
 * still an error; it only has no words of its own.
 */
export const INVARIANTS: Readonly<Record<number, string>> = {
  // Pages and summaries
  10: "a summary says what its children say",
  11: "no page below the search address is free",
  12: "a page known to be zero is free",
  13: "the root of the summary tree covers the heap's arenas and no more",
  14: "pages of the page cache are allocated for the page allocator, and known to be zero only while in the cache",
  15: "the arena map names one record for each arena of the heap, and nothing else",
  16: "a page known to be zero is zero",
  17: "a page of records is allocated, and records that move lie on such pages or at the heap's start",
  // Spans and their records
  20: "every page of a span in use is allocated",
  21: "a page's record names the span that holds the page",
  22: "a span in use has the state, the start and the size of one",
  23: "spans do not overlap",
  24: "every address of a span resolves to it",
  25: "a page outside of all spans has no record",
  // Groups and slots
  30: "a group has no bit beyond its slots",
  31: "no slot is free twice",
  32: "a full group that nobody holds is marked as one",
  33: "partialMask names the groups with free slots",
  34: "a slot known to be zero is zero",
  // Lists and rows
  40: "a list of spans is linked both ways and holds spans of one row",
  41: "a span with free slots is in a list unless it is cached, and no other is",
  42: "a span in the list of empty ones has no live slot",
  43: "a row's group belongs to a span of the row",
  44: "a span's owner is a P, or nobody",
  45: "slots that others have freed are live until they are taken over, and there is a note of their span",
  // Accounts
  50: "pages in use, free, cached and of metadata are the pages grown",
  51: "a row counts its spans",
  52: "retained pages are those of the empty spans",
  53: "outside of a cycle no slot of a swept span is marked",
  // The heap's own record
  60: "the lookup tables send each size to a row and a class that serve it",
  61: "a row and its mcentral have the slot size and the span length of their class",
  62: "the lists of free span records hold free span records, each once",
  63: "the memory for the next records is free",
  64: "the bytes obtained are those of the pages grown, and the heap ends where its memory does",
  65: "the tiny block is a live slot of its row",
  66: "a P has a record, a state and counts of its own",
  67: "locks, gates and what is under way belong to threads that have a P",
  // The collector's records
  70: "the collector's state has values that exist, and its generation is that of its cycles",
  71: "the collector's large objects are in its lists, each once",
  72: "the work buffers are pages of the heap's, as many as are counted",
  73: "the pins are found where they are looked up, as many as are counted",
  74: "the handles in use and the free ones are all that there are",
  75: "the registered root ranges are a list, and each begins before it ends",
  76: "what a span's record names for its objects' types is a table of the heap's",
  77: "the types are a list of records that describe one each, and an object's type is in it",
  78: "the pacer's settings have values that exist, and its triggers lie between what is marked and the goal",
};

/** The words for an invariant's number. */
export function describeInvariant(invariant: number): string {
  return INVARIANTS[invariant] ?? "an invariant that this version of the host API has no description of";
}
