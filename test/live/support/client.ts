/** A page of the live view without a browser: what a server sends, as it comes. */
import { FRAME, HELLO, type Hello, MessageSplitter, STATE, type State } from "../../../src/map/wire.ts";
import { FrameReader, type ReadFrame } from "../../../src/snapshot/frame.ts";

export class Client {
  readonly #abort = new AbortController();
  readonly #reader = new FrameReader();
  readonly frames: ReadFrame[] = [];
  readonly states: State[] = [];
  hello: Hello | undefined;
  #work: (() => void)[] = [];
  readonly ended: Promise<void>;

  constructor(url: string) {
    this.ended = this.#run(url).catch((error: unknown) => {
      if (!this.#abort.signal.aborted) throw error;
    });
  }

  async #run(url: string): Promise<void> {
    const { body } = await fetch(`${url}frames`, { signal: this.#abort.signal });
    const splitter = new MessageSplitter();
    for await (const chunk of body!) {
      for (const message of splitter.push(chunk)) this.#take(message);
      for (const done of this.#work.splice(0)) done();
    }
  }

  #take(message: Uint8Array<ArrayBuffer>): void {
    const contents = message.slice(1);
    if (message[0] === FRAME) this.frames.push(this.#reader.read(contents));
    const value = () => JSON.parse(new TextDecoder().decode(contents)) as unknown;
    if (message[0] === HELLO) this.hello = value() as Hello;
    if (message[0] === STATE) this.states.push(value() as State);
  }

  /** Waits for what comes until it is there. */
  async until(done: (client: this) => boolean): Promise<void> {
    while (!done(this)) await new Promise<void>((resolve) => this.#work.push(resolve));
  }

  /** A frame that was begun after this call. */
  async next(): Promise<ReadFrame> {
    const n = this.frames.length + 2;
    await this.until(({ frames }) => frames.length >= n);
    return this.frames.at(-1)!;
  }

  leave(): void {
    this.#abort.abort();
  }
}
