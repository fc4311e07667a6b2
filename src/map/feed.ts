/**
 * Where the live view's messages come from: a server's stream, or the port of a page that has put the view into an element.
 * A feed runs from start() to stop(); what has no listener asks for nothing.
 */
import { type Look, MessageSplitter } from "./wire.js";

export interface Listener {
  message(message: Uint8Array<ArrayBuffer>): void;
  /** The other side is gone. The feed tries again by itself, and begins anew. */
  lost(): void;
}

export interface Feed {
  start(listener: Listener): void;
  stop(): void;
  look(look: Look): void;
  /** A message was drawn. */
  drawn(): void;
}

/** Milliseconds between two tries to reach a server. */
const PATIENCE = 1000;

export class StreamFeed implements Feed {
  #abort: AbortController | undefined;

  start(listener: Listener): void {
    this.stop();
    const abort = new AbortController();
    this.#abort = abort;
    void this.#run(listener, abort.signal);
  }

  async #run(listener: Listener, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const { body, ok } = await fetch("frames", { signal });
        if (ok && body !== null) await this.#read(body.getReader(), listener, signal);
      } catch {
        // Said below.
      }
      if (signal.aborted) return;
      listener.lost();
      await new Promise((done) => setTimeout(done, PATIENCE));
    }
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>, listener: Listener, signal: AbortSignal): Promise<void> {
    const splitter = new MessageSplitter();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) return;
      for (const message of splitter.push(value)) listener.message(message);
    }
  }

  stop(): void {
    this.#abort?.abort();
    this.#abort = undefined;
  }

  look({ viewer, from, to }: Look): void {
    void fetch(`look?viewer=${viewer}&from=${from}&to=${to}`, { method: "POST" }).catch(() => {});
  }

  drawn(): void {}
}

/** What goes to the page that has the heap. */
export type FromView = "start" | "stop" | "drawn" | Look;

export class PortFeed implements Feed {
  readonly #port: MessagePort;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  start(listener: Listener): void {
    this.#port.onmessage = ({ data }: MessageEvent<Uint8Array<ArrayBuffer>>) => listener.message(data);
    this.#say("start");
  }

  stop(): void {
    this.#say("stop");
  }

  look(look: Look): void {
    this.#say(look);
  }

  drawn(): void {
    this.#say("drawn");
  }

  #say(what: FromView): void {
    this.#port.postMessage(what);
  }
}

/** The port that the page around this one gives. */
export function portFeed(): Promise<PortFeed> {
  return new Promise((resolve) => {
    addEventListener("message", (event) => {
      const [port] = event.ports;
      if (event.source === parent && port !== undefined) resolve(new PortFeed(port));
    });
  });
}
