/**
 * The page of the live view: a heap as it works, its figures over time. scripts/build-page.ts bundles this file into the page
 * that src/live serves, or puts into an element of another page.
 *
 * Frames are applied as they come and drawn when the browser draws; the panels beside the map, which cost more, follow
 * twice a second. A page that nobody sees, or that is paused, asks for no frames.
 */
import { type FrameHead, FrameReader } from "../snapshot/frame.js";
import type { HeapSnapshot } from "../snapshot/snapshot.js";
import { bytesText } from "../snapshot/words.js";
import { Chart } from "./chart.js";
import { byId, element } from "./dom.js";
import { type Feed, portFeed, StreamFeed } from "./feed.js";
import { HeapMap, readColors } from "./heapmap.js";
import { FRAME, type FrameExtras, HELLO, type Hello, STATE, type State } from "./wire.js";

/** Milliseconds between two drawings of the panels. */
const PANELS = 500;

class LiveView {
  readonly #feed: Feed;
  #map: HeapMap | undefined;
  #reader = new FrameReader();
  #hello: Hello | undefined;
  /** The last frame; drawn is what the page shows of it. */
  #snapshot: HeapSnapshot | undefined;
  #drawn: HeapSnapshot | undefined;
  /** What is compared with. */
  #mark: HeapSnapshot | undefined;
  #more: FrameExtras | undefined;
  /** What the other side says of the heap. */
  #remark: string | undefined;
  #paused = false;
  #ended = false;
  #panelsAt = Number.NEGATIVE_INFINITY;
  #asked = false;
  #looked = "";
  /** When the frames of the last second came. */
  readonly #times: number[] = [];
  readonly #bytes = new Chart(
    "bytes",
    "Bytes over the last minute",
    [
      { name: "obtained", color: "quiet", dashed: true },
      { name: "spans", color: "scan" },
      { name: "live", color: "accent" },
      { name: "zero pages", color: "same" },
    ],
    bytesText,
  );
  readonly #blocks = new Chart("blocks", "Blocks over the last minute", [{ name: "blocks", color: "noscan" }], count);
  readonly #cycles = new Chart(
    "cycles",
    "Collections over the last minute",
    [{ name: "GC cycles", color: "tiny" }],
    count,
  );

  constructor(feed: Feed) {
    this.#feed = feed;
    byId("live").hidden = false;
    document.body.classList.add("is-live");
    byId("pause").onclick = () => this.#pause(!this.#paused);
    byId("mark").onclick = () => this.#setMark(this.#mark === undefined ? this.#snapshot : undefined);
    document.addEventListener("keydown", (event) => {
      const { tagName } = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA|BUTTON|TR|SUMMARY)$/.test(tagName))
        return;
      if (event.key === " ") byId("pause").click();
      else if (event.key === "m") byId("mark").click();
      else return;
      event.preventDefault();
    });
    document.addEventListener("visibilitychange", () => this.#run());
    this.#say("waiting for the first frame");
    this.#run();
  }

  /** Starts or stops the feed, as the page is seen and not paused. */
  #run(): void {
    if (this.#ended) return;
    if (this.#paused || document.hidden) {
      this.#feed.stop();
      this.#state("off", this.#paused ? "paused" : "hidden");
      return;
    }
    this.#begin();
    this.#feed.start({ message: (message) => this.#take(message), lost: () => this.#lost() });
  }

  /** What was heard is no base for what comes. */
  #begin(): void {
    this.#reader = new FrameReader();
    this.#looked = "";
    this.#times.length = 0;
  }

  #pause(paused: boolean): void {
    this.#paused = paused;
    const button = byId("pause");
    button.ariaPressed = `${paused}`;
    button.textContent = paused ? "Go on" : "Pause";
    this.#run();
    this.#drawPanels();
  }

  #setMark(mark: HeapSnapshot | undefined): void {
    this.#mark = mark;
    const button = byId("mark");
    button.ariaPressed = `${mark !== undefined}`;
    button.textContent = mark === undefined ? "Compare with now" : "Stop comparing";
    this.#drawn = undefined;
    this.#drawPanels();
  }

  #lost(): void {
    if (this.#ended) return;
    this.#begin();
    this.#state("lost", "connection lost; trying again");
  }

  #take(message: Uint8Array<ArrayBuffer>): void {
    const contents = message.subarray(1);
    if (message[0] === FRAME) {
      const { head, snapshot } = this.#reader.read(contents);
      this.#snapshot = snapshot;
      this.#more = head.more as FrameExtras;
      this.#note(head);
      this.#say(this.#remark);
      this.#ask();
      return;
    }
    const said: unknown = JSON.parse(new TextDecoder().decode(contents));
    if (message[0] === HELLO) this.#greet(said as Hello);
    else if (message[0] === STATE) this.#stand(said as State);
    this.#feed.drawn();
  }

  #greet(hello: Hello): void {
    this.#hello = hello;
    if (hello.label !== undefined) document.title = `${hello.label} · live heap`;
    byId("title").textContent = hello.label ?? "Live heap";
    byId("links").replaceChildren(
      ...hello.links.flatMap((href) => [element("a", { href, target: "_blank", textContent: `/${href}` }), " "]),
    );
  }

  #stand({ state, reason }: State): void {
    if (state === "note") {
      this.#remark = reason;
      this.#say(reason);
      return;
    }
    this.#ended = state === "ended";
    this.#say(state === "ended" ? `Ended: ${reason}` : `Waiting: ${reason}`);
    this.#state("off", state);
    if (!this.#ended) return;
    this.#feed.stop();
    byId<HTMLButtonElement>("pause").disabled = true;
    this.#drawPanels();
  }

  /** Text over the map; undefined: none. */
  #say(text: string | undefined): void {
    const notice = byId("notice");
    notice.hidden = text === undefined;
    if (text !== undefined) notice.textContent = text;
  }

  #state(state: string, text: string): void {
    byId("dot").dataset["state"] = state;
    byId("rate").textContent = text;
  }

  /** The figures of a frame, for the charts. */
  #note({ time, totals }: FrameHead): void {
    const { sys, heapInuse, heapAlloc, scavenged, heapObjects } = totals;
    this.#bytes.add(time, sys, heapInuse, heapAlloc, scavenged);
    this.#blocks.add(time, heapObjects);
    const cycles = this.#more?.cycles;
    byId("cycles-figure").hidden = cycles === undefined;
    if (cycles !== undefined) this.#cycles.add(time, cycles);
    const now = performance.now();
    this.#times.push(now);
    while (this.#times[0]! < now - 2000) this.#times.shift();
  }

  #ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      const now = performance.now();
      this.#draw(now - this.#panelsAt >= PANELS);
      this.#feed.drawn();
    });
  }

  #drawPanels(): void {
    this.#panelsAt = Number.NEGATIVE_INFINITY;
    this.#ask();
  }

  #draw(panels: boolean): void {
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return;
    if (panels) this.#panelsAt = performance.now();
    if (this.#mark !== undefined && this.#mark.address !== snapshot.address) this.#setMark(undefined);
    const list = this.#mark === undefined ? [snapshot] : [this.#mark, snapshot];
    if (this.#map === undefined) {
      this.#map = new HeapMap(list, false);
    } else if (snapshot !== this.#drawn || panels) this.#map.replace(list, this.#mark !== undefined, panels);
    this.#drawn = snapshot;
    const colors = readColors();
    for (const chart of [this.#bytes, this.#blocks, this.#cycles]) chart.draw(colors);
    this.#showRate();
    this.#look();
  }

  #showRate(): void {
    if (this.#ended || this.#paused) return;
    const [first, last] = [this.#times[0], this.#times.at(-1)];
    const rate = first === undefined || last === first ? 0 : ((this.#times.length - 1) * 1000) / (last! - first);
    const { slices, ms, longest } = this.#more?.read ?? { slices: 0, ms: 0, longest: 0 };
    const read =
      slices === 0
        ? ""
        : ` · read in ${slices} ${slices === 1 ? "slice" : "slices"}, ${ms.toFixed(1)} ms, longest ${longest.toFixed(1)} ms`;
    this.#state("live", `${rate.toFixed(1)} of ${this.#hello?.fps ?? 0} frames/s${read}`);
  }

  /** Says which pages' slots are drawn, when it has changed. */
  #look(): void {
    if (this.#hello === undefined || this.#ended || this.#paused) return;
    const { from, to } = this.#map?.closeUp ?? { from: 0, to: 0 };
    const looked = `${from} ${to}`;
    if (looked === this.#looked || (this.#looked === "" && to === from)) return;
    this.#looked = looked;
    this.#feed.look({ viewer: this.#hello.viewer, from, to });
  }
}

function count(n: number): string {
  return n.toLocaleString("en");
}

// The page of an element has no address of its own.
if (location.protocol === "about:") void portFeed().then((feed) => new LiveView(feed));
else new LiveView(new StreamFeed());
