/**
 * /debug/pprof/heap, as Go's net/http/pprof serves it, and a profile as a file for a page's user.
 *
 * Any thread of the heap. Cost: a profile a request; nothing between requests.
 */
import { within } from "../base/check.js";
import { diffProfiles } from "../profile/diff.js";
import { pprofFile } from "../profile/pprof.js";
import { formatRecord } from "../profile/record.js";
import type { Profile } from "../profile/types.js";
import { CORE, profileOf, type Sampling, samplesOf } from "./profiled.js";

/** The part of node:http's IncomingMessage that the handler reads. */
export interface PprofRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
}

/** The same of a ServerResponse. */
export interface PprofResponse {
  writeHead(status: number, headers: Record<string, string>): unknown;
  end(body?: string | Uint8Array): unknown;
}

/** A heap whose profile is served; its collector is asked for with gc=1. */
export interface ServedHeap extends Sampling {
  readonly collector?: { collect(): unknown };
}

/** The longest difference that can be asked for, seconds. */
const MAX_SECONDS = 3600;
const TEXT = { "content-type": "text/plain; charset=utf-8" };

/**
 * A listener for node:http that answers GET with the heap's profile, whatever the path is. Its parameters are Go's:
 *
 *   gc=1        run a cycle of the collector first
 *   seconds=N   the difference of two profiles N seconds apart, up to 3600
 *   debug=1     text for people; it is what is in force, so `seconds` is refused with it
 *
 * A bad parameter is a response 400, a heap that cannot be read 500 with the reason. The promise is settled when the
 * response has been given; it is never rejected.
 */
export function pprofHandler(heap: ServedHeap): (request: PprofRequest, response: PprofResponse) => Promise<void> {
  return async (request, response) => {
    try {
      await answer(heap, request, response);
    } catch {
      // The connection is gone, or the response has been begun by somebody else: there is nobody to tell.
    }
  };
}

async function answer(heap: ServedHeap, { method = "GET", url = "" }: PprofRequest, response: PprofResponse) {
  if (method !== "GET") {
    response.writeHead(405, { allow: "GET", ...TEXT });
    response.end(`${method} is not allowed: use GET\n`);
    return;
  }
  try {
    const { gc, seconds, debug } = parametersOf(url);
    if (gc) heap.collector?.collect();
    if (debug) {
      const body = formatRecord(samplesOf(heap), { symbols: CORE });
      response.writeHead(200, { ...TEXT, "cache-control": "no-store" });
      response.end(body);
      return;
    }
    const body = await pprofFile(await profileOver(heap, seconds));
    response.writeHead(200, {
      "content-type": "application/octet-stream",
      "content-disposition": 'attachment; filename="heap.pb.gz"',
      "cache-control": "no-store",
    });
    response.end(body);
  } catch (error) {
    response.writeHead(error instanceof ParameterError ? 400 : 500, TEXT);
    response.end(`${error instanceof Error ? error.message : String(error)}\n`);
  }
}

class ParameterError extends Error {}

interface Parameters {
  readonly gc: boolean;
  readonly seconds: number;
  readonly debug: boolean;
}

/** Throws ParameterError. Parameters that are not known are ignored, as in Go. */
function parametersOf(url: string): Parameters {
  const query = new URLSearchParams(/^[^?#]*\?([^#]*)/.exec(url)?.[1] ?? "");
  const number = (name: string, most: number): number => {
    const text = query.get(name) ?? "0";
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value <= most) return value;
    throw new ParameterError(`${name}=${text} is no number from 0 to ${most}: give a whole number, or leave it out`);
  };
  const seconds = number("seconds", MAX_SECONDS);
  const debug = number("debug", 2) > 0;
  if (debug && seconds > 0) throw new ParameterError("seconds and debug do not go together: leave one of them out");
  return { gc: number("gc", 1) === 1, seconds, debug };
}

/** The profile now, or what changes in some seconds. */
async function profileOver(heap: Sampling, seconds: number): Promise<Profile> {
  const base = profileOf(heap);
  if (seconds === 0) return base;
  await new Promise((resolve) => setTimeout(resolve, within(seconds, 1, MAX_SECONDS, "seconds") * 1000));
  return diffProfiles(base, profileOf(heap));
}

/**
 * In a page: has the browser download the heap's profile as a file. Call it from a click or the console. Throws what
 * profileOf throws.
 */
export async function downloadProfile(heap: Sampling, name = "heap.pb.gz"): Promise<void> {
  const file = await pprofFile(profileOf(heap));
  const url = URL.createObjectURL(new Blob([file], { type: "application/octet-stream" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  // Not at once: the download has to begin first.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
