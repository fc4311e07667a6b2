/// <reference lib="esnext.disposable" preserve="true" />
/**
 * gomalloc/live/server: the live view of a heap by a server of its own. Node only.
 *
 * Owner: the thread of the heap, whose event loop serves. Cost: nothing while nobody looks; then see docs/live.md.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import { boolean, namesOf, readOptions, text, within } from "../base/check.js";
import { DISPOSE } from "../base/dispose.js";
import { LiveError } from "../base/errors.js";
import { checkLive, handlerOf, LIVE_OPTIONS, type LiveOptions, nodeTurns } from "./handler.js";
import { LiveLoop } from "./loop.js";
import { type LiveHeap, LiveSource } from "./source.js";

export { LiveError, type LiveErrorKind } from "../base/errors.js";
export type { LiveOptions } from "./handler.js";
export type { LiveHeap } from "./source.js";

export interface ServeOptions extends LiveOptions {
  /** Port, 0 to 65535. Default 0: a free one. */
  port?: number | undefined;
  /** Address to listen at. Default 127.0.0.1: this machine alone. Whoever can connect can see the heap. */
  host?: string | undefined;
  /** The server keeps no process alive, as if nobody had started it. Default false. */
  unref?: boolean | undefined;
}

const OPTIONS = [...LIVE_OPTIONS, ...namesOf<Omit<ServeOptions, keyof LiveOptions>>({ port: 0, host: 0, unref: 0 })];
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/;

/**
 * Shows a heap as it works, at `url`: `heap` is a heap of JavaScript, for one thread or several, or the memory of a program
 * that has the allocator inside. Frames are read in this thread's event loop, at most `budgetMs` at a time, and only while
 * a page is open. Rejects with LiveError when the server cannot listen, with TypeError and RangeError for bad arguments.
 */
export async function serveHeap(heap: LiveHeap | WebAssembly.Memory, options: ServeOptions = {}): Promise<LiveServer> {
  const { port = 0, host = "127.0.0.1", unref = false, ...live } = readOptions(options, OPTIONS, "serveHeap");
  within(port, 0, 65535, "port");
  text(host, "host");
  const checked = checkLive(live);
  const turns = nodeTurns(boolean(unref, "unref"));
  const source = new LiveSource(heap);
  const loop = new LiveLoop(source, checked.heap, checked.fps, checked.budgetMs, turns);
  const handler = handlerOf(source, loop, checked, turns);
  const server = createServer((request, response) => {
    if (LOOPBACK.test(host) && !isOurs(request)) {
      response.writeHead(403, { "content-type": "text/plain; charset=utf-8" });
      response.end("this server is for pages of this machine: use localhost or an address in its URL\n");
    } else handler(request, response as ServerResponse);
  });
  if (unref) server.on("connection", (socket) => socket.unref());
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => reject(listenError(cause, host, port)));
    server.listen(port, host, resolve);
  });
  // A connection that breaks is no fault of the program's.
  server.removeAllListeners("error").on("error", () => {});
  if (unref) server.unref();
  return new LiveServer(server, loop);
}

/** Whether the request names this machine: a page from elsewhere whose name points here does not. */
function isOurs({ headers: { host = "" } }: IncomingMessage): boolean {
  const name = host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return isIP(name) !== 0 || /(^|\.)localhost$/i.test(name);
}

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): LiveError {
  const at = `${host} port ${port}`;
  switch (cause.code) {
    case "EADDRINUSE":
      return new LiveError(
        "port-in-use",
        `port ${port} of ${host} is in use`,
        "give another port, or 0 for a free one",
        {
          cause,
        },
      );
    case "EACCES":
    case "EPERM":
      return new LiveError("denied", `the system does not let this program listen at ${at}`, "give a port above 1023", {
        cause,
      });
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new LiveError("host", `${host} is no address of this machine`, "leave the host out, or give 0.0.0.0", {
        cause,
      });
    default:
      return new LiveError("listen", `the server cannot listen at ${at}: ${cause.message}`, "see the cause", { cause });
  }
}

/** A server that shows a heap. */
export class LiveServer implements Disposable {
  readonly #server: Server;
  readonly #loop: LiveLoop;
  /** Where the page is. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  #closed: Promise<void> | undefined;

  /** For serveHeap, when the server listens. */
  constructor(server: Server, loop: LiveLoop) {
    this.#server = server;
    this.#loop = loop;
    const { address, port, family } = server.address() as AddressInfo;
    this.host = address;
    this.port = port;
    // No browser goes to an address that means all of a machine's.
    const name = address === "0.0.0.0" || address === "::" ? "localhost" : family === "IPv6" ? `[${address}]` : address;
    this.url = `http://${name}:${port}/`;
  }

  /** Pages that look now. */
  get viewers(): number {
    return this.#loop.viewers;
  }

  /** Resolves when the first page looks. */
  get seen(): Promise<void> {
    return this.#loop.seen;
  }

  /** Has the pages show a text beside the heap, also those that come later: that the program's work is done, for instance. */
  note(words: string): void {
    this.#loop.note(text(words, "note"));
  }

  /** Ends all pages' streams and stops to listen. Resolves when the port is free. Twice is fine. */
  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#loop.end("the server was closed");
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
      // What the streams still had to send gets a moment.
      setTimeout(() => this.#server.closeAllConnections(), GRACE).unref();
    });
    return this.#closed;
  }

  [DISPOSE](): void {
    void this.close();
  }
}

/** Milliseconds in which connections may end by themselves. */
const GRACE = 500;
