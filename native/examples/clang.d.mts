/** Runs clang or clang++ on the files that its arguments name; returns the warnings, throws an Error with the messages. */
export function clang(args: readonly string[], folder: string): Promise<string>;
