/**
 * What goes between a heap and its page: messages, each a byte that says what it is and its contents. On a stream each
 * has its length in front, 32 bits, little-endian; on a message port each is one message.
 */

/** What a message is. */
export const HELLO = 1;
export const FRAME = 2;
export const STATE = 3;

/** The first message. */
export interface Hello {
  /** By this number the page says what it looks at. */
  readonly viewer: number;
  readonly fps: number;
  readonly budgetMs: number;
  readonly label: string | undefined;
  /** Whether /metrics, and /debug/pprof/heap, are there. */
  readonly links: readonly string[];
}

/** That no frame comes: none yet, or none any more. A note is shown beside the frames. */
export interface State {
  readonly state: "waiting" | "ended" | "note";
  readonly reason: string;
}

/** What a frame says beside the heap: `more` of its head. */
export interface FrameExtras {
  /** Cycles of the collector that have ended; missing: the flavour has none. */
  readonly cycles: number | undefined;
  /** How the frame before was read: slices, milliseconds in all of them, and in the longest. */
  readonly read: { readonly slices: number; readonly ms: number; readonly longest: number };
}

/** What a page says: the pages of which it draws slots. Both 0: none. */
export interface Look {
  readonly viewer: number;
  readonly from: number;
  readonly to: number;
}

export function messageOf(kind: number, contents: Uint8Array): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(1 + contents.length);
  message[0] = kind;
  message.set(contents, 1);
  return message;
}

export function jsonMessage(kind: number, value: Hello | State): Uint8Array<ArrayBuffer> {
  return messageOf(kind, new TextEncoder().encode(JSON.stringify(value)));
}

/** The length that stands in front of a message on a stream. */
export function lengthOf(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, message.length, true);
  return length;
}

/** Cuts a stream into its messages again. */
export class MessageSplitter {
  #parts: Uint8Array[] = [];
  #bytes = 0;

  /** Takes a piece of the stream, and gives the messages that are whole now. */
  push(chunk: Uint8Array): Uint8Array<ArrayBuffer>[] {
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    const messages: Uint8Array<ArrayBuffer>[] = [];
    // Joined when a whole message is there, not at each piece of a long one.
    while (this.#bytes >= 4) {
      if (this.#parts[0]!.length < 4) this.#join();
      const head = this.#parts[0]!;
      const length = new DataView(head.buffer, head.byteOffset, 4).getUint32(0, true);
      if (this.#bytes < 4 + length) break;
      const joined = this.#join();
      messages.push(joined.slice(4, 4 + length));
      this.#parts = [joined.subarray(4 + length)];
      this.#bytes = joined.length - 4 - length;
    }
    return messages;
  }

  #join(): Uint8Array {
    if (this.#parts.length === 1) return this.#parts[0]!;
    const joined = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      joined.set(part, at);
      at += part.length;
    }
    this.#parts = [joined];
    return joined;
  }
}
