/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The live view as a listener for node:http: the page, its frames, and the heap's figures for other tools. Needs no Node
 * itself. Cost: nothing while nobody looks.
 *
 *   /                   the page
 *   /frames             messages of map/wire.ts, as long as the page is open
 *   /look               what the page looks at closely
 *   /metrics            Prometheus
 *   /debug/pprof/heap   the heap's profile, when it samples
 */
import { namesOf, readOptions, show, text, u32 } from "../base/check.js";
import { DISPOSE } from "../base/dispose.js";
import { LIVE_PAGE } from "../generated/live-page.js";
import { pprofHandler } from "../heap/pprofhandler.js";
import { HELLO, jsonMessage, type Look, lengthOf } from "../map/wire.js";
import { PROMETHEUS_CONTENT_TYPE, prometheusHandler, snapshotText } from "../metrics/prometheus.js";
import type { HeapSource } from "../metrics/source.js";
import { checkHeap } from "../snapshot/find.js";
import { MemoryWords } from "../snapshot/memory.js";
import { SnapshotReader } from "../snapshot/read.js";
import { LiveLoop, type Turns, type Viewer } from "./loop.js";
import { type LiveHeap, LiveSource } from "./source.js";

/** How a heap is looked at. */
export interface LiveOptions {
  /** Frames a second at most, 1 to 60. Default 10. */
  fps?: number | undefined;
  /** Most milliseconds of work in a turn of the event loop, 1 to 1000. Default 5. */
  budgetMs?: number | undefined;
  /** A name that the page shows. */
  label?: string | undefined;
  /** Address of the heap's record, for a memory, or a shared heap in a memory, with several heaps: see findHeaps. */
  heap?: number | undefined;
}

export const LIVE_OPTIONS: readonly (keyof LiveOptions)[] = namesOf<LiveOptions>({
  fps: 0,
  budgetMs: 0,
  label: 0,
  heap: 0,
});

/** Options that were checked. */
export interface CheckedLive {
  readonly fps: number;
  readonly budgetMs: number;
  readonly label: string | undefined;
  readonly heap: number | undefined;
}

/** Throws RangeError and TypeError. */
export function checkLive({ fps = 10, budgetMs = 5, label, heap }: LiveOptions): CheckedLive {
  if (label !== undefined) text(label, "label");
  if (heap !== undefined) u32(heap, "heap");
  return { fps: between(fps, 1, 60, "fps"), budgetMs: between(budgetMs, 1, 1000, "budgetMs"), label, heap };
}

function between(value: number, low: number, high: number, name: string): number {
  if (typeof value === "number" && value >= low && value <= high) return value;
  throw new RangeError(`${name} must be a number from ${low} to ${high}: ${show(value)}`);
}

/** What a listener of node:http is given, as far as the handler uses it. */
export interface LiveRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
}

/** The same of a response. */
export interface LiveResponse {
  writeHead(status: number, headers: Record<string, string>): unknown;
  write(chunk: Uint8Array): boolean;
  end(body?: string | Uint8Array): unknown;
  on(event: "close", listener: () => void): unknown;
  readonly writableNeedDrain: boolean;
}

/** A listener for node:http; it also closes. */
export interface LiveHandler extends Disposable {
  (request: LiveRequest, response: LiveResponse): void;
  /** Pages that look now. */
  readonly viewers: number;
  /** Ends all streams: the pages say so. Twice is fine. */
  close(): void;
}

const PLAIN = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };

/**
 * A listener for node:http that shows a heap as it works: `heap` is a heap of JavaScript, for one thread or several, or the
 * memory of a program that has the allocator inside. The last parts of the path say what is asked for, so it may stand
 * under any path that ends with a slash. The heap's thread has to return to its event loop for a frame. Throws TypeError
 * and RangeError for bad arguments.
 */
export function liveHandler(heap: LiveHeap | WebAssembly.Memory, options: LiveOptions = {}): LiveHandler {
  return makeHandler(heap, checkLive(readOptions(options, LIVE_OPTIONS, "liveHandler")), nodeTurns(false));
}

/** The same, of options that were checked. */
export function makeHandler(heap: LiveHeap | WebAssembly.Memory, options: CheckedLive, turns: Turns): LiveHandler {
  const source = new LiveSource(heap);
  return handlerOf(source, new LiveLoop(source, options.heap, options.fps, options.budgetMs, turns), options, turns);
}

/** The same, over a loop that was made. */
export function handlerOf(source: LiveSource, loop: LiveLoop, options: CheckedLive, turns: Turns): LiveHandler {
  const served = source.heap as (LiveHeap & HeapSource) | undefined;
  const metrics = served === undefined ? undefined : prometheusHandler(served);
  const profile = served === undefined ? undefined : pprofHandler(served);

  /** Whether the heap samples. The answer of a heap that cannot be read is no. */
  function samples(): boolean {
    try {
      const { memory } = source;
      const address = loop.address ?? source.address();
      if (address === undefined) return false;
      const heap = checkHeap(new MemoryWords(memory), address);
      return typeof heap !== "string" && heap.layout.SAMPLES !== 0;
    } catch {
      return false;
    }
  }

  function stream(response: LiveResponse): void {
    response.writeHead(200, { "content-type": "application/octet-stream", "cache-control": "no-store" });
    const viewer: Viewer = {
      send(message) {
        if (response.writableNeedDrain) return false;
        response.write(lengthOf(message));
        response.write(message);
        return true;
      },
      end: () => response.end(),
    };
    const number = loop.join({
      send: (message) => viewer.send(message),
      end: () => viewer.end(),
    });
    response.on("close", () => loop.leave(number));
    const links = ["metrics", ...(profile !== undefined && samples() ? ["debug/pprof/heap"] : [])];
    const { fps, budgetMs, label } = options;
    viewer.send(jsonMessage(HELLO, { viewer: number, fps, budgetMs, label, links }));
  }

  /** The figures of a memory, whose heap nobody can ask. */
  function memoryMetrics(response: LiveResponse): void {
    let reader: SnapshotReader;
    const step = () => {
      try {
        reader ??= new SnapshotReader(source.memory, { heap: loop.address ?? options.heap, bitmaps: false });
        if (!reader.step(options.budgetMs / 2)) {
          turns.soon(step);
          return;
        }
      } catch (error) {
        refuse(response, 500, error instanceof Error ? error.message : String(error));
        return;
      }
      response.writeHead(200, { "content-type": PROMETHEUS_CONTENT_TYPE, "cache-control": "no-store" });
      response.end(snapshotText(reader.snapshot));
    };
    step();
  }

  function handle({ method = "GET", url = "/" }: LiveRequest, response: LiveResponse): void {
    const path = /^[^?#]*/.exec(url)![0];
    if (path.endsWith("/look") && method === "POST") {
      const query = new URLSearchParams(url.slice(path.length + 1));
      const number = (name: keyof Look) => Number(query.get(name) ?? Number.NaN);
      loop.look(number("viewer"), number("from"), number("to"));
      response.writeHead(204, PLAIN);
      response.end();
    } else if (path.endsWith("/look")) refuse(response, 405, `${method} is not allowed: use POST`, { allow: "POST" });
    else if (path.endsWith("/metrics")) {
      if (metrics !== undefined) metrics({ method }, response);
      else if (method === "GET") memoryMetrics(response);
      else refuse(response, 405, `${method} is not allowed: use GET`, { allow: "GET" });
    } else if (path.endsWith("/debug/pprof/heap")) {
      if (profile !== undefined && samples()) void profile({ method, url }, response);
      else if (profile === undefined)
        refuse(response, 404, "of a program's memory there is none: use gomalloc profile");
      else refuse(response, 404, "this heap does not sample: make it with createHeap of gomalloc/profile");
    } else if (method !== "GET") refuse(response, 405, `${method} is not allowed: use GET`, { allow: "GET" });
    else if (path.endsWith("/frames")) stream(response);
    else if (path.endsWith("/")) {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" });
      response.end(LIVE_PAGE);
    } else refuse(response, 404, "there is /, /metrics, and of a heap that samples /debug/pprof/heap");
  }

  const close = () => loop.end("the server was closed");
  return Object.defineProperties(handle, {
    viewers: { get: () => loop.viewers },
    close: { value: close },
    [DISPOSE]: { value: close },
  }) as LiveHandler;
}

function refuse(response: LiveResponse, status: number, why: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { ...PLAIN, ...headers });
  response.end(`${why}\n`);
}

/** What the event loop of Node has, and others have not. */
interface Timers {
  readonly setImmediate?: (work: () => void) => { unref?: () => void };
}

/** Turns of this event loop. `unref`: they keep no process alive. */
export function nodeTurns(unref: boolean): Turns {
  const { setImmediate } = globalThis as Timers;
  const kept = (timer: { unref?: () => void } | number) => {
    if (unref && typeof timer === "object") timer.unref?.();
  };
  return {
    after: (ms, work) => kept(setTimeout(work, ms) as unknown as { unref?: () => void }),
    soon: (work) => kept(setImmediate?.(work) ?? (setTimeout(work, 0) as unknown as { unref?: () => void })),
  };
}
