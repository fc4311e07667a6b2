/// <reference lib="esnext.disposable" preserve="true" />
/**
 * showHeap: the live view of a heap in a page that has it, inside an element.
 *
 * The view is a document of its own in a sandboxed frame, so its styles and the page's do not meet. The heap is read in this
 * thread, between two frames of the browser, at most `budgetMs` at a time; a page that nobody sees is not read. Browsers
 * only.
 */
import { object, readOptions, show } from "../base/check.js";
import { DISPOSE } from "../base/dispose.js";
import { LIVE_PAGE } from "../generated/live-page.js";
import type { FromView } from "../map/feed.js";
import { HELLO, jsonMessage } from "../map/wire.js";
import { checkLive, LIVE_OPTIONS, type LiveOptions } from "./handler.js";
import { LiveLoop, type Turns, type Viewer } from "./loop.js";
import { type LiveHeap, LiveSource } from "./source.js";

/** The live view in an element. */
export interface LiveElement extends Disposable {
  /** The frame that shows it. */
  readonly frame: HTMLIFrameElement;
  /** Ends the view and removes the frame. Twice is fine. */
  close(): void;
}

/** Messages that the view may be behind. */
const AHEAD = 2;

/**
 * Shows a heap as it works in `element`, which should have a height; `heap` is a heap of JavaScript, for one thread or
 * several, or the memory of a program that has the allocator inside. For a window of its own give the body of one:
 * `showHeap(heap, open("", "", "popup").document.body)`. The page's content security policy has to allow inline scripts and
 * styles in frames without an address (srcdoc). Throws TypeError and RangeError for bad arguments.
 */
export function showHeap(
  heap: LiveHeap | WebAssembly.Memory,
  element: HTMLElement,
  options: LiveOptions = {},
): LiveElement {
  const { fps, budgetMs, label, heap: address } = checkLive(readOptions(options, LIVE_OPTIONS, "showHeap"));
  const { ownerDocument } = object(element, "element");
  const window = ownerDocument?.defaultView;
  if (!window) throw new TypeError(`element must be an element of a page: ${show(element)}`);
  const loop = new LiveLoop(new LiveSource(heap), address, fps, budgetMs, turnsOf(window));
  const { port1, port2 } = new MessageChannel();
  const frame = ownerDocument.createElement("iframe");
  frame.title = label ?? "Live heap";
  frame.setAttribute("sandbox", "allow-scripts");
  frame.style.cssText = "width: 100%; height: 100%; min-height: 420px; border: 0; display: block";
  frame.onload = () => {
    frame.onload = null;
    frame.contentWindow?.postMessage("gomalloc", "*", [port2]);
  };
  frame.srcdoc = LIVE_PAGE;

  let number: number | undefined;
  let behind = 0;
  const viewer: Viewer = {
    send(message) {
      if (behind >= AHEAD) return false;
      behind++;
      port1.postMessage(message, [message.buffer]);
      return true;
    },
    end() {},
  };
  const leave = () => {
    if (number !== undefined) loop.leave(number);
    number = undefined;
  };
  port1.onmessage = ({ data }: MessageEvent<FromView>) => {
    if (data === "start") {
      leave();
      behind = 0;
      number = loop.join({ send: copied(viewer), end: leave });
      viewer.send(jsonMessage(HELLO, { viewer: number, fps, budgetMs, label, links: [] }));
    } else if (data === "stop") leave();
    else if (data === "drawn") behind = Math.max(behind - 1, 0);
    else loop.look(data.viewer, data.from, data.to);
  };
  const close = () => {
    leave();
    port1.close();
    frame.remove();
  };
  element.append(frame);
  return { frame, close, [DISPOSE]: close };
}

/** Sends copies: a message that is transferred would be gone for other viewers. */
function copied(viewer: Viewer): Viewer["send"] {
  return (message) => viewer.send(message.slice());
}

/** Turns of a page: work begins behind a frame of the browser, and goes on a task later. */
function turnsOf(window: Window): Turns {
  return {
    after: (ms, work) => void setTimeout(() => window.requestAnimationFrame(work), Math.max(ms - FRAME_MS, 0)),
    soon: (work) => void setTimeout(work, 0),
  };
}

/** Milliseconds that the browser's next frame is away, at most, where there are 60 a second. */
const FRAME_MS = 16;
