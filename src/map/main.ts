/**
 * The page of `gomalloc map --html`: snapshots that lie inside the page. No network. scripts/build-page.ts bundles this file
 * into one HTML file.
 */
import { parseSnapshot } from "../snapshot/parse.js";
import { byId, element } from "./dom.js";
import { HeapMap } from "./heapmap.js";

/** The snapshots that lie in the page: JSON, packed by gzip, in base64. */
async function dataOf(text: string): Promise<{ snapshots: unknown[]; diff: boolean }> {
  const bytes = Uint8Array.from(atob(text.trim()), (one) => one.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text()) as { snapshots: unknown[]; diff: boolean };
}

try {
  const { snapshots, diff } = await dataOf(byId("data").textContent ?? "");
  new HeapMap(snapshots.map(parseSnapshot), diff);
} catch (error) {
  const textContent = `This page cannot show its snapshots: ${error instanceof Error ? error.message : String(error)}`;
  document.body.replaceChildren(element("p", { id: "fault", role: "alert", textContent }));
}
